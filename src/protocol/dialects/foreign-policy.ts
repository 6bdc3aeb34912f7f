/** By what rules the clients of other vendors live, where a protocol has none of its own. */
import { LIMITS } from '../../limits.js';
import type { DialectPolicy } from '../dialect.js';

/** Settings in the address or a message, audio in binary frames; clients may be mute for hours, and none comes back. */
export const FOREIGN_POLICY: Omit<DialectPolicy, 'defaults'> = {
  startsByItself: true,
  maxTextChars: LIMITS.maxControlBytes,
  textFramesPerSecond: LIMITS.controlMessagesPerSecond,
  textFrameBurst: LIMITS.controlBurst,
  idle: 'heartbeat',
  coalescesPartials: true,
  resumable: false,
};

/** The same where audio comes in text frames. */
export const AUDIO_TEXT_POLICY: Omit<DialectPolicy, 'defaults'> = {
  ...FOREIGN_POLICY,
  maxTextChars: LIMITS.maxAudioTextChars,
  textFramesPerSecond: LIMITS.audioTextFramesPerSecond,
  textFrameBurst: LIMITS.audioTextFrameBurst,
};
