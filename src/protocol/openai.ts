/**
 * OpenAI's HTTP interface: reads its clients' transcription requests and formats the responses. Any model name is
 * accepted and means the model in use. Unsupported fields (`prompt`, `temperature`, `include[]`) are accepted and
 * ignored.
 */
import { ERRORS, type ErrorCode, ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Spoken } from '../models/languages.js';
import type { Manifest } from '../models/manifest.js';
import { spaceBetween } from '../transcript/pieces.js';
import type { Segment } from '../transcript/transcript.js';
import { joinWords } from '../transcript/words.js';
import type { Refusal } from './dialect.js';
import { type FileFormat, renderAs, verboseJson } from './file-formats.js';
import type { FileTranscript, FileWarning } from './file-result.js';
import { parseConfig, parseHotword, type UploadConfig } from './parse.js';
import { formatOf, isYes, languageOf, languageWarnings } from './upload-query.js';

export interface TranscriptionRequest {
  readonly wanted: UploadConfig;
  readonly format: FileFormat;
  /** Lists included in `verbose_json`. */
  readonly words: boolean;
  readonly segments: boolean;
  /** Send the text as server-sent events while it is recognised. */
  readonly stream: boolean;
  readonly warnings: readonly FileWarning[];
}

const GRANULARITIES = ['word', 'segment'];
const MAX_BOOST = 20;

/**
 * Reads the form's fields; list fields may be written with or without `[]`.
 * @param spoken the model's languages
 * @throws ServerError BAD_REQUEST naming the field
 */
export function parseTranscription(
  pairs: Iterable<readonly [string, string]>,
  spoken: Spoken,
): TranscriptionRequest {
  const fields = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const key = name.replace(/\[\d*\]$/, '');
    fields.set(key, [...(fields.get(key) ?? []), value.trim()]);
  }
  const last = (name: string): string | undefined => fields.get(name)?.at(-1);
  const given = fields.get('timestamp_granularities') ?? [];
  const granularities = given.length === 0 ? ['segment'] : given;
  const unknown = granularities.find((it) => !GRANULARITIES.includes(it));
  if (unknown !== undefined) {
    const shown = JSON.stringify(unknown.slice(0, 40));
    throw new ServerError('BAD_REQUEST', `timestamp_granularities: word or segment, not ${shown}`);
  }
  return {
    wanted: {
      ...wantedOf(fields.get('keywords') ?? [], silenceOf(fields)),
      ...languageOf(last('language'), spoken),
    },
    format: formatOf(last('response_format'), 'response_format'),
    words: granularities.includes('word'),
    segments: granularities.includes('segment'),
    stream: isYes(last('stream') ?? 'false'),
    warnings: languageWarnings(last('language'), spoken),
  };
}

function wantedOf(keywords: readonly string[], silenceMs: number | undefined): UploadConfig {
  const phrases = keywords.filter((it) => it !== '').map(keywordOf);
  const fields = {
    ...(phrases.length > 0 ? { hotwords: phrases } : {}),
    ...(silenceMs === undefined ? {} : { silence_duration: silenceSeconds(silenceMs) }),
  };
  return parseConfig(fields, 'BAD_REQUEST');
}

/** `10:30` is a time of day, not a phrase with a boost. */
function keywordOf(text: string): { phrase: string; boost?: number } {
  const hotword = parseHotword(text);
  return Math.abs(hotword.boost ?? 0) > MAX_BOOST ? { phrase: text } : hotword;
}

/** Milliseconds as this server's setting, clamped to its range. */
export const silenceSeconds = (ms: number): number => Math.min(10, Math.max(0.1, ms / 1000));

/** `chunking_strategy` is `auto`, an object as JSON, or an object's fields in brackets. */
function silenceOf(fields: ReadonlyMap<string, readonly string[]>): number | undefined {
  const inBrackets = fields.get('chunking_strategy[silence_duration_ms]')?.at(-1);
  if (inBrackets !== undefined) return finite(inBrackets);
  try {
    const strategy: unknown = JSON.parse(fields.get('chunking_strategy')?.at(-1) ?? 'null');
    return finite((strategy as { silence_duration_ms?: unknown } | null)?.silence_duration_ms);
  } catch {
    return undefined; // `auto`
  }
}

function finite(value: unknown): number | undefined {
  const number = typeof value === 'number' ? value : Number.parseFloat(String(value));
  return Number.isFinite(number) ? number : undefined;
}

/** The response body of a transcription that is not streamed. */
export function renderTranscriptionFile(
  { format, words, segments }: TranscriptionRequest,
  file: FileTranscript,
  language: string,
): string {
  if (format === 'verbose_json') return JSON.stringify(verboseJson(file, { language, words, segments }));
  if (format !== 'json') return renderAs(format, file, language);
  return JSON.stringify({ text: file.text, usage: durationUsage(file.audio_duration_s) });
}

/** Usage in the form of the clients' types: whole seconds of audio. */
export const durationUsage = (seconds: number) => ({
  type: 'duration' as const,
  seconds: Math.ceil(seconds),
});

/** OpenAI counts one token per 100 ms of audio. */
const AUDIO_TOKENS_PER_SECOND = 10;

/** The events of a streamed transcription. Their deltas add up exactly to the final text. */
export class TranscriptionEvents {
  private text = '';
  private last = '';
  private tokens = 0;

  /** The event for a segment; '' if it has no words. */
  segment({ words }: Segment): string {
    if (words.length === 0) return '';
    for (const word of words) this.tokens += word.tokens;
    const said = joinWords(words);
    const delta = `${this.text !== '' && spaceBetween(this.last, said) ? ' ' : ''}${said}`;
    this.text += delta;
    this.last = said;
    return eventOf({ type: 'transcript.text.delta', delta });
  }

  done(samples: number): string {
    const input = Math.ceil((samples / LIMITS.sampleRateHz) * AUDIO_TOKENS_PER_SECOND);
    const usage = {
      type: 'tokens',
      input_tokens: input,
      output_tokens: this.tokens,
      total_tokens: input + this.tokens,
    };
    return `${eventOf({ type: 'transcript.text.done', text: this.text, usage })}data: [DONE]\n\n`;
  }

  failed(code: ErrorCode, detail: string | undefined): string {
    return eventOf(openAiRefusal(code, detail).body);
  }
}

const eventOf = (message: object): string => `data: ${JSON.stringify(message)}\n\n`;

/**
 * The response to `GET /v1/models`.
 * @param createdS when the model was loaded, seconds since 1970
 */
export const modelOf = ({ name }: Manifest, createdS: number) => ({
  id: name,
  object: 'model' as const,
  created: createdS,
  owned_by: 'rnnt-server',
});

/** Errors for which these clients expect another status: bad audio is a bad request. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  UNSUPPORTED_MEDIA: 400,
  CORRUPT_AUDIO: 400,
  AUDIO_FAILED: 400,
  UPLOAD_TOO_LONG: 400,
};
const OF_THE_FILE: readonly ErrorCode[] = [
  'UNSUPPORTED_MEDIA',
  'CORRUPT_AUDIO',
  'AUDIO_FAILED',
  'UPLOAD_TOO_LONG',
  'UPLOAD_TOO_LARGE',
  'UPLOAD_MISSING',
];

/** An error in the format of all OpenAI clients. */
export function openAiError(code: ErrorCode, detail: string | undefined) {
  const { text, httpStatus } = ERRORS[code];
  const shown = detail === undefined || code === 'INTERNAL' ? text : `${text} ${detail}`;
  const named = code === 'BAD_REQUEST' ? /^([a-z_]+)[.:]/.exec(detail ?? '')?.[1] : undefined;
  const isOurs = httpStatus >= 500 && httpStatus !== 501;
  return {
    message: shown,
    type: isOurs ? 'server_error' : httpStatus === 429 ? 'rate_limit_error' : 'invalid_request_error',
    param: OF_THE_FILE.includes(code) ? 'file' : (named ?? null),
    code: code === 'UNAUTHORIZED' ? 'invalid_api_key' : code.toLowerCase(),
  };
}

/** The response to a refused request below `/v1/`. */
export function openAiRefusal(code: ErrorCode, detail: string | undefined): Refusal {
  const status = STATUS[code];
  return {
    headers: {},
    body: { error: openAiError(code, detail) },
    ...(status === undefined ? {} : { status }),
  };
}
