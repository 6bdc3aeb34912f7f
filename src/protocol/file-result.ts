/** A whole file's transcript: the response to an upload, the output of the command, the input of every other format. */
import type { Manifest } from '../models/manifest.js';
import type { Segment } from '../transcript/transcript.js';
import { renderTranscription, round, toSeconds } from './render.js';
import type { WordResult } from './types.js';

/** A word of a file; with `channel` if channels are separate. */
export interface FileWord extends WordResult {
  readonly channel?: number;
}

export interface FileSegment {
  readonly segment_id: number;
  readonly text: string;
  /** Seconds. */
  readonly start: number;
  readonly duration: number;
  readonly confidence: number;
  readonly channel?: number;
}

export interface FileChannelTranscript {
  readonly channel: number;
  readonly text: string;
  readonly confidence: number;
  readonly words: readonly WordResult[];
  readonly segments: readonly FileSegment[];
}

export interface FileWarning {
  readonly code: 'NOT_SUPPORTED' | 'UNKNOWN_PARAMETER';
  readonly detail: string;
}

export interface FileTranscript {
  readonly text: string;
  readonly confidence: number;
  readonly words: readonly FileWord[];
  readonly segments: readonly FileSegment[];
  /** One transcript per channel, if requested; the fields above then hold all channels merged by time. */
  readonly channels?: readonly FileChannelTranscript[];
  readonly audio_duration_s: number;
  readonly warnings: readonly FileWarning[];
}

/** The result of recognising a file. */
export interface RecognisedFile {
  readonly channels: readonly { readonly segments: readonly Segment[]; readonly text: string }[];
  /** At 16 kHz. */
  readonly samples: number;
  readonly warnings: readonly string[];
}

const meanConfidence = (words: readonly WordResult[]): number =>
  words.length === 0 ? 0 : round(words.reduce((sum, word) => sum + word.confidence, 0) / words.length, 3);

/**
 * @param separate include each channel's own transcript, and name the channel of every word and segment
 * @param warnings about the request; they precede those of the recognition
 */
export function renderFile(
  result: RecognisedFile,
  calibration: Manifest['confidence'],
  separate = false,
  warnings: readonly FileWarning[] = [],
): FileTranscript {
  const channels = result.channels.map((channel, index) => renderChannel(channel, index, calibration));
  const told = result.warnings.map((detail) => ({ code: 'NOT_SUPPORTED' as const, detail }));
  const end = { audio_duration_s: toSeconds(result.samples), warnings: [...warnings, ...told] };
  const [only] = channels;
  if (only !== undefined && !separate) {
    const { text, confidence, words, segments } = only;
    return { text, confidence, words, segments, ...end };
  }
  const words = byTime(channels.flatMap((it) => it.words.map((word) => ({ ...word, channel: it.channel }))));
  const segments = byTime(
    channels.flatMap((it) => it.segments.map((seg) => ({ ...seg, channel: it.channel }))),
  );
  return {
    text: segments.map(({ text }) => text).join(' '),
    confidence: meanConfidence(words),
    words,
    segments: segments.map((segment, index) => ({ ...segment, segment_id: index + 1 })),
    channels,
    ...end,
  };
}

/** Sorted by start; the lower channel first when two start together. */
const byTime = <T extends { readonly start: number }>(items: readonly T[]): T[] =>
  items.toSorted((a, b) => a.start - b.start);

function renderChannel(
  channel: RecognisedFile['channels'][number],
  index: number,
  calibration: Manifest['confidence'],
): FileChannelTranscript {
  const rendered = channel.segments.map((segment) => renderTranscription(segment, 0, true, calibration));
  const words = rendered.flatMap((segment) => segment.words ?? []);
  const segments = rendered.map(({ segment_id, text, start, duration, confidence }) => ({
    segment_id,
    text,
    start,
    duration,
    confidence,
  }));
  return { channel: index, text: channel.text, confidence: meanConfidence(words), words, segments };
}
