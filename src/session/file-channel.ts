/** One channel of a file: a recording in its slot, fed as fast as there is room. */
import type { CodecPool } from '../codec/pool.js';
import { ServerError } from '../errors.js';
import type { Engine } from '../inference/engine.js';
import { compileHotwords } from '../inference/hotwords.js';
import type { FaultCode, Slot, SlotOwner } from '../inference/stream-table.js';
import type { UploadConfig } from '../protocol/parse.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { Piece } from '../transcript/pieces.js';
import type { Segment } from '../transcript/transcript.js';
import { Recording, type RecordingListener } from './recording.js';

/** 100 ms per push, as a live client would send. */
const PUSH_SAMPLES = 1_600;

/** Parts of the server or the command line that file recognition needs. */
export interface FileJobParts {
  readonly engine: Engine;
  readonly codecPool: CodecPool;
  readonly pieces: readonly Piece[];
  readonly defaults: RecordingConfig;
  /** Longer files fail with UPLOAD_TOO_LONG. */
  readonly maxSeconds: number;
}

export interface ChannelEvents {
  /** False: nothing more may be pushed until `resume`. */
  accepts(): boolean;
  /** All samples given so far are in the recording: more may come. */
  hungry(): void;
  segment(segment: Segment): void;
  /** A step was done. */
  progressed(): void;
  /** All audio is recognised. */
  stopped(): void;
  failed(error: unknown): void;
}

export class FileChannel implements SlotOwner, RecordingListener {
  readonly segments: Segment[] = [];
  readonly warning: string | null;
  private readonly slot: Slot;
  private readonly recording: Recording;
  private pending: Int16Array = new Int16Array(0);
  private pushed = 0;
  private ending = false;
  private over = false;

  /** @throws ServerError AT_CAPACITY */
  constructor(
    private readonly parts: FileJobParts,
    wanted: UploadConfig,
    private readonly events: ChannelEvents,
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
    this.warning = warning;
  }

  /** Samples recognised so far. */
  get recognisedSamples(): number {
    return this.recording.transcript.audioSamples;
  }

  get text(): string {
    return this.recording.transcript.text;
  }

  /** Whether it waits for more samples. */
  get isHungry(): boolean {
    return this.pushed === this.pending.length && !this.ending && !this.over;
  }

  /** Takes the next samples; only while it is hungry. */
  give(samples: Int16Array): void {
    this.pending = samples;
    this.pushed = 0;
    this.feed();
  }

  /** Continues after `accepts` was false. */
  resume(): void {
    this.feed();
  }

  /** Ends the input; `stopped` follows. */
  end(): void {
    this.ending = true;
    this.recording.end('stop');
  }

  close(): void {
    if (this.over) return;
    this.over = true;
    void this.recording.close().then(() => this.parts.engine.release(this.slot));
  }

  onStep(_slot: Slot, audioSamples: number): void {
    this.recording.onStep(audioSamples);
    this.events.progressed();
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
    this.events.segment(segment);
  }

  onPartial(): void {}
  onSpeech(): void {}

  onStopped(): void {
    this.events.stopped();
  }

  onFault(_slot: Slot, code: FaultCode): void {
    this.events.failed(new ServerError(code));
  }

  onIntakeFailed(error: unknown): void {
    this.events.failed(error);
  }

  private feed(): void {
    const { pending } = this;
    if (this.over || this.pushed === pending.length) return;
    while (!this.over && this.pushed < pending.length && this.recording.accepts()) {
      if (!this.events.accepts()) return;
      const piece = pending.subarray(this.pushed, this.pushed + PUSH_SAMPLES);
      this.pushed += piece.length;
      this.recording.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    }
    if (this.isHungry) this.events.hungry();
  }
}
