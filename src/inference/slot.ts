/** One place for a stream: its ring, where it stands in it, and when its next step may run. */
import { LIMITS } from '../limits.js';
import { Arrivals } from './arrivals.js';
import { BANK, FRESH, PROMPT, READ, type ResultViews, RING, type SlabLayout, VALID } from './layout.js';
import { Place } from './place.js';
import type { SampleSink } from './sink.js';

/** What the tenant of a slot is told. */
export interface SlotOwner {
  /** One step is committed: `slot.result` holds its answer, for the `audioSamples` of audio by which it advanced. */
  onStep(slot: Slot, audioSamples: number): void;
  /** The flush asked for with `flush()` is complete. */
  onFlushed(slot: Slot): void;
  /** The recogniser gave this stream up. */
  onFault(slot: Slot): void;
}

/** How urgent a slot's work is: flushes before live audio before uploads and other audio that comes faster than
 * anybody speaks. */
export const PRIORITIES = ['flush', 'live', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

const NO_HOTWORDS = new Int32Array(0);

/** A stream between two steps. */
export interface StreamState {
  /** Samples recognised. */
  readonly read: number;
  /** The model's state, one bank; empty: all zeros, the stream has not begun. */
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
  failures = 0;
  /** When the step that was committed last could run: its window's last sample had arrived, or its flush was asked for. */
  arrivedMs = 0;

  /** Absolute samples written, and taken by committed steps, since the start of the recording. */
  written = 0;
  read = 0;
  /** Where the audio before the flush ends; −1: no flush under way. */
  private flushAt = -1;
  private flushSteps = 0;
  private flushAskedMs = 0;

  /** Where the lanes find the stream; changes only when a step on it hangs. */
  private at: Place;
  /** The hotwords that the next step shall find in its place. */
  private nextHotwords: Int32Array | null = null;
  /** What the graph is told of the language from the next step on. */
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

  /** What the step that was committed last has found. */
  get result(): ResultViews {
    return this.at.result;
  }

  private get header(): Int32Array {
    return this.at.header;
  }

  /** The stream goes on from the committed state in the place of a slot without a tenant, which gets this one's. */
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

  /** Samples of audio that the next step may see. */
  private available(): number {
    return (this.flushAt >= 0 ? this.flushAt : this.written) - this.read;
  }

  ready(): boolean {
    return this.flushSteps > 0 || this.available() >= this.windowSamples;
  }

  get flushing(): boolean {
    return this.flushAt >= 0;
  }

  /** The sender is faster than a voice: its chunks wait by its own doing, and behind the others'. */
  get ahead(): boolean {
    return this.arrivals.aheadSamples(this.written) > LIMITS.aheadSamples;
  }

  get priority(): Priority {
    if (this.bulk) return 'bulk';
    if (this.flushing) return 'flush';
    return this.ahead ? 'bulk' : 'live';
  }

  /** Zeroes the stream: the next step begins with an all-zero state. Only while nothing is in flight. */
  restart(): void {
    this.written = 0;
    this.read = 0;
    this.flushAt = -1;
    this.flushSteps = 0;
    this.failures = 0;
    this.header[FRESH] = 1;
    this.setHotwords(NO_HOTWORDS);
    this.prompt = this.autoPrompt;
  }

  /** The language of what follows, by its number; null: the model finds out itself. */
  setPrompt(prompt: number | null): void {
    this.prompt = prompt ?? this.autoPrompt;
  }

  /** Where the stream stands: a copy of all that the next step depends on, the audio aside. Whether or not a step runs. */
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
   * Goes on from there. Only a slot that was leased just now, on an engine with the same model and arithmetic.
   * @param written the sample that is written next, at or before `read`: what comes up to there was recognised before
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

  /** Phrases for the steps from the next one on, as `HotwordCompiler` makes them. */
  setHotwords(edges: Int32Array): void {
    this.nextHotwords = edges;
  }

  /**
   * Runs everything written so far, then `silenceSamples` of silence, at the head of the queue.
   * What is written meanwhile comes after it.
   */
  flush(silenceSamples: number): void {
    if (this.flushing) return;
    // A stream that goes on from elsewhere may not have been told again what it knows: none of that runs.
    this.flushAt = Math.max(this.written, this.read);
    this.flushAskedMs = this.now();
    this.flushSteps = Math.ceil((this.flushAt - this.read + silenceSamples) / this.chunkSamples);
    if (this.flushSteps === 0) this.finishFlush();
    else this.onReady(this);
  }

  /** Ends the flush under way with the step that the tenant is told of now. */
  cutFlush(): void {
    if (this.available() === 0) this.flushSteps = 0;
  }

  /** Called by the batcher before a step: tells the lane what to take. */
  prepare(): void {
    const valid = Math.min(this.windowSamples, this.available());
    this.header[READ] = this.read % this.ring.length;
    this.header[VALID] = valid;
    this.header[PROMPT] = this.prompt;
    this.header[RING] = this.index;
    // Only here: a lane may be reading them at any other time.
    if (this.nextHotwords !== null) {
      const { hotwords } = this.at;
      hotwords.fill(0);
      hotwords.set(this.nextHotwords.subarray(0, hotwords.length));
      this.nextHotwords = null;
    }
  }

  /** Called by the batcher after a step: flips the bank and tells the tenant. */
  commitStep(): void {
    const seen = this.header[VALID]!;
    const taken = Math.min(this.chunkSamples, seen);
    const { generation } = this;
    this.header[BANK] = 1 - this.header[BANK]!;
    this.header[FRESH] = 0;
    // A window that is not full runs because of the flush: until that was asked for it waited for the client.
    const askedMs = seen < this.windowSamples ? this.flushAskedMs : 0;
    this.arrivedMs = Math.max(this.arrivals.at(this.read + seen), askedMs);
    this.read += taken;
    this.failures = 0;
    // Looked at before the tenant is told: it may ask for a flush now, to which this step does not belong, or cut this one.
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
