/** Server messages as objects: the only place where samples become seconds and errors become words. */
import { ERRORS, type ErrorCode } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import type { Segment } from '../transcript/transcript.js';
import { joinWords, type Word, wordConfidence } from '../transcript/words.js';
import type {
  ErrorMessage,
  PartialMessage,
  TranscriptionMessage,
  WarningMessage,
  WordResult,
} from './types.js';

/** Samples as seconds, to the hundredth. */
export const toSeconds = (samples: number): number => Math.round((samples / LIMITS.sampleRateHz) * 100) / 100;

export const round = (value: number, digits: number): number => {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
};

export const timestamp = (): string => new Date().toISOString();

/** A word is told in every partial of its segment, and only the last one changes: the others are rendered once. */
const rendered = new WeakMap<Word, { tokens: number; endSamples: number; result: WordResult }>();

function renderWord(word: Word, calibration: Manifest['confidence']): WordResult {
  const { tokens, endSamples } = word;
  const known = rendered.get(word);
  if (known !== undefined && known.tokens === tokens && known.endSamples === endSamples) return known.result;
  const result = {
    word: word.text,
    start: toSeconds(word.startSamples),
    end: toSeconds(endSamples),
    confidence: round(wordConfidence(word, calibration), 3),
  };
  rendered.set(word, { tokens, endSamples, result });
  return result;
}

export const renderWords = (words: readonly Word[], calibration: Manifest['confidence']): WordResult[] =>
  words.map((word) => renderWord(word, calibration));

const meanConfidence = (words: readonly WordResult[]): number =>
  words.length === 0 ? 0 : round(words.reduce((sum, word) => sum + word.confidence, 0) / words.length, 3);

export interface PartialInput {
  segmentId: number;
  words: readonly Word[];
  stableWords: number;
  audioEndSamples: number;
  processingMs: number;
  withWords: boolean;
}

export function renderPartial(input: PartialInput, calibration: Manifest['confidence']): PartialMessage {
  const { words, stableWords } = input;
  return {
    type: 'partial',
    segment_id: input.segmentId,
    text: joinWords(words),
    is_final: false,
    ...(input.withWords ? { words: renderWords(words, calibration) } : {}),
    stable_chars: joinWords(words.slice(0, stableWords)).length,
    audio_end: toSeconds(input.audioEndSamples),
    processing_time_ms: round(input.processingMs, 1),
    timestamp: timestamp(),
  };
}

export function renderTranscription(
  segment: Segment,
  processingMs: number,
  withWords: boolean,
  calibration: Manifest['confidence'],
): TranscriptionMessage {
  const words = renderWords(segment.words, calibration);
  const start = words[0]?.start ?? 0;
  return {
    type: 'transcription',
    segment_id: segment.id,
    text: joinWords(segment.words),
    is_final: true,
    ...(withWords ? { words } : {}),
    start,
    duration: round((words.at(-1)?.end ?? start) - start, 2),
    confidence: meanConfidence(words),
    reason: segment.reason,
    processing_time_ms: round(processingMs, 1),
    timestamp: timestamp(),
  };
}

/** A whole file's transcript: what the upload answers and what the command prints. */
export function renderFile(
  result: { text: string; segments: readonly Segment[]; samples: number },
  calibration: Manifest['confidence'],
) {
  const segments = result.segments.map((segment) => renderTranscription(segment, 0, true, calibration));
  const words = segments.flatMap((segment) => segment.words ?? []);
  return {
    text: result.text,
    confidence: meanConfidence(words),
    words,
    segments: segments.map(({ segment_id, text, start, duration, confidence }) => ({
      segment_id,
      text,
      start,
      duration,
      confidence,
    })),
    audio_duration_s: toSeconds(result.samples),
  };
}

export function renderError(code: ErrorCode, detail?: string): ErrorMessage {
  const { text, retryable } = ERRORS[code];
  const extra = detail === undefined ? {} : { detail };
  return { type: 'error', error: text, code, retryable, ...extra, timestamp: timestamp() };
}

export function renderWarning(code: ErrorCode, detail?: string): WarningMessage {
  const { text, retryable } = ERRORS[code];
  const extra = detail === undefined ? {} : { detail };
  return { type: 'warning', warning: text, code, retryable, ...extra, timestamp: timestamp() };
}
