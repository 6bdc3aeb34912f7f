/**
 * The settings of an upload, from its query or form fields. Anything unknown or unsupported is ignored with a warning;
 * only a wrong value is refused.
 */
import type { AudioFormat, Encoding } from '../audio/format.js';
import { ServerError } from '../errors.js';
import { languagesOf, ownLanguages, promptOf, type Spoken, speaks } from '../models/languages.js';
import { FILE_FORMATS, type FileFormat, isFileFormat } from './file-formats.js';
import type { FileWarning } from './file-result.js';
import { parseConfig, parseHotword, UPLOAD_FIELDS, type UploadConfig } from './parse.js';

export interface UploadRequest {
  readonly wanted: UploadConfig;
  readonly format: FileFormat;
  /** Return one transcript per channel. */
  readonly separate: boolean;
  /** The body is raw samples in this format. */
  readonly raw: AudioFormat | undefined;
  readonly warnings: readonly FileWarning[];
}

const MIN_RATE_HZ = 8_000;
/** For raw samples: the highest rate that files may have. */
const MAX_RATE_HZ = 192_000;

/** Names of encodings, including other vendors' names. */
const ENCODINGS: Record<string, Encoding> = {
  pcm16: 'pcm16',
  pcm_s16le: 'pcm16',
  linear16: 'pcm16',
  s16le: 'pcm16',
  float32: 'float32',
  pcm_f32le: 'float32',
  f32le: 'float32',
  mulaw: 'mulaw',
  ulaw: 'mulaw',
  pcmu: 'mulaw',
  alaw: 'alaw',
  pcma: 'alaw',
};

/** Accepted without a warning: read elsewhere (the key), or true of whatever model is in use. */
const HARMLESS = ['token', 'model', 'file', 'filename'];
/** Other vendors' parameters that are not supported here. */
const UNSUPPORTED = [
  'callback',
  'detect_language',
  'diarize',
  'dictation',
  'filler_words',
  'intents',
  'numerals',
  'paragraphs',
  'profanity_filter',
  'prompt',
  'punctuate',
  'redact',
  'replace',
  'search',
  'sentiment',
  'smart_format',
  'speaker_labels',
  'summarize',
  'temperature',
  'topics',
  'translate',
  'utterances',
];
const KNOWN = [
  'format',
  'response_format',
  'multichannel',
  'encoding',
  'sample_rate',
  'channels',
  'language',
];
/** Limits the number of warnings that one request can cause. */
const MAX_WARNINGS = 20;
const MAX_NAME_CHARS = 60;

const bad = (detail: string): ServerError => new ServerError('BAD_REQUEST', detail);
/** True for `true`, `True`, `1`, `yes` and a name without a value, since SDKs differ. */
export const isYes = (value: string): boolean =>
  ['', 'true', '1', 'yes', 'on'].includes(value.trim().toLowerCase());
const isNo = (value: string): boolean =>
  ['false', '0', 'no', 'off', 'none', 'null'].includes(value.trim().toLowerCase());

/**
 * @param spoken the model's languages
 * @throws ServerError BAD_REQUEST, UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE, UNSUPPORTED_CHANNELS
 */
export function parseUpload(pairs: Iterable<readonly [string, string]>, spoken: Spoken): UploadRequest {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const key = name.replace(/\[\]$/, '');
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  const last = (name: string): string | undefined => values.get(name)?.at(-1)?.trim();
  return {
    wanted: { ...wantedOf(values), ...languageOf(last('language'), spoken) },
    format: formatOf(last('format') ?? last('response_format')),
    separate: isYes(last('multichannel') ?? 'false'),
    raw: rawOf(last('encoding'), last('sample_rate'), last('channels')),
    warnings: warningsOf(values, last('language'), spoken),
  };
}

/** `?silence_duration=0.5&hotwords=Kubernetes&hotwords=etcd:3` */
function wantedOf(values: ReadonlyMap<string, readonly string[]>): UploadConfig {
  const fields: Record<string, unknown> = {};
  for (const field of UPLOAD_FIELDS) {
    const given = values.get(field);
    const last = given?.at(-1);
    if (given === undefined || last === undefined) continue;
    fields[field] = field === 'hotwords' ? given.map(parseHotword) : Number(last.trim() || Number.NaN);
  }
  return parseConfig(fields, 'BAD_REQUEST');
}

/** The language setting of the file, if the model can be told one. */
export function languageOf(asked: string | undefined, spoken: Spoken): UploadConfig {
  const known = asked !== undefined && typeof promptOf(spoken, asked) === 'number';
  return known ? { language: asked } : {};
}

/** @throws ServerError BAD_REQUEST naming the field */
export function formatOf(value = 'json', field = 'format'): FileFormat {
  const name = value.toLowerCase();
  if (isFileFormat(name)) return name;
  throw bad(
    `${field}: one of ${FILE_FORMATS.join(', ')}, not ${JSON.stringify(value.slice(0, MAX_NAME_CHARS))}`,
  );
}

function rawOf(encoding?: string, rate = '16000', channels = '1'): AudioFormat | undefined {
  if (encoding === undefined) return undefined;
  const known = ENCODINGS[encoding.toLowerCase()];
  if (known === undefined) {
    throw new ServerError(
      'UNSUPPORTED_ENCODING',
      `encoding: ${JSON.stringify(encoding.slice(0, MAX_NAME_CHARS))}`,
    );
  }
  const rateHz = Number(rate);
  if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
    throw new ServerError(
      'UNSUPPORTED_SAMPLE_RATE',
      `sample_rate: ${JSON.stringify(rate.slice(0, MAX_NAME_CHARS))}`,
    );
  }
  if (channels !== '1' && channels !== '2') {
    throw new ServerError(
      'UNSUPPORTED_CHANNELS',
      `channels: ${JSON.stringify(channels.slice(0, MAX_NAME_CHARS))}`,
    );
  }
  return { encoding: known, sample_rate: rateHz, channels: channels === '2' ? 2 : 1 };
}

function warningsOf(
  values: ReadonlyMap<string, readonly string[]>,
  asked: string | undefined,
  spoken: Spoken,
): FileWarning[] {
  const warnings: FileWarning[] = [];
  for (const [name, given] of values) {
    if ([...HARMLESS, ...KNOWN, ...UPLOAD_FIELDS].includes(name)) continue;
    const shown = JSON.stringify(name.slice(0, MAX_NAME_CHARS)).slice(1, -1);
    if (!UNSUPPORTED.includes(name)) {
      warnings.push({ code: 'UNKNOWN_PARAMETER', detail: `${shown}: unknown parameter` });
    } else if (!given.every(isNo)) {
      warnings.push({ code: 'NOT_SUPPORTED', detail: `${shown}: not supported by this server` });
    }
  }
  return [...warnings, ...languageWarnings(asked, spoken)].slice(0, MAX_WARNINGS);
}

/** A warning if the request names a language that the model does not know. */
export function languageWarnings(asked: string | undefined, spoken: Spoken): FileWarning[] {
  if (asked === undefined || takes(spoken, asked)) return [];
  const shown = JSON.stringify(asked.slice(0, MAX_NAME_CHARS));
  const detail = `language: the model knows ${languagesOf(spoken)}, not ${shown}`;
  return [{ code: 'NOT_SUPPORTED', detail }];
}

/**
 * Whether the requested language is one of the model's; `en`, `en-GB`, `english` and `auto` all match an English model.
 */
function takes(spoken: Spoken, asked: string): boolean {
  if (['', 'auto', 'multi'].includes(asked.toLowerCase()) || speaks(spoken, asked)) return true;
  const names = new Intl.DisplayNames('en', { type: 'language' });
  return ownLanguages(spoken).some((it) => names.of(it)?.toLowerCase() === asked.toLowerCase());
}
