/** Converts the URL of a live Deepgram connection to settings of a recording. Unknown parameters are ignored. */
import type { LiveEncoding } from '../../audio/format.js';
import { ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { parseConfig } from '../parse.js';
import { hotwordsIn, isNo, isYes, numberIn, silenceSeconds } from '../query.js';
import type { RecordingConfig } from '../types.js';

export interface DeepgramSettings {
  readonly config: Partial<RecordingConfig> & Pick<RecordingConfig, 'channels' | 'multichannel'>;
  /** Report a pause as the end of speech (`speech_final`). */
  readonly tellsPauses: boolean;
  /** Silence before `UtteranceEnd`; null: not sent. */
  readonly utteranceEndMs: number | null;
}

const ENCODINGS: Record<string, LiveEncoding> = {
  linear16: 'pcm16',
  mulaw: 'mulaw',
  alaw: 'alaw',
  opus: 'opus',
  'ogg-opus': 'container',
};
const TELEPHONE_HZ = 8_000;
const MIN_UTTERANCE_END_MS = 100;

/** @throws ServerError UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE, UNSUPPORTED_CHANNELS */
export function deepgramSettings(query: URLSearchParams): DeepgramSettings {
  const channels = query.has('channels') ? numberIn(query.get('channels')) : 1;
  const multichannel = isYes(query.get('multichannel')) && channels === 2;
  const gap = numberIn(query.get('utterance_end_ms'));
  const utteranceEndMs = gap === undefined || gap <= 0 ? null : Math.max(MIN_UTTERANCE_END_MS, gap);
  const silence = silenceOf(query.get('endpointing'), utteranceEndMs);
  const config = parseConfig(
    {
      ...formatOf(query.get('encoding'), query.get('sample_rate')),
      channels,
      multichannel,
      partials: isYes(query.get('interim_results')),
      vad_events: isYes(query.get('vad_events')),
      hotwords: hotwordsIn([...query.getAll('keyterm'), ...query.getAll('keywords')]),
      ...(silence === undefined ? {} : { silence_duration: silence }),
    },
    'BAD_REQUEST',
  );
  return {
    config: { ...config, channels: channels === 2 ? 2 : 1, multichannel },
    tellsPauses: !isNo(query.get('endpointing')),
    utteranceEndMs,
  };
}

/** Without `encoding`, the audio itself shows its format: WebM or Ogg as browsers record them, or a WAV header. */
function formatOf(encoding: string | null, rate: string | null): Partial<RecordingConfig> {
  const known = ENCODINGS[(encoding || 'linear16').toLowerCase()];
  if (known === undefined) {
    throw new ServerError('UNSUPPORTED_ENCODING', `encoding: ${JSON.stringify(encoding?.slice(0, 40))}`);
  }
  const usualHz = known === 'pcm16' ? LIMITS.sampleRateHz : TELEPHONE_HZ;
  return { encoding: known, sample_rate: rate === null ? usualHz : (numberIn(rate) ?? 0) };
}

/**
 * Seconds of silence that end a segment; undefined: the server's default. Agents request 25 ms, which is below the
 * minimum. With endpointing off, a segment still ends before the end of an utterance is sent.
 */
function silenceOf(endpointing: string | null, utteranceEndMs: number | null): number | undefined {
  const ms = isNo(endpointing) ? Number.POSITIVE_INFINITY : numberIn(endpointing);
  if (ms === undefined) return undefined;
  return silenceSeconds(Math.min(ms, utteranceEndMs ?? Number.POSITIVE_INFINITY));
}
