/** The address of a live Deepgram connection as settings of a recording. What is not known is ignored. */
import type { LiveEncoding } from '../../audio/format.js';
import { ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { parseConfig } from '../parse.js';
import { hotwordsIn, isNo, isYes, numberIn, silenceSeconds } from '../query.js';
import type { RecordingConfig } from '../types.js';

export interface DeepgramSettings {
  readonly config: Partial<RecordingConfig> & Pick<RecordingConfig, 'channels' | 'multichannel'>;
  /** A pause is told as the end of what was said (`speech_final`). */
  readonly tellsPauses: boolean;
  /** How long nobody speaks before `UtteranceEnd`; null: it is not told. */
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

/** Without `encoding` the audio may say itself what it is: WebM or Ogg as browsers record it, a WAV header. */
function formatOf(encoding: string | null, rate: string | null): Partial<RecordingConfig> {
  const known = ENCODINGS[(encoding || 'linear16').toLowerCase()];
  if (known === undefined) {
    throw new ServerError('UNSUPPORTED_ENCODING', `encoding: ${JSON.stringify(encoding?.slice(0, 40))}`);
  }
  const usualHz = known === 'pcm16' ? LIMITS.sampleRateHz : TELEPHONE_HZ;
  return { encoding: known, sample_rate: rate === null ? usualHz : (numberIn(rate) ?? 0) };
}

/**
 * Seconds of silence that end a segment; undefined: the server's default. Agents ask for 25 ms, which is less than is
 * possible; without endpoints a segment still ends before the end of an utterance is told.
 */
function silenceOf(endpointing: string | null, utteranceEndMs: number | null): number | undefined {
  const ms = isNo(endpointing) ? Number.POSITIVE_INFINITY : numberIn(endpointing);
  if (ms === undefined) return undefined;
  return silenceSeconds(Math.min(ms, utteranceEndMs ?? Number.POSITIVE_INFINITY));
}
