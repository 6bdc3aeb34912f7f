/**
 * Parses clients' messages: text frames, and JSON in binary frames from old clients. Schemas validate them; an error
 * names the field and its allowed values.
 */
import { z } from 'zod';
import { LIVE_ENCODINGS } from '../audio/format.js';
import { type ErrorCode, ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import {
  CLIENT_MESSAGE_TYPES,
  type ClientMessage,
  type ClientMessageType,
  type RecordingConfig,
} from './types.js';

/** `Kubernetes`, or `Kubernetes:3` with its boost. */
export function parseHotword(text: string): { phrase: string; boost?: number } {
  const [, phrase, boost] = /^(.*):(-?\d+(?:\.\d+)?)$/.exec(text) ?? [];
  return phrase === undefined ? { phrase: text } : { phrase, boost: Number(boost) };
}

/** An object, or the short form `phrase:boost`. */
const hotword = z.preprocess(
  (value) => (typeof value === 'string' ? parseHotword(value) : value),
  z.object({
    phrase: z.string().min(1).max(LIMITS.maxHotwordChars),
    boost: z.number().min(-20).max(20).default(2),
  }),
);

/** Every field of `start_recording.config` and `configure`; unknown fields are ignored. */
export const configSchema = z
  .object({
    sample_rate: z.number().int().min(8000).max(48_000),
    encoding: z.enum(LIVE_ENCODINGS),
    channels: z.union([z.literal(1), z.literal(2)]),
    multichannel: z.boolean(),
    language: z.string().min(1).max(35),
    partials: z.boolean(),
    partial_interval_ms: z.number().min(0).max(10_000),
    vad_threshold: z.number().min(0).max(1).nullable(),
    silence_duration: z.number().min(LIMITS.minSilenceSeconds).max(LIMITS.maxSilenceSeconds),
    max_segment_duration: z.number().min(1).max(300),
    words: z.boolean(),
    vad_events: z.boolean(),
    metrics: z.boolean(),
    hotwords: z.array(hotword).max(LIMITS.maxHotwords),
  })
  .partial();

/** Fields with their own error code. */
const FIELD_CODES: Record<string, ErrorCode> = {
  sample_rate: 'UNSUPPORTED_SAMPLE_RATE',
  encoding: 'UNSUPPORTED_ENCODING',
  channels: 'UNSUPPORTED_CHANNELS',
};

/** @throws ServerError `invalid`, UNSUPPORTED_SAMPLE_RATE, UNSUPPORTED_ENCODING, UNSUPPORTED_CHANNELS */
export function parseConfig(
  value: unknown,
  invalid: ErrorCode = 'INVALID_MESSAGE',
): Partial<RecordingConfig> {
  const { fields, defaultLanguage } = withLanguage(value ?? {});
  const result = checked(fields, invalid);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = String(issue?.path[0] ?? '');
    const where = issue?.path.join('.') || 'config';
    throw new ServerError(FIELD_CODES[field] ?? invalid, `${where}: ${issue?.message ?? 'invalid'}`);
  }
  const config = dropUndefined(result.data);
  return defaultLanguage ? { ...config, language: DEFAULT_LANGUAGE } : config;
}

/** The schema compares the `length` of any value, as text if it is a list: thousands of lists in lists overflow the stack. */
function checked(fields: unknown, invalid: ErrorCode): ReturnType<typeof configSchema.safeParse> {
  try {
    return configSchema.safeParse(fields);
  } catch (cause) {
    throw new ServerError(invalid, 'config: nested too deeply', { cause });
  }
}

/** In a configuration: the model's own language. */
export const DEFAULT_LANGUAGE = '';

/** `EN` and `en_US` are accepted as tags; null and '' mean the default. */
function withLanguage(value: unknown): { fields: unknown; defaultLanguage: boolean } {
  if (!isRecord(value) || !('language' in value)) return { fields: value, defaultLanguage: false };
  const { language, ...rest } = value;
  if (language === null || language === '') return { fields: rest, defaultLanguage: true };
  const tag = typeof language === 'string' ? canonicalTag(language) : language;
  return { fields: { ...rest, language: tag }, defaultLanguage: false };
}

function canonicalTag(language: string): string {
  try {
    return Intl.getCanonicalLocales(language.replaceAll('_', '-'))[0] ?? language;
  } catch {
    return language; // not a tag; the schema limits its length, and the session warns that the model does not know it
  }
}

/** Fields of a recording that an upload may set: those that are not about live audio. */
export const UPLOAD_FIELDS = [
  'vad_threshold',
  'silence_duration',
  'max_segment_duration',
  'hotwords',
] as const;
export type UploadConfig = Partial<Pick<RecordingConfig, (typeof UPLOAD_FIELDS)[number] | 'language'>>;

function dropUndefined(config: z.output<typeof configSchema>): Partial<RecordingConfig> {
  return Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== undefined),
  ) as Partial<RecordingConfig>;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The message type that a `type` names, if any. `config` is another name for `configure`, used by an existing page. */
const knownType = (type: unknown): ClientMessageType | undefined =>
  type === 'config' ? 'configure' : CLIENT_MESSAGE_TYPES.find((known) => known === type);

/** Fields of a message that are not settings; clients send them next to `type` in every message. */
const ENVELOPE = new Set(['type', 'config', 'client_id', 'session_id', 'timestamp', 'seq', 'id']);

/** Settings may be next to `type`, in a nested `config`, or both; nested ones take precedence. */
function settingsOf(record: Record<string, unknown>): {
  config: Partial<RecordingConfig>;
  unknown?: string[];
} {
  const { config: nested = null } = record;
  if (nested !== null && !isRecord(nested)) {
    throw new ServerError('INVALID_MESSAGE', 'config: must be an object');
  }
  const beside = Object.entries(record).filter(([name]) => !ENVELOPE.has(name));
  const fields = { ...Object.fromEntries(beside), ...nested };
  const unknown = Object.keys(fields).filter((name) => !Object.hasOwn(configSchema.shape, name));
  const config = parseConfig(fields);
  return unknown.length === 0 ? { config } : { config, unknown };
}

function toMessage(record: Record<string, unknown>, type: ClientMessageType): ClientMessage {
  if (type === 'start_recording' || type === 'configure') return { type, ...settingsOf(record) };
  return { type };
}

/**
 * Parses a text frame as a JSON object.
 * @throws ServerError INVALID_JSON
 */
export function parseObject(text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ServerError('INVALID_JSON', 'Send audio in binary frames.', { cause });
  }
  if (!isRecord(json)) throw new ServerError('INVALID_JSON');
  return json;
}

/**
 * Reads a text frame.
 * @throws ServerError INVALID_JSON, UNKNOWN_MESSAGE and those of parseConfig
 */
export function parseControl(text: string): ClientMessage {
  const json = parseObject(text);
  const { type } = json;
  if (typeof type !== 'string') throw new ServerError('INVALID_MESSAGE', 'type: must be a string');
  const known = knownType(type);
  if (known === undefined) {
    throw new ServerError('UNKNOWN_MESSAGE', `type: ${JSON.stringify(type.slice(0, 40))}`);
  }
  return toMessage(json, known);
}

const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const lastByte = (frame: Uint8Array): number => {
  let end = frame.length - 1;
  while (end > 0 && frame[end]! <= 0x20) end--;
  return frame[end] ?? 0;
};

/**
 * The control message in a binary frame, or null if the frame is audio. Audio may begin with `{` by chance, so only a
 * complete JSON object with a known `type` counts.
 * @throws ServerError for a known type with wrong fields
 */
export function controlInBinary(frame: Uint8Array): ClientMessage | null {
  if (frame[0] !== OPENING_BRACE || frame.length > LIMITS.maxControlBytes) return null;
  if (lastByte(frame) !== CLOSING_BRACE) return null;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(frame));
  } catch {
    return null;
  }
  if (!isRecord(json)) return null;
  const known = knownType(json.type);
  return known === undefined ? null : toMessage(json, known);
}
