/**
 * The data plane of one recording, from its first frame to its last segment:
 *
 *     push → intake → slot's ring ~~ batcher ~~▶ onStep → transcript → listener
 *
 * It also keeps flushes in order: a finalize cuts the audio exactly where it stood between two frames, and a stop
 * comes after every finalize before it.
 */
import type { CodecPool } from '../audio/codec-pool.js';
import type { Slot } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import type { RecordingConfig, SegmentReason } from '../protocol/types.js';
import { Transcript, type TranscriptListener } from '../transcript/transcript.js';
import type { Piece } from '../transcript/words.js';
import { createIntake, type Intake } from './intake.js';

export interface RecordingParts {
  readonly slot: Slot;
  readonly manifest: Manifest;
  readonly pieces: readonly Piece[];
  readonly codecPool: CodecPool;
  readonly config: RecordingConfig;
}

export interface RecordingListener extends TranscriptListener {
  /** Everything up to the stop is recognised and told. */
  onStopped(): void;
  /** There is room for more audio again. */
  onRoom(): void;
  onIntakeFailed(error: unknown): void;
}

export class Recording {
  readonly transcript: Transcript;
  private readonly slot: Slot;
  private readonly intake: Intake;
  private readonly listener: RecordingListener;
  private readonly silenceSamples: number;
  /** The flush under way, and what waits for its turn. */
  private flushing: SegmentReason | null = null;
  private finalizesDue = 0;
  private stop: SegmentReason | null = null;
  private closed = false;
  /** Frames that came after a finalize which has not cut the audio yet. */
  private held: Uint8Array[] = [];

  constructor(parts: RecordingParts, listener: RecordingListener) {
    const { slot, manifest, config } = parts;
    this.slot = slot;
    this.listener = listener;
    this.silenceSamples = Math.ceil(((manifest.flushMs + manifest.lookaheadMs) * LIMITS.sampleRateHz) / 1000);
    slot.restart();
    this.transcript = new Transcript(manifest, parts.pieces, config, listener);
    const { sample_rate, encoding, channels } = config;
    this.intake = createIntake({ sample_rate, encoding, channels }, slot, parts.codecPool, {
      drained: () => listener.onRoom(),
      failed: (error) => listener.onIntakeFailed(error),
    });
  }

  /** Sample frames received, at the client's own rate. */
  get receivedFrames(): number {
    return this.intake.receivedFrames;
  }

  /** False when the sender should be slowed. */
  accepts(): boolean {
    return this.held.length === 0 && this.intake.accepts();
  }

  push(frame: Uint8Array): void {
    if (this.finalizesDue > 0) this.held.push(frame.slice());
    else this.intake.push(frame);
  }

  /** Closes the open segment where the audio stands now. */
  finalize(): void {
    this.finalizesDue++;
    this.nextFlush();
  }

  /** Runs what is left; `onStopped` follows. No frame may come after it. */
  end(reason: SegmentReason): void {
    this.stop = reason;
    this.nextFlush();
  }

  /** Resolves when nobody writes to the slot's ring any more: only then may the slot go to another. */
  close(): Promise<void> {
    this.closed = true;
    this.held = [];
    return this.intake.close();
  }

  /** A step was committed: its result is in the slot. */
  onStep(audioSamples: number): void {
    this.transcript.step(this.slot.result, audioSamples);
    this.intake.resume();
  }

  onFlushed(): void {
    const reason = this.flushing;
    this.flushing = null;
    if (reason === null) return;
    this.transcript.flushed();
    this.transcript.close(reason);
    if (reason === 'finalize') this.nextFlush();
    else this.listener.onStopped();
  }

  private nextFlush(): void {
    if (this.flushing !== null || this.closed) return;
    if (this.finalizesDue > 0) {
      this.flushing = 'finalize';
      this.intake.whenSettled(() => this.cut());
    } else if (this.stop !== null) {
      this.flushing = this.stop;
      this.intake.end().then(
        () => this.flushSlot(),
        (error: unknown) => this.listener.onIntakeFailed(error),
      );
    }
  }

  /** The audio before the finalize is in the ring: flush there, then let the frames behind it in. */
  private cut(): void {
    this.finalizesDue--;
    this.flushSlot();
    if (this.finalizesDue > 0) return;
    const frames = this.held;
    this.held = [];
    for (const frame of frames) this.intake.push(frame);
    if (frames.length > 0) this.listener.onRoom();
  }

  private flushSlot(): void {
    if (!this.closed) this.slot.flush(this.silenceSamples);
  }
}
