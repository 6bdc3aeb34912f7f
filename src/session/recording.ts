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
  /** Where the recording goes on that was begun elsewhere; a new one if left out. */
  readonly from?: RecordingState;
  /** Where its audio comes again from, if not from `audioFrom` of its own state: all channels have the same. */
  readonly at?: Position;
  /** Characters of the whole transcript that are kept; all if left out. */
  readonly keptChars?: number;
}

export interface RecordingListener extends TranscriptListener {
  /** Everything up to the stop is recognised and told. */
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
 * From here on, at the latest, audio has to come again for a stream that stands at `read`: where a resampler that begins
 * anew has heard enough to go on with the very same samples.
 */
export function audioFrom(read: number, rateHz: number): Position {
  const settled = Math.max(0, read - settlingSamples(rateHz));
  return exactPosition(Math.floor((settled * rateHz) / LIMITS.sampleRateHz), rateHz);
}

/** Silence run through the model to bring out what it has heard, and what is to be told then. */
interface Flush {
  readonly reason: SegmentReason;
  readonly isStop: boolean;
  /** The audio before it is in the ring, and what is pushed from now on comes behind it. */
  onCut(): void;
}

export class Recording {
  readonly transcript: Transcript;
  private readonly parts: RecordingParts;
  private readonly listener: RecordingListener;
  private readonly silenceSamples: number;
  private intake: Intake;
  /** Where the audio begins, at the client's rate, if the recording was begun elsewhere: some that is known comes again. */
  private framesBefore = 0;
  /** Intakes of a format that the audio turned out not to have. */
  private readonly retired: Promise<void>[] = [];
  /** The flush under way; also while it waits for the audio before it to reach the ring. */
  private flushing: Flush | null = null;
  /** Flushes that wait for it: at most a finalize and a stop. */
  private readonly waiting: Flush[] = [];
  /** Who waits for the recogniser to have caught up. */
  private catchingUp: (() => void)[] = [];
  private closed = false;

  constructor(parts: RecordingParts, listener: RecordingListener) {
    const { slot, manifest, config, keptChars } = parts;
    this.parts = parts;
    this.listener = listener;
    this.silenceSamples = Math.ceil(((manifest.flushMs + manifest.lookaheadMs) * LIMITS.sampleRateHz) / 1000);
    slot.restart();
    this.setLanguage(config.language);
    this.transcript = new Transcript(manifest, parts.pieces, config, listener, keptChars);
    const { from, at } = parts;
    if (from !== undefined) this.goOn(from, at ?? audioFrom(from.stream.read, samplesOf(config).sample_rate));
    this.intake = this.open(config);
  }

  private goOn({ stream, transcript }: RecordingState, at: Position): void {
    this.parts.slot.restore(stream, at.samples);
    this.framesBefore = at.frames;
    this.transcript.restore(transcript);
  }

  /** All that goes on from here, the audio aside that was not recognised; null during a flush. */
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

  /** Another format, before anything was pushed. @throws ServerError AT_CAPACITY, UNSUPPORTED_SAMPLE_RATE */
  reformat(format: AudioFormat): void {
    if (this.intake.receivedFrames > 0) throw new Error('The format is fixed by the first frame.');
    const intake = this.open(format);
    this.retired.push(this.intake.close());
    this.intake = intake;
  }

  /** Phrases to listen for from the next step on. */
  setHotwords(edges: Int32Array): void {
    this.parts.slot.setHotwords(edges);
  }

  /** The language that is spoken from the next step on, for a model that is told it; one that it does not know is as none. */
  setLanguage(language: string): void {
    const { slot, manifest } = this.parts;
    slot.setPrompt(promptOf(manifest, language) ?? null);
  }

  /** Sample frames received, at the client's own rate. */
  get receivedFrames(): number {
    return this.framesBefore + this.intake.receivedFrames;
  }

  /** The connection broke: the client sends again what was begun and not completed. */
  discardPartial(): void {
    this.intake.discardPartial();
  }

  /** False when the sender should be slowed. */
  accepts(): boolean {
    return this.intake.accepts();
  }

  /** Something was said that no segment has told yet, as far as the model has heard. */
  get pending(): boolean {
    return this.flushing === null && this.transcript.pending;
  }

  /** @throws ServerError MESSAGE_TOO_LARGE if the sender goes on though `accepts()` is false */
  push(frame: Uint8Array): void {
    this.intake.push(frame);
  }

  /** Closes the open segment where the audio stands now. Nothing may be pushed before `onCut`, which may come at once. */
  finalize(reason: SegmentReason, onCut: () => void): void {
    this.request({ reason, isStop: false, onCut });
  }

  /** Runs what is left; `onStopped` follows. No frame may come after it. */
  end(reason: SegmentReason): void {
    this.request({ reason, isStop: true, onCut: () => {} });
  }

  /**
   * Calls back, at once if it can, when everything pushed so far that makes a step is recognised and told: what is done then
   * has its exact place in the audio, however fast it came. Nothing may be pushed before.
   */
  whenCaughtUp(done: () => void): void {
    this.intake.whenSettled(() => {
      this.catchingUp.push(done);
      this.caughtUp();
    });
  }

  /** To be asked when a step was told: has the recogniser caught up? */
  caughtUp(): void {
    const { slot } = this.parts;
    const busy = this.flushing !== null || this.waiting.length > 0 || slot.inFlight || slot.ready();
    if (busy || this.closed) return;
    for (const done of this.catchingUp.splice(0)) done();
  }

  /** Resolves when nobody writes to the slot's ring any more: only then may the slot go to another. */
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
