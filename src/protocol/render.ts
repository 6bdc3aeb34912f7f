/** Server messages as objects. Only here do samples become seconds and errors become texts. */
import { ERRORS, type ErrorCode } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import type { Segment } from '../transcript/transcript.js';
import { joinWords, type Word, wordConfidence } from '../transcript/words.js';
import type { MetricsEvent, PartialEvent, StoppedEvent } from './events.js';
import type {
  ErrorMessage,
  MetricsMessage,
  RecordingStoppedMessage,
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

interface Rendered {
  readonly tokens: number;
  readonly endSamples: number;
  readonly result: WordResult;
  readonly json: string;
}

/** A word is in every partial of its segment, but only the last word changes. The others are rendered once. */
const rendered = new WeakMap<Word, Rendered>();

function renderWord(word: Word, calibration: Manifest['confidence']): Rendered {
  const { tokens, endSamples } = word;
  const known = rendered.get(word);
  if (known !== undefined && known.tokens === tokens && known.endSamples === endSamples) return known;
  const result = {
    word: word.text,
    start: toSeconds(word.startSamples),
    end: toSeconds(endSamples),
    confidence: round(wordConfidence(word, calibration), 3),
  };
  const made = { tokens, endSamples, result, json: JSON.stringify(result) };
  rendered.set(word, made);
  return made;
}

/** Times in seconds and confidence 0–1, rounded as in every protocol here. */
export const wordResult = (word: Word, calibration: Manifest['confidence']): WordResult =>
  renderWord(word, calibration).result;

/** 0 for no words. */
export const meanConfidence = (words: readonly WordResult[]): number =>
  words.length === 0 ? 0 : round(words.reduce((sum, word) => sum + word.confidence, 0) / words.length, 3);

export type PartialInput = Omit<PartialEvent, 'type' | 'channel'>;

/**
 * A `PartialMessage` as JSON. It is assembled by hand for speed: most messages are partials, and most words of a
 * partial were in the one before it.
 */
export function writePartial(input: PartialInput, calibration: Manifest['confidence']): string {
  const { words, stableWords } = input;
  let list = '';
  if (input.withWords) {
    for (const word of words) list += `${list === '' ? '' : ','}${renderWord(word, calibration).json}`;
    list = `"words":[${list}],`;
  }
  return (
    `{"type":"partial","segment_id":${input.segmentId},"text":${JSON.stringify(joinWords(words))},` +
    `"is_final":false,${list}"stable_chars":${charsOf(words, stableWords)},` +
    `"audio_end":${toSeconds(input.audioEndSamples)},"processing_time_ms":${round(input.processingMs, 1)},` +
    `"timestamp":"${timestamp()}"}`
  );
}

/** Characters of the first words with the spaces between them: the length of their `joinWords`. */
function charsOf(words: readonly Word[], count: number): number {
  let chars = 0;
  for (let i = 0; i < count; i++) {
    const word = words[i];
    if (word !== undefined) chars += word.text.length + (i > 0 && !word.joined ? 1 : 0);
  }
  return chars;
}

export function renderTranscription(
  segment: Segment,
  processingMs: number,
  withWords: boolean,
  calibration: Manifest['confidence'],
): TranscriptionMessage {
  const words = segment.words.map((word) => renderWord(word, calibration).result);
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

export function renderStopped({ text, truncated, samples, segments }: StoppedEvent): RecordingStoppedMessage {
  return {
    type: 'recording_stopped',
    final_transcript: text,
    ...(truncated ? { final_transcript_truncated: true } : {}),
    total_duration: toSeconds(samples),
    total_segments: segments,
    timestamp: timestamp(),
  };
}

export function renderMetrics(event: MetricsEvent): MetricsMessage {
  return {
    type: 'metrics',
    level_dbfs: event.levelDbfs,
    lag: toSeconds(event.lagSamples),
    step_ms_p50: event.stepMsP50,
    step_ms_p95: event.stepMsP95,
    dropped_partials: event.droppedPartials,
    audio_received: toSeconds(event.receivedSamples),
    timestamp: timestamp(),
  };
}

/** Internal errors are described only in the log, since their text may contain paths. */
export function renderError(code: ErrorCode, detail?: string): ErrorMessage {
  const { text, retryable } = ERRORS[code];
  const extra = detail === undefined || code === 'INTERNAL' ? {} : { detail };
  return { type: 'error', error: text, code, retryable, ...extra, timestamp: timestamp() };
}

export function renderWarning(code: ErrorCode, detail?: string): WarningMessage {
  const { text, retryable } = ERRORS[code];
  const extra = detail === undefined ? {} : { detail };
  return { type: 'warning', warning: text, code, retryable, ...extra, timestamp: timestamp() };
}
