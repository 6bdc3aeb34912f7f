/**
 * Uploads run as ordinary streams of the lowest priority: they fill what the live streams leave free, and a bounded
 * number of them runs at once.
 */
import type { CodecPool } from '../codec/pool.js';
import type { Config } from '../config.js';
import { ServerError } from '../errors.js';
import type { Engine } from '../inference/engine.js';
import { compileHotwords } from '../inference/hotwords.js';
import type { Slot, SlotOwner } from '../inference/stream-table.js';
import type { UploadConfig } from '../protocol/parse.js';
import type { RecordingConfig } from '../protocol/types.js';
import { Recording, type RecordingListener } from '../session/recording.js';
import type { Segment } from '../transcript/transcript.js';
import type { Piece } from '../transcript/words.js';

export interface UploadProgress {
  onSegment(segment: Segment): void;
  /** Samples at 16 kHz recognised so far, of all. */
  onProgress(samples: number, total: number): void;
}

/** For callers who only want the result. */
export const NO_PROGRESS: UploadProgress = { onSegment: () => {}, onProgress: () => {} };

export interface UploadResult {
  readonly segments: readonly Segment[];
  readonly text: string;
  readonly samples: number;
  /** What was asked for and left out. */
  readonly warnings: readonly string[];
}

/** 100 ms a push: what a live client would send. */
const PUSH_SAMPLES = 1_600;

export interface UploadQueueParts {
  readonly engine: Engine;
  readonly codecPool: CodecPool;
  readonly pieces: readonly Piece[];
  readonly defaults: RecordingConfig;
  readonly config: Pick<Config, 'maxUploads' | 'maxUploadSeconds'>;
}

export class UploadQueue {
  private active = 0;
  private tellIdle: (() => void) | null = null;
  private readonly parts: UploadQueueParts;

  constructor(parts: UploadQueueParts) {
    this.parts = parts;
  }

  counts(): { active: number; waiting: number } {
    return { active: this.active, waiting: 0 };
  }

  /** Takes a place before the body is read; call the result exactly once. @throws ServerError TOO_MANY_UPLOADS */
  enter(): () => void {
    if (this.active >= this.parts.config.maxUploads) throw new ServerError('TOO_MANY_UPLOADS');
    this.active++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      if (--this.active === 0) this.tellIdle?.();
    };
  }

  /** Calls back when the last upload has left, at once if there is none. */
  whenIdle(done: () => void): void {
    this.tellIdle = done;
    if (this.active === 0) done();
  }

  /**
   * Decodes and recognises a whole file.
   * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG, AT_CAPACITY, ENGINE_FAILED; `signal` aborted: its reason
   */
  async transcribe(
    bytes: Uint8Array,
    progress: UploadProgress,
    signal: AbortSignal,
    wanted: UploadConfig = {},
  ): Promise<UploadResult> {
    const { codecPool, config } = this.parts;
    const samples = await codecPool.decodeFile(bytes, { maxSeconds: config.maxUploadSeconds });
    signal.throwIfAborted();
    return new Promise(
      (resolve, reject) => new UploadJob(this.parts, samples, wanted, progress, signal, resolve, reject),
    );
  }
}

/** One upload on its slot: pushes audio as fast as there is room. */
class UploadJob implements SlotOwner, RecordingListener {
  private readonly slot: Slot;
  private readonly recording: Recording;
  private readonly segments: Segment[] = [];
  private readonly warnings: string[] = [];
  private pushed = 0;
  private over = false;
  private readonly onAbort = () => this.fail(this.signal.reason);

  constructor(
    private readonly parts: UploadQueueParts,
    private readonly samples: Int16Array,
    wanted: UploadConfig,
    private readonly progress: UploadProgress,
    private readonly signal: AbortSignal,
    private readonly resolve: (result: UploadResult) => void,
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
      const piece = this.samples.subarray(this.pushed, this.pushed + PUSH_SAMPLES);
      this.pushed += piece.length;
      this.recording.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    }
    if (this.pushed === this.samples.length) {
      this.pushed++;
      this.recording.end('stop');
    }
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
