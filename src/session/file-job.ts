/**
 * Recognises a whole file as ordinary streams of the lowest priority, which use what live streams leave free. For
 * uploads and the command line. A file is decoded while it is recognised, so any length takes only a few seconds of
 * memory:
 *
 *   codec thread ── piece ──▶ job ── samples of channel 0 ──▶ recording on its slot
 *                                └── samples of channel 1 ──▶ recording on its slot
 */
import type { FilePiece } from '../audio/file.js';
import type { AudioFormat } from '../audio/format.js';
import { readHeader } from '../audio/header.js';
import type { FilePieces } from '../codec/file-stream.js';
import type { UploadConfig } from '../protocol/parse.js';
import type { Segment } from '../transcript/transcript.js';
import { FileChannel, type FileJobParts } from './file-channel.js';

export interface FileProgress {
  /** `channel` is 0 if the file's channels are mixed. */
  onSegment(segment: Segment, channel: number): void;
  /** Samples at 16 kHz recognised so far, and the total: an estimate until the file is read, null if unknown. */
  onProgress(samples: number, total: number | null): void;
  /** False: the listener cannot keep up. No more of the file is read until `whenAccepting` calls back. */
  accepts(): boolean;
  /** Calls back, once, when `accepts()` is true again. */
  whenAccepting(resume: () => void): void;
}

/** For callers that need only the result. */
export const NO_PROGRESS: FileProgress = {
  onSegment: () => {},
  onProgress: () => {},
  accepts: () => true,
  whenAccepting: () => {},
};

export interface FileResult {
  /** One, or one per channel of the file. */
  readonly channels: readonly { readonly segments: readonly Segment[]; readonly text: string }[];
  /** Length of each, samples at 16 kHz. */
  readonly samples: number;
  /** Requests that were ignored. */
  readonly warnings: readonly string[];
}

export type { FileJobParts };

/** A file and its settings, where they differ from the defaults. */
export interface FileSource {
  /** Transferred if they fill their ArrayBuffer; not to be used afterwards. */
  readonly bytes: Uint8Array;
  readonly wanted?: UploadConfig;
  /** The bytes are raw samples in this format, unless they begin with a known file header. */
  readonly format?: AudioFormat | undefined;
  /** One transcript per channel. Otherwise the channels are mixed. */
  readonly separate?: boolean;
}

/**
 * Decodes and recognises a whole file.
 * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG, TOO_MANY_UPLOADS, AT_CAPACITY,
 *   ENGINE_FAILED, AUDIO_FAILED; `signal` aborted: its reason
 */
export async function recogniseFile(
  parts: FileJobParts,
  source: FileSource,
  progress: FileProgress = NO_PROGRESS,
  signal: AbortSignal = new AbortController().signal,
): Promise<FileResult> {
  signal.throwIfAborted();
  const { bytes, separate } = source;
  const format = isContained(bytes) ? undefined : source.format;
  const stream = parts.codecPool.openFile({ bytes, format, separate, maxSeconds: parts.maxSeconds });
  return new Promise((resolve, reject) => {
    new FileJob(parts, stream, source.wanted ?? {}, progress, signal, resolve, reject).start();
  });
}

/** Whether the bytes begin with a known file header, whatever the sender declared. */
function isContained(bytes: Uint8Array): boolean {
  if (bytes.length === 0) return false;
  const { kind } = readHeader(bytes);
  return kind !== 'samples' && kind !== 'unclear';
}

class FileJob {
  private channels: readonly FileChannel[] = [];
  private stopped = 0;
  /** Samples decoded so far, and the share of the file that they took. */
  private decoded = 0;
  private fraction = 0;
  private reading = false;
  private over = false;
  /** Paused until the listener keeps up again. */
  private held = false;
  private readonly onAbort = () => this.fail(this.signal.reason);

  constructor(
    private readonly parts: FileJobParts,
    private readonly stream: FilePieces,
    private readonly wanted: UploadConfig,
    private readonly progress: FileProgress,
    private readonly signal: AbortSignal,
    private readonly resolve: (result: FileResult) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  start(): void {
    this.signal.addEventListener('abort', this.onAbort, { once: true });
    this.read();
  }

  /** Reads the next piece, once every channel has pushed the whole previous piece. */
  private read(): void {
    if (this.reading || this.over || !this.channels.every((channel) => channel.isHungry)) return;
    this.reading = true;
    this.stream.next().then(
      (piece) => this.take(piece),
      (error: unknown) => this.fail(error),
    );
  }

  private take(piece: FilePiece | null): void {
    if (this.over) return;
    try {
      if (this.channels.length === 0) this.open(piece?.channels.length ?? 1);
    } catch (error) {
      this.fail(error); // no free slot
      return;
    }
    if (piece === null) {
      this.fraction = 1;
      for (const channel of this.channels) channel.end();
      return;
    }
    this.decoded += piece.channels[0]?.length ?? 0;
    this.fraction = piece.fraction;
    for (const [index, channel] of this.channels.entries()) {
      channel.give(piece.channels[index] ?? new Int16Array(0));
    }
    this.reading = false;
    this.read();
  }

  /** @throws ServerError AT_CAPACITY; `fail` then returns the slots already leased */
  private open(count: number): void {
    const channels: FileChannel[] = [];
    this.channels = channels;
    for (let index = 0; index < count; index += 1) {
      channels.push(
        new FileChannel(this.parts, this.wanted, {
          accepts: () => !this.holdsBack(),
          hungry: () => this.read(),
          segment: (segment) => this.progress.onSegment(segment, index),
          progressed: () => this.tell(),
          stopped: () => this.onStopped(),
          failed: (error) => this.fail(error),
        }),
      );
    }
  }

  /** Recognition pauses while the listener does not keep up, so results do not pile up. */
  private holdsBack(): boolean {
    if (!this.held && !this.progress.accepts()) {
      this.held = true;
      this.progress.whenAccepting(() => {
        this.held = false;
        for (const channel of this.channels) channel.resume();
      });
    }
    return this.held;
  }

  private tell(): void {
    const samples = Math.min(...this.channels.map((channel) => channel.recognisedSamples));
    const total = this.fraction > 0 ? Math.max(samples, Math.round(this.decoded / this.fraction)) : null;
    this.progress.onProgress(samples, total);
  }

  private onStopped(): void {
    this.stopped += 1;
    if (this.over || this.stopped < this.channels.length) return;
    const { channels, decoded: samples } = this;
    const warning = channels[0]?.warning ?? null;
    this.finish();
    this.resolve({
      channels: channels.map(({ segments, text }) => ({ segments, text })),
      samples,
      warnings: warning === null ? [] : [warning],
    });
  }

  private fail(error: unknown): void {
    if (this.over) return;
    this.finish();
    this.reject(error);
  }

  private finish(): void {
    this.over = true;
    this.signal.removeEventListener('abort', this.onAbort);
    this.stream.close();
    for (const channel of this.channels) channel.close();
  }
}
