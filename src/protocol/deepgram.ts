/** Names, ids and shapes of Deepgram's `/v1/listen` responses, live and for files. */
import { createHash, randomUUID } from 'node:crypto';
import { ERRORS, type ErrorCode } from '../errors.js';
import type { Manifest } from '../models/manifest.js';
import { joinWords, type Word } from '../transcript/words.js';
import type { Refusal } from './dialect.js';
import type { FileTranscript } from './file-result.js';
import { meanConfidence, renderError, wordResult } from './render.js';
import type { WordResult } from './types.js';

export interface DeepgramModel {
  /** The same for every response of this model and version. */
  readonly uuid: string;
  readonly info: { readonly name: string; readonly version: string; readonly arch: string };
}

/** An id derived from a name: hex of its hash in the form of a UUID. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}

export function deepgramModel({ name, version }: Manifest): DeepgramModel {
  return { uuid: uuidOf(`${name}@${version}`), info: { name, version, arch: 'transducer' } };
}

/** Times in seconds. Clients show `punctuated_word` with `smart_format`. */
const deepgramWord = (result: WordResult) => ({ ...result, punctuated_word: result.word });

export function deepgramAlternative(words: readonly Word[], calibration: Manifest['confidence']) {
  const results = words.map((word) => wordResult(word, calibration));
  return {
    transcript: joinWords(words),
    confidence: meanConfidence(results),
    words: results.map(deepgramWord),
  };
}

export interface DeepgramAudio {
  readonly requestId: string;
  /** SHA-256 of the bytes received, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly created: Date;
  /** Seconds. */
  readonly duration: number;
  readonly channels: number;
}

export function deepgramMetadata(audio: DeepgramAudio, { uuid, info }: DeepgramModel) {
  const { requestId, sha256, created, duration, channels } = audio;
  return {
    transaction_key: 'deprecated',
    request_id: requestId,
    sha256,
    created: created.toISOString(),
    duration,
    channels,
    models: [uuid],
    model_info: { [uuid]: info },
  };
}

/** The response to a file: one entry per separate channel. */
export function deepgramFile(
  file: FileTranscript,
  audio: Pick<DeepgramAudio, 'sha256' | 'created'>,
  model: DeepgramModel,
) {
  const channels = file.channels ?? [file];
  return {
    metadata: deepgramMetadata(
      { ...audio, requestId: randomUUID(), duration: file.audio_duration_s, channels: channels.length },
      model,
    ),
    results: {
      channels: channels.map(({ text, confidence, words }) => ({
        alternatives: [{ transcript: text, confidence, words: words.map(deepgramWord) }],
      })),
    },
    ...(file.warnings.length > 0 ? { warnings: file.warnings } : {}),
  };
}

const ERR_CODES: Partial<Record<ErrorCode, string>> = {
  UNAUTHORIZED: 'INVALID_AUTH',
  BAD_REQUEST: 'Bad Request',
};

/** Refuses a request. The reason is also in headers, since WebSocket clients do not show the body. */
export function deepgramRefusal(code: ErrorCode, detail: string | undefined): Refusal {
  const { error, detail: why } = renderError(code, detail);
  const text = why === undefined ? error : `${error} ${why}`;
  const requestId = randomUUID();
  return {
    headers: { 'dg-error': text.replace(/[^\x20-\x7e]/g, '?'), 'dg-request-id': requestId },
    body: { err_code: ERR_CODES[code] ?? code, err_msg: text, request_id: requestId },
  };
}

const UNREADABLE: readonly ErrorCode[] = ['INVALID_JSON', 'UNKNOWN_MESSAGE', 'INVALID_MESSAGE'];

export function deepgramError(code: ErrorCode, detail: string | undefined) {
  const description = detail === undefined ? ERRORS[code].text : `${ERRORS[code].text} ${detail}`;
  const shown = code === 'INTERNAL' ? ERRORS[code].text : description;
  return {
    type: 'Error',
    variant: UNREADABLE.includes(code) ? 'SchemaError' : code,
    description: shown,
    message: shown,
  };
}
