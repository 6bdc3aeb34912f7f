/** Policies for other vendors' protocols, where a protocol does not define its own. */
import { LIMITS } from '../../limits.js';
import type { DialectPolicy } from '../dialect.js';

/** Settings in the URL or a message, audio in binary frames. Clients may be silent for hours, and none resumes. */
export const FOREIGN_POLICY: Omit<DialectPolicy, 'defaults'> = {
  startsByItself: true,
  maxTextChars: LIMITS.maxControlBytes,
  textFramesPerSecond: LIMITS.controlMessagesPerSecond,
  textFrameBurst: LIMITS.controlBurst,
  idle: 'heartbeat',
  coalescesPartials: true,
  resumable: false,
};

/** The same, with audio in text frames. */
export const AUDIO_TEXT_POLICY: Omit<DialectPolicy, 'defaults'> = {
  ...FOREIGN_POLICY,
  maxTextChars: LIMITS.maxAudioTextChars,
  textFramesPerSecond: LIMITS.audioTextFramesPerSecond,
  textFrameBurst: LIMITS.audioTextFrameBurst,
};
