/**
 * A whole file as an ordinary stream of the lowest priority: it fills what the live streams leave free. Uploads and
 * the command line run it.
 */
import type { CodecPool } from '../codec/pool.js';
import { ServerError } from '../errors.js';
import type { Engine } from '../inference/engine.js';
import { compileHotwords } from '../inference/hotwords.js';
import type { Slot, SlotOwner } from '../inference/stream-table.js';
import type { UploadConfig } from '../protocol/parse.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { Piece } from '../transcript/pieces.js';
import type { Segment } from '../transcript/transcript.js';
import { Recording, type RecordingListener } from './recording.js';

export interface FileProgress {
  onSegment(segment: Segment): void;
  /** Samples at 16 kHz recognised so far, of all. */
  onProgress(samples: number, total: number): void;
  /** False: whoever is told does not keep up. No more of the file is taken until `whenAccepting` calls back. */
  accepts(): boolean;
  /** Calls back, once, when `accepts()` is true again. */
  whenAccepting(resume: () => void): void;
}

/** For callers who only want the result. */
const NO_PROGRESS: FileProgress = {
  onSegment: () => {},
  onProgress: () => {},
  accepts: () => true,
  whenAccepting: () => {},
};

export interface FileResult {
  readonly segments: readonly Segment[];
  readonly text: string;
  readonly samples: number;
  /** What was asked for and left out. */
  readonly warnings: readonly string[];
}

/** 100 ms a push: what a live client would send. */
const PUSH_SAMPLES = 1_600;

/** What a file's recognition needs of the server or of the command line. */
export interface FileJobParts {
  readonly engine: Engine;
  readonly codecPool: CodecPool;
  readonly pieces: readonly Piece[];
  readonly defaults: RecordingConfig;
  /** UPLOAD_TOO_LONG beyond it. */
  readonly maxSeconds: number;
}

/** A file, and what its recognition is to go by in place of the defaults. */
export interface FileSource {
  readonly bytes: Uint8Array;
  readonly wanted?: UploadConfig;
}

/**
 * Decodes and recognises a whole file.
 * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG, AT_CAPACITY, ENGINE_FAILED; `signal` aborted: its reason
 */
export async function recogniseFile(
  parts: FileJobParts,
  { bytes, wanted = {} }: FileSource,
  progress: FileProgress = NO_PROGRESS,
  signal: AbortSignal = new AbortController().signal,
): Promise<FileResult> {
  const samples = await parts.codecPool.decodeFile(bytes, { maxSeconds: parts.maxSeconds });
  signal.throwIfAborted();
  return new Promise(
    (resolve, reject) => new FileJob(parts, samples, wanted, progress, signal, resolve, reject),
  );
}

/** One file on its slot: pushes audio as fast as there is room. */
class FileJob implements SlotOwner, RecordingListener {
  private readonly slot: Slot;
  private readonly recording: Recording;
  private readonly segments: Segment[] = [];
  private readonly warnings: string[] = [];
  private pushed = 0;
  private over = false;
  /** Nothing is fed until the listener keeps up again. */
  private held = false;
  private readonly onAbort = () => this.fail(this.signal.reason);

  constructor(
    private readonly parts: FileJobParts,
    private readonly samples: Int16Array,
    wanted: UploadConfig,
    private readonly progress: FileProgress,
    private readonly signal: AbortSignal,
    private readonly resolve: (result: FileResult) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    const { engine, pieces, codecPool, defaults } = parts;
    const slot = engine.lease(this, true);
    if (slot === null) throw new ServerError('AT_CAPACITY');
    this.slot = slot;
    const config: RecordingConfig = {
      ...defaults,
      ...wanted,
      sample_rate: 16_000,
      encoding: 'pcm16',
      channels: 1,
      partials: false,
    };
    this.recording = new Recording(
      { slot, manifest: engine.model.manifest, pieces, codecPool, config },
      this,
    );
    const { edges, warning } = compileHotwords(engine.hotwords, config.hotwords);
    if (edges !== null) this.recording.setHotwords(edges);
    if (warning !== null) this.warnings.push(warning);
    signal.addEventListener('abort', this.onAbort, { once: true });
    this.feed();
  }

  private feed(): void {
    while (!this.over && this.pushed < this.samples.length && this.recording.accepts()) {
      if (this.holdsBack()) return;
      const piece = this.samples.subarray(this.pushed, this.pushed + PUSH_SAMPLES);
      this.pushed += piece.length;
      this.recording.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    }
    if (this.pushed === this.samples.length) {
      this.pushed++;
      this.recording.end('stop');
    }
  }

  /** What is recognised of a file is told at the pace of whoever is told: it does not pile up here. */
  private holdsBack(): boolean {
    if (!this.held && !this.progress.accepts()) {
      this.held = true;
      this.progress.whenAccepting(() => {
        this.held = false;
        this.feed();
      });
    }
    return this.held;
  }

  onStep(_slot: Slot, audioSamples: number): void {
    this.recording.onStep(audioSamples);
    this.progress.onProgress(this.recording.transcript.audioSamples, this.samples.length);
    this.feed();
  }

  onFlushed(): void {
    this.recording.onFlushed();
  }

  onRoom(): void {
    this.feed();
  }

  onSegment(segment: Segment): void {
    this.segments.push(segment);
    this.progress.onSegment(segment);
  }

  onPartial(): void {}
  onSpeech(): void {}

  onStopped(): void {
    const { segments, samples, warnings } = this;
    this.finish();
    this.resolve({ segments, text: this.recording.transcript.text, samples: samples.length, warnings });
  }

  onFault(): void {
    this.fail(new ServerError('ENGINE_FAILED'));
  }

  onIntakeFailed(error: unknown): void {
    this.fail(error);
  }

  private fail(error: unknown): void {
    if (this.over) return;
    this.finish();
    this.reject(error);
  }

  private finish(): void {
    this.over = true;
    this.signal.removeEventListener('abort', this.onAbort);
    void this.recording.close().then(() => this.parts.engine.release(this.slot));
  }
}
