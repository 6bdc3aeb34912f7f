/**
 * The data plane of one recording on one slot, from its first frame to its last segment:
 *
 *     push → intake → slot's ring ~~ batcher ~~▶ onStep → transcript → listener
 *
 * A finalize cuts the audio exactly where it stands: nothing may be pushed until its cut is in the ring (`onCut`), which
 * the inbox sees to. A stop comes after the finalize before it.
 */

import { type AudioFormat, type LiveFormat, samplesOf } from '../audio/format.js';
import { settlingSamples } from '../audio/resampler.js';
import type { CodecPool } from '../codec/pool.js';
import { ServerError } from '../errors.js';
import type { Slot, StreamState } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import { promptOf } from '../models/languages.js';
import type { Manifest } from '../models/manifest.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { Piece } from '../transcript/pieces.js';
import { Transcript, type TranscriptListener, type TranscriptState } from '../transcript/transcript.js';
import type { SegmentReason } from '../transcript/tuning.js';
import { createIntake, type Intake } from './intake.js';
import { exactPosition, type Position } from './position.js';

export interface RecordingParts {
  readonly slot: Slot;
  readonly manifest: Manifest;
  readonly pieces: readonly Piece[];
  readonly codecPool: CodecPool;
  readonly config: RecordingConfig;
  /** The state from which a recording of another server continues; default: a new recording. */
  readonly from?: RecordingState;
  /** Position from which its audio is sent again, if not `audioFrom` of its own state: the same for all channels. */
  readonly at?: Position;
  /** Characters of the transcript to keep; default: all. */
  readonly keptChars?: number;
}

export interface RecordingListener extends TranscriptListener {
  /** Everything up to the stop is recognised and reported. */
  onStopped(): void;
  /** There is room for more audio again. */
  onRoom(): void;
  onIntakeFailed(error: unknown): void;
}

/** A recording between two steps, outside a flush. */
export interface RecordingState {
  readonly stream: StreamState;
  readonly transcript: TranscriptState;
}

/**
 * The latest position from which audio must be sent again for a stream at `read`: by then a newly started resampler
 * gives exactly the same samples.
 */
export function audioFrom(read: number, rateHz: number): Position {
  const settled = Math.max(0, read - settlingSamples(rateHz));
  return exactPosition(Math.floor((settled * rateHz) / LIMITS.sampleRateHz), rateHz);
}

/** Silence that is run through the model to bring out its last words, and the action that follows. */
interface Flush {
  readonly reason: SegmentReason;
  readonly isStop: boolean;
  /** The audio before it is in the ring; audio pushed from now on comes after it. */
  onCut(): void;
}

export class Recording {
  readonly transcript: Transcript;
  /** Without the state from which it continues, which would stay in memory as long as the recording. */
  private readonly parts: Omit<RecordingParts, 'from' | 'at'>;
  private readonly listener: RecordingListener;
  private readonly silenceSamples: number;
  private intake: Intake;
  /**
   * For a recording from another server: start of its audio here, at the client's rate. Some of it was already
   * processed.
   */
  private framesBefore = 0;
  /** Intakes for an announced format that the audio did not have. */
  private readonly retired: Promise<void>[] = [];
  /** The current flush, including while it waits for earlier audio to reach the ring. */
  private flushing: Flush | null = null;
  /** Flushes that wait for it: at most a finalize and a stop. */
  private readonly waiting: Flush[] = [];
  /** Callbacks waiting for the recogniser to catch up. */
  private catchingUp: (() => void)[] = [];
  private closed = false;

  constructor({ from, at, ...parts }: RecordingParts, listener: RecordingListener) {
    const { slot, manifest, config, keptChars } = parts;
    this.parts = parts;
    this.listener = listener;
    this.silenceSamples = Math.ceil(((manifest.flushMs + manifest.lookaheadMs) * LIMITS.sampleRateHz) / 1000);
    slot.restart();
    this.setLanguage(config.language);
    this.transcript = new Transcript(manifest, parts.pieces, config, listener, keptChars);
    if (from !== undefined) this.goOn(from, at ?? audioFrom(from.stream.read, samplesOf(config).sample_rate));
    this.intake = this.open(config);
  }

  private goOn({ stream, transcript }: RecordingState, at: Position): void {
    this.parts.slot.restore(stream, at.samples);
    this.framesBefore = at.frames;
    this.transcript.restore(transcript);
  }

  /** The state from which the recording can continue, without unrecognised audio; null during a flush. */
  save(): RecordingState | null {
    if (this.flushing !== null || this.waiting.length > 0) return null;
    return { stream: this.parts.slot.save(), transcript: this.transcript.save() };
  }

  private open(format: LiveFormat): Intake {
    const { sample_rate, encoding, channels } = samplesOf(format);
    const { slot, codecPool } = this.parts;
    return createIntake({ sample_rate, encoding, channels }, slot, codecPool, {
      drained: () => this.listener.onRoom(),
      failed: (error) => this.listener.onIntakeFailed(error),
    });
  }

  /**
   * Changes the format, before anything was pushed.
   * @throws ServerError AT_CAPACITY, UNSUPPORTED_SAMPLE_RATE
   */
  reformat(format: AudioFormat): void {
    if (this.intake.receivedFrames > 0) throw new Error('The format is fixed by the first frame.');
    const intake = this.open(format);
    this.retired.push(this.intake.close());
    this.intake = intake;
  }

  /** Hotwords from the next step on. */
  setHotwords(edges: Int32Array): void {
    this.parts.slot.setHotwords(edges);
  }

  /** Language from the next step on, for a model that can be told one; an unknown language counts as none. */
  setLanguage(language: string): void {
    const { slot, manifest } = this.parts;
    slot.setPrompt(promptOf(manifest, language) ?? null);
  }

  /** Sample-frames received, at the client's own rate. */
  get receivedFrames(): number {
    return this.framesBefore + this.intake.receivedFrames;
  }

  /** The connection was lost: the client sends an incomplete sample-frame again. */
  discardPartial(): void {
    this.intake.discardPartial();
  }

  /** False: the sender should be slowed down. */
  accepts(): boolean {
    return this.intake.accepts();
  }

  /** Something was said that is not in a segment yet, as far as the model has heard. */
  get pending(): boolean {
    return this.flushing === null && this.transcript.pending;
  }

  /** @throws ServerError MESSAGE_TOO_LARGE if the sender keeps pushing while `accepts()` is false */
  push(frame: Uint8Array): void {
    this.intake.push(frame);
  }

  /**
   * Closes the open segment at this point of the audio. Nothing may be pushed before `onCut`, which may come at once.
   */
  finalize(reason: SegmentReason, onCut: () => void): void {
    this.request({ reason, isStop: false, onCut });
  }

  /** Runs the remaining audio; `onStopped` follows. No frame may come after it. */
  end(reason: SegmentReason): void {
    this.request({ reason, isStop: true, onCut: () => {} });
  }

  /**
   * Calls back when everything pushed that fills a step is recognised and reported; at once if it already is. The
   * callback thus has its exact place in the audio, however fast the audio came. Nothing may be pushed until then.
   */
  whenCaughtUp(done: () => void): void {
    this.intake.whenSettled(() => {
      this.catchingUp.push(done);
      this.caughtUp();
    });
  }

  /** To be called after each step: checks whether the recogniser has caught up. */
  caughtUp(): void {
    const { slot } = this.parts;
    const busy = this.flushing !== null || this.waiting.length > 0 || slot.inFlight || slot.ready();
    if (busy || this.closed) return;
    for (const done of this.catchingUp.splice(0)) done();
  }

  /** Resolves when nothing writes to the slot's ring any more; only then may the slot be reused. */
  async close(): Promise<void> {
    this.closed = true;
    this.waiting.length = 0;
    this.catchingUp = [];
    await Promise.all([...this.retired, this.intake.close()]);
  }

  /** A step was committed: its result is in the slot. */
  onStep(audioSamples: number): void {
    const { slot } = this.parts;
    this.transcript.step(slot.result, audioSamples);
    if (this.flushing !== null && this.transcript.settled) slot.cutFlush();
    this.intake.resume();
  }

  onFlushed(): void {
    const { flushing } = this;
    this.flushing = null;
    if (flushing === null) return;
    this.transcript.flushed();
    this.transcript.close(flushing.reason, flushing.isStop);
    if (flushing.isStop) this.listener.onStopped();
    else this.next();
  }

  private request(flush: Flush): void {
    if (this.waiting.length > 1) throw new ServerError('INTERNAL', 'too many flushes at once');
    this.waiting.push(flush);
    this.next();
  }

  private next(): void {
    if (this.flushing !== null || this.closed) return;
    const flush = this.waiting.shift();
    if (flush === undefined) return;
    this.flushing = flush;
    if (flush.isStop) {
      this.intake.end().then(
        () => this.cut(flush),
        (error: unknown) => this.listener.onIntakeFailed(error),
      );
    } else this.intake.whenSettled(() => this.cut(flush));
  }

  private cut(flush: Flush): void {
    if (this.closed) return;
    this.parts.slot.flush(this.silenceSamples);
    flush.onCut();
  }
}
