/** The slot of a stream: its ring, its position in it, and when its next step may run. */
import type { ErrorCode } from '../errors.js';
import { LIMITS } from '../limits.js';
import { Arrivals } from './arrivals.js';
import { BANK, FRESH, PROMPT, READ, type ResultViews, RING, type SlabLayout, VALID } from './layout.js';
import { Place } from './place.js';
import type { SampleSink } from './sink.js';

export type FaultCode = Extract<ErrorCode, 'ENGINE_FAILED' | 'AUDIO_FAILED'>;

/** Events for the owner of a slot. */
export interface SlotOwner {
  /** A step was committed: `slot.result` holds its result, for the `audioSamples` of audio by which it advanced. */
  onStep(slot: Slot, audioSamples: number): void;
  /** The flush requested with `flush()` is complete. */
  onFlushed(slot: Slot): void;
  /** The recogniser gave up this stream; `AUDIO_FAILED`: because of its audio. */
  onFault(slot: Slot, code: FaultCode): void;
}

/** Why a stream is suspected of making its steps fail. */
export interface Blame {
  /** Steps in a row that failed with this stream alone, or hung with it. */
  readonly failures: number;
  /** The position of those steps, samples. They no longer count once the stream is beyond it. */
  readonly at: number;
}

export const NO_BLAME: Blame = { failures: 0, at: 0 };

/** Order of work: flushes, then live audio, then uploads and other audio faster than real time. */
export const PRIORITIES = ['flush', 'live', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

const NO_HOTWORDS = new Int32Array(0);

/** A stream between two steps. */
export interface StreamState {
  /** Samples recognised so far. */
  readonly read: number;
  /** One bank of the model's state; empty: all zeros, the stream has not begun. */
  readonly state: Uint8Array;
  /** The edges of its hotwords. */
  readonly hotwords: Int32Array;
}

export class Slot implements SampleSink {
  readonly index: number;
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly ring: Int16Array;

  generation = 0;
  owner: SlotOwner | null = null;
  bulk = false;
  /** Set by the batcher: a lane is working on this slot. */
  inFlight = false;
  blame: Blame = NO_BLAME;
  /** When the last committed step could run: the arrival of its window's last sample, or the request for its flush. */
  arrivedMs = 0;

  /** Absolute samples written, and samples taken by committed steps, since the start of the recording. */
  written = 0;
  read = 0;
  /** End of the audio before the flush; −1: no flush. */
  private flushAt = -1;
  private flushSteps = 0;
  private flushAskedMs = 0;

  /** Where the lanes find the stream; changes only when a step on it hangs. */
  private at: Place;
  /** Hotwords for the next step, not yet in its place. */
  private nextHotwords: Int32Array | null = null;
  /** The language number for the graph from the next step on. */
  private prompt: number;
  private readonly autoPrompt: number;
  private readonly chunkSamples: number;
  private readonly windowSamples: number;
  private readonly arrivals: Arrivals;
  private readonly now: () => number;
  private readonly onReady: (slot: Slot) => void;

  constructor(
    index: number,
    slab: SharedArrayBuffer,
    layout: SlabLayout,
    onReady: (slot: Slot) => void,
    now: () => number,
  ) {
    this.index = index;
    this.buffer = slab;
    this.byteOffset = layout.ringAt + index * layout.ringSamples * 2;
    this.ring = new Int16Array(slab, this.byteOffset, layout.ringSamples);
    this.at = new Place(index, slab, layout);
    this.autoPrompt = layout.autoPrompt;
    this.prompt = layout.autoPrompt;
    this.chunkSamples = layout.chunkSamples;
    this.windowSamples = layout.windowSamples;
    this.arrivals = new Arrivals(layout.ringSamples / layout.chunkSamples, layout.chunkSamples, now);
    this.now = now;
    this.onReady = onReady;
  }

  /** Its number in a lane's batch. */
  get place(): number {
    return this.at.number;
  }

  /** The result of the last committed step. */
  get result(): ResultViews {
    return this.at.result;
  }

  private get header(): Int32Array {
    return this.at.header;
  }

  /** The stream continues from the committed state in the place of a vacant slot, which gets this slot's place. */
  exchangePlaces(vacant: Slot): void {
    const left = this.at;
    this.at = vacant.at;
    vacant.at = left;
    this.at.copy(left);
  }

  free(): number {
    return this.ring.length - Math.max(0, this.written - this.read);
  }

  commit(samples: number): void {
    this.arrivals.note(this.written, samples);
    this.written += samples;
    if (this.ready()) this.onReady(this);
  }

  /** Samples of audio that the next step may read. */
  private available(): number {
    return (this.flushAt >= 0 ? this.flushAt : this.written) - this.read;
  }

  ready(): boolean {
    return this.flushSteps > 0 || this.available() >= this.windowSamples;
  }

  get flushing(): boolean {
    return this.flushAt >= 0;
  }

  /** Whether the sender is ahead of real time. Such chunks wait because of their sender, and come after others. */
  get ahead(): boolean {
    return this.arrivals.aheadSamples(this.written) > LIMITS.aheadSamples;
  }

  get priority(): Priority {
    if (this.bulk) return 'bulk';
    if (this.flushing) return 'flush';
    return this.ahead ? 'bulk' : 'live';
  }

  /** Resets the stream: the next step begins with an all-zero state. Only while nothing is in flight. */
  restart(): void {
    this.written = 0;
    this.read = 0;
    this.flushAt = -1;
    this.flushSteps = 0;
    this.blame = NO_BLAME;
    this.header[FRESH] = 1;
    this.setHotwords(NO_HOTWORDS);
    this.prompt = this.autoPrompt;
  }

  /** Whether its next steps run without other streams, which they might take down. */
  get suspect(): boolean {
    return this.blame.failures > 0;
  }

  /** Its step failed or hung. */
  addFailure(): void {
    this.blame = { failures: this.blame.failures + 1, at: Math.max(this.blame.at, this.read) };
  }

  /** Sets the language from here on, by its number; null: the model detects it. */
  setPrompt(prompt: number | null): void {
    this.prompt = prompt ?? this.autoPrompt;
  }

  /**
   * The stream's current state: a copy of everything that the next step depends on, except the audio. May be called
   * during a step.
   */
  save(): StreamState {
    const fresh = this.header[FRESH] === 1;
    const edges = this.nextHotwords ?? this.at.hotwords;
    return {
      read: this.read,
      state: fresh ? new Uint8Array(0) : this.at.bank().slice(),
      hotwords: edges.slice(0, edges.findLastIndex((value) => value !== 0) + 1),
    };
  }

  /**
   * Continues from a saved state. Only for a slot leased just now, on an engine with the same fingerprint.
   * @param written next sample to be written, at or before `read`; samples up to `read` were already recognised
   */
  restore({ read, state, hotwords }: StreamState, written = read): void {
    this.read = read;
    this.written = written;
    this.arrivals.goOn(written);
    this.setHotwords(hotwords);
    if (state.length === 0) return;
    this.at.bank().set(state);
    this.header[FRESH] = 0;
  }

  /** Hotwords from the next step on, as compiled by `HotwordCompiler`. */
  setHotwords(edges: Int32Array): void {
    this.nextHotwords = edges;
  }

  /**
   * Runs everything written so far, then `silenceSamples` of silence, at the head of the queue. Audio written later
   * comes after the flush.
   */
  flush(silenceSamples: number): void {
    if (this.flushing) return;
    // A resumed stream may not yet have been sent again what it had recognised; none of that runs.
    this.flushAt = Math.max(this.written, this.read);
    this.flushAskedMs = this.now();
    this.flushSteps = Math.ceil((this.flushAt - this.read + silenceSamples) / this.chunkSamples);
    if (this.flushSteps === 0) this.finishFlush();
    else this.onReady(this);
  }

  /** Ends the current flush with the step that is being delivered to the owner. */
  cutFlush(): void {
    if (this.available() === 0) this.flushSteps = 0;
  }

  /** Called by the batcher before a step: sets what the lane must take. */
  prepare(): void {
    const valid = Math.min(this.windowSamples, this.available());
    this.header[READ] = this.read % this.ring.length;
    this.header[VALID] = valid;
    this.header[PROMPT] = this.prompt;
    this.header[RING] = this.index;
    // Only here: at any other time a lane may be reading them.
    if (this.nextHotwords !== null) {
      const { hotwords } = this.at;
      hotwords.fill(0);
      hotwords.set(this.nextHotwords.subarray(0, hotwords.length));
      this.nextHotwords = null;
    }
  }

  /** Called by the batcher after a step: flips the bank and notifies the owner. */
  commitStep(): void {
    const seen = this.header[VALID]!;
    const taken = Math.min(this.chunkSamples, seen);
    const { generation } = this;
    this.header[BANK] = 1 - this.header[BANK]!;
    this.header[FRESH] = 0;
    // A window that is not full runs because of a flush; until the flush was requested, it waited for the client.
    const askedMs = seen < this.windowSamples ? this.flushAskedMs : 0;
    this.arrivedMs = Math.max(this.arrivals.at(this.read + seen), askedMs);
    this.read += taken;
    if (this.read > this.blame.at) this.blame = NO_BLAME;
    // Read before the owner is notified. The owner may now request a flush, to which this step does not belong, or cut
    // this one.
    const { flushing } = this;
    if (flushing) this.flushSteps--;
    this.owner?.onStep(this, taken);
    if (flushing && this.flushSteps === 0 && generation === this.generation) this.finishFlush();
  }

  private finishFlush(): void {
    this.flushAt = -1;
    this.owner?.onFlushed(this);
  }
}
