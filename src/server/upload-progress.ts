/**
 * Progress of an upload, as server-sent events or lines of JSON, at the client's pace. While the response's buffer is
 * full, progress messages are left out (the next one includes theirs), and recognition of the file pauses.
 */
import type { Manifest } from '../models/manifest.js';
import { renderTranscription, round, toSeconds } from '../protocol/render.js';
import type { FileProgress } from '../session/file-job.js';
import type { Segment } from '../transcript/transcript.js';
import { type PacedOutput, PacedStream } from './paced-stream.js';

/** Minimum time between two progress messages. */
const PROGRESS_MS = 250;

export interface ProgressStyle {
  readonly contentType: string;
  render(type: string, data: object): string;
}

const EVENTS: ProgressStyle = {
  contentType: 'text/event-stream; charset=utf-8',
  render: (type, data) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`,
};
const LINES: ProgressStyle = {
  contentType: 'application/x-ndjson; charset=utf-8',
  render: (type, data) => `${JSON.stringify({ ...data, type })}\n`,
};

/** The style that the Accept header requests; null: a single response at the end. */
export function progressStyle(accept: string): ProgressStyle | null {
  if (accept.includes('text/event-stream')) return EVENTS;
  if (accept.includes('application/x-ndjson')) return LINES;
  return null;
}

/** How segments are rendered. */
export interface ProgressAbout {
  readonly calibration: Manifest['confidence'];
  /** Include the channel in each segment. */
  readonly separate: boolean;
}

export class ProgressStream extends PacedStream implements FileProgress {
  private readonly style: ProgressStyle;
  private readonly about: ProgressAbout;
  private readonly startedMs = performance.now();
  private lastMs = Number.NEGATIVE_INFINITY;

  /** @param onStalled the client has read nothing for LIMITS.uploadStallMs */
  constructor(output: PacedOutput, style: ProgressStyle, about: ProgressAbout, onStalled: () => void) {
    super(output, onStalled);
    this.style = style;
    this.about = about;
  }

  /** Never dropped, so it may exceed a full buffer. */
  write(type: string, data: object): void {
    this.send(this.style.render(type, data));
  }

  onSegment(segment: Segment, channel: number): void {
    const elapsedMs = performance.now() - this.startedMs;
    const message = renderTranscription(segment, elapsedMs, true, this.about.calibration);
    this.write('transcription', this.about.separate ? { ...message, channel } : message);
  }

  onProgress(samples: number, total: number | null): void {
    const nowMs = performance.now();
    if (nowMs - this.lastMs < PROGRESS_MS || !this.accepts()) return;
    this.lastMs = nowMs;
    const known =
      total === null
        ? { total_s: null, percent: null }
        : { total_s: toSeconds(total), percent: round((100 * samples) / total, 1) };
    this.write('progress', { audio_s: toSeconds(samples), ...known });
  }
}
