/** The settings of an OpenAI Realtime session: reads updates and reports the settings in force. */
import type { Encoding } from '../../audio/format.js';
import { ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { silenceSeconds } from '../openai.js';
import { isRecord } from '../parse.js';
import { numberIn } from '../query.js';
import type { RecordingConfig } from '../types.js';

interface Turns {
  readonly type: 'server_vad' | 'semantic_vad';
  readonly silence_duration: number;
}

export interface SessionSettings {
  readonly encoding: Extract<Encoding, 'pcm16' | 'mulaw' | 'alaw'>;
  readonly rateHz: number;
  /** How the end of a turn is found; null: the client commits. */
  readonly turns: Turns | null;
  readonly keywords: readonly string[];
  /** Only echoed to the client. */
  readonly model: string;
  readonly language: string;
  readonly prompt: string;
}

export const FIRST_SETTINGS: Omit<SessionSettings, 'turns' | 'model' | 'language'> = {
  encoding: 'pcm16',
  rateHz: 24_000,
  keywords: [],
  prompt: '',
};

/** When the client commits by hand, segments end at its commits; the recogniser ends one only when it must. */
const BY_HAND = { silence_duration: 10, max_segment_duration: 300 };
const G711_HZ = 8_000;
const EAGERNESS: ReadonlyMap<unknown, number> = new Map([
  ['low', 1],
  ['medium', 0.6],
  ['auto', 0.6],
  ['high', 0.3],
]);

const recordOf = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});
const textOf = (value: unknown, before: string): string => (typeof value === 'string' ? value : before);

/**
 * Settings after an update in either form: `session.audio.input.{format,…}`, or the beta's flat fields. Fields not
 * given keep their value; fields that this server does not support are ignored.
 * @throws ServerError UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE: the audio that follows would be decoded as noise
 */
export function updated(before: SessionSettings, session: unknown, defaultSilence: number): SessionSettings {
  const flat = recordOf(session);
  const input = recordOf(recordOf(flat.audio).input);
  const transcription = recordOf(input.transcription ?? flat.input_audio_transcription);
  const turns = 'turn_detection' in input ? input.turn_detection : flat.turn_detection;
  const { keywords } = transcription;
  return {
    ...formatOf(input.format ?? flat.input_audio_format, before),
    turns: turnsOf(turns, before.turns, defaultSilence),
    keywords: Array.isArray(keywords) ? keywords.filter((it) => typeof it === 'string') : before.keywords,
    model: textOf(transcription.model, before.model),
    language: textOf(transcription.language, before.language),
    prompt: textOf(transcription.prompt, before.prompt),
  };
}

type Format = Pick<SessionSettings, 'encoding' | 'rateHz'>;

function formatOf(format: unknown, { encoding, rateHz }: SessionSettings): Format {
  if (format === undefined || format === null) return { encoding, rateHz };
  const { type = format, rate } = recordOf(format);
  switch (type) {
    case 'audio/pcmu':
    case 'g711_ulaw':
      return { encoding: 'mulaw', rateHz: G711_HZ };
    case 'audio/pcma':
    case 'g711_alaw':
      return { encoding: 'alaw', rateHz: G711_HZ };
    case 'audio/pcm':
    case 'pcm16':
      return { encoding: 'pcm16', rateHz: rateOf(rate) };
    default:
      throw new ServerError('UNSUPPORTED_ENCODING', 'format: audio/pcm, audio/pcmu or audio/pcma');
  }
}

function rateOf(rate: unknown): number {
  if (rate === undefined || rate === null) return FIRST_SETTINGS.rateHz;
  const hz = numberIn(rate) ?? 0;
  if (Number.isInteger(hz) && hz >= 8_000 && hz <= 48_000) return hz;
  throw new ServerError('UNSUPPORTED_SAMPLE_RATE', 'format.rate');
}

/** Absent: unchanged. `null`: the client commits by hand. */
function turnsOf(value: unknown, before: Turns | null, defaultSilence: number): Turns | null {
  if (value === undefined) return before;
  if (value === null) return null;
  const { type, silence_duration_ms: ms, eagerness } = recordOf(value);
  if (type === 'semantic_vad') {
    return { type, silence_duration: EAGERNESS.get(eagerness) ?? defaultSilence };
  }
  const silence = typeof ms === 'number' && ms >= 0 ? silenceSeconds(ms) : defaultSilence;
  return { type: 'server_vad', silence_duration: silence };
}

/** The settings of a recording. */
export function configOf(
  { encoding, rateHz, turns, keywords }: SessionSettings,
  defaults: RecordingConfig,
): Partial<RecordingConfig> {
  const phrases = keywords
    .map((phrase) => phrase.trim().slice(0, LIMITS.maxHotwordChars))
    .filter((phrase) => phrase !== '')
    .slice(0, LIMITS.maxHotwords);
  const { max_segment_duration } = defaults;
  return {
    encoding,
    sample_rate: rateHz,
    channels: 1,
    hotwords: phrases.map((phrase) => ({ phrase, boost: 2 })),
    ...(turns === null ? BY_HAND : { silence_duration: turns.silence_duration, max_segment_duration }),
  };
}

const FORMATS = { pcm16: 'audio/pcm', mulaw: 'audio/pcmu', alaw: 'audio/pcma' };
const BETA_FORMATS = { pcm16: 'pcm16', mulaw: 'g711_ulaw', alaw: 'g711_alaw' };

/** Values reported for settings that this server does not have: OpenAI's defaults. */
const turnsTold = (turns: Turns | null) => {
  if (turns === null) return null;
  if (turns.type === 'semantic_vad') return { type: turns.type, eagerness: 'auto' };
  const silence_duration_ms = Math.round(turns.silence_duration * 1000);
  return { type: turns.type, threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms };
};

/** The complete session in force. */
export function sessionTold(id: string, settings: SessionSettings, expiresAtS: number) {
  const { encoding, rateHz, turns, keywords, model, language, prompt } = settings;
  const format = { type: FORMATS[encoding], ...(encoding === 'pcm16' ? { rate: rateHz } : {}) };
  const transcription = { model, language, prompt, ...(keywords.length > 0 ? { keywords } : {}) };
  return {
    type: 'transcription',
    object: 'realtime.transcription_session',
    id,
    expires_at: expiresAtS,
    audio: { input: { format, transcription, noise_reduction: null, turn_detection: turnsTold(turns) } },
    include: null,
  };
}

/** The same in the beta's format. */
export function betaSessionTold(id: string, settings: SessionSettings, expiresAtS: number) {
  const { encoding, turns, model, language, prompt } = settings;
  return {
    object: 'realtime.transcription_session',
    id,
    expires_at: expiresAtS,
    input_audio_format: BETA_FORMATS[encoding],
    input_audio_transcription: { model, language, prompt },
    input_audio_noise_reduction: null,
    turn_detection: turnsTold(turns),
  };
}
