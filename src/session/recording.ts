/**
 * The data plane of one recording, from its first frame to its last segment:
 *
 *     push → intake → slot's ring ~~ batcher ~~▶ onStep → transcript → listener
 *
 * It also keeps flushes in order: a finalize cuts the audio exactly where it stood between two frames, and a stop
 * comes after every finalize before it.
 */
import type { CodecPool } from '../codec/pool.js';
import { ServerError } from '../errors.js';
import type { Slot } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import type { RecordingConfig } from '../protocol/types.js';
import { Transcript, type TranscriptListener } from '../transcript/transcript.js';
import type { SegmentReason } from '../transcript/tuning.js';
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

/** Stands for a finalize among the frames that wait. */
export const FINALIZE = Symbol('finalize');

export class Recording {
  readonly transcript: Transcript;
  private readonly slot: Slot;
  private readonly intake: Intake;
  private readonly listener: RecordingListener;
  private readonly silenceSamples: number;
  /** The flush under way; also while a finalize waits for the audio before it to reach the ring. */
  private flushing: SegmentReason | null = null;
  /** The finalize under way has not cut the audio yet: frames must wait behind it. */
  private cutting = false;
  /** What came after a finalize that waits for its turn, in order: frames, and further finalizes. */
  private behind: (Uint8Array | typeof FINALIZE)[] = [];
  private behindBytes = 0;
  private stop: SegmentReason | null = null;
  private closed = false;

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

  /** Phrases to listen for from the next step on. */
  setHotwords(edges: Int32Array): void {
    this.slot.setHotwords(edges);
  }

  /** Sample frames received, at the client's own rate. */
  get receivedFrames(): number {
    return this.intake.receivedFrames;
  }

  /** False when the sender should be slowed. */
  accepts(): boolean {
    return this.behind.length === 0 && this.intake.accepts();
  }

  /** @throws ServerError MESSAGE_TOO_LARGE if the sender goes on though `accepts()` is false */
  push(frame: Uint8Array): void {
    if (!this.cutting && this.behind.length === 0) {
      this.intake.push(frame);
      return;
    }
    if (this.behindBytes + frame.length > LIMITS.maxWaitingAudioBytes) {
      throw new ServerError('MESSAGE_TOO_LARGE', 'Audio came faster than it could be taken.');
    }
    this.behindBytes += frame.length;
    this.behind.push(frame.slice());
  }

  /** Closes the open segment where the audio stands now. */
  finalize(): void {
    this.behind.push(FINALIZE);
    this.advance();
  }

  /** Runs what is left; `onStopped` follows. No frame may come after it. */
  end(reason: SegmentReason): void {
    this.stop = reason;
    this.advance();
  }

  /** Resolves when nobody writes to the slot's ring any more: only then may the slot go to another. */
  close(): Promise<void> {
    this.closed = true;
    this.behind = [];
    this.behindBytes = 0;
    return this.intake.close();
  }

  /** A step was committed: its result is in the slot. */
  onStep(audioSamples: number): void {
    this.transcript.step(this.slot.result, audioSamples);
    if (this.flushing !== null && this.transcript.settled) this.slot.cutFlush();
    this.intake.resume();
  }

  onFlushed(): void {
    const reason = this.flushing;
    this.flushing = null;
    if (reason === null) return;
    this.transcript.flushed();
    this.transcript.close(reason);
    if (reason === this.stop) this.listener.onStopped();
    else this.advance();
  }

  /** Goes on with what waits, in order, as far as it can now. */
  private advance(): void {
    const waited = this.behind.length > 0;
    while (!this.cutting && !this.closed) {
      const next = this.behind[0];
      if (next === undefined) break;
      if (next === FINALIZE) {
        if (this.flushing !== null) return;
        this.behind.shift();
        this.beginFinalize();
      } else {
        this.behind.shift();
        this.behindBytes -= next.length;
        this.intake.push(next); // cannot be too much: a cut left nothing waiting, and `push` bounds what is behind
      }
    }
    if (this.behind.length > 0 || this.cutting || this.closed) return;
    if (waited) this.listener.onRoom();
    if (this.flushing === null && this.stop !== null) this.beginStop(this.stop);
  }

  private beginFinalize(): void {
    this.flushing = 'finalize';
    this.cutting = true;
    // Called at once when all audio is in the ring, else later, from within the intake.
    let later = false;
    this.intake.whenSettled(() => {
      this.cutting = false;
      this.flushSlot();
      if (later) this.advance();
    });
    later = true;
  }

  private beginStop(reason: SegmentReason): void {
    this.flushing = reason;
    this.intake.end().then(
      () => this.flushSlot(),
      (error: unknown) => this.listener.onIntakeFailed(error),
    );
  }

  private flushSlot(): void {
    if (!this.closed) this.slot.flush(this.silenceSamples);
  }
}
