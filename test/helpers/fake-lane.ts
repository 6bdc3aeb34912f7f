/** A lane that runs the fake model on the main thread, when the test says so. */
import assert from 'node:assert/strict';
import type { BatchLane } from '../../src/inference/batcher.js';
import {
  BANK,
  bankAt,
  FRESH,
  HEADER_INTS,
  READ,
  RING,
  resultViews,
  VALID,
} from '../../src/inference/layout.js';
import type { LaneAnswer } from '../../src/inference/messages.js';
import type { StreamTable } from '../../src/inference/stream-table.js';
import { fakeStep } from './fake-model.js';

const ANSWER: LaneAnswer = { runMs: 1, stepMs: 1 };

interface Running {
  readonly slots: readonly number[];
  resolve(answer: LaneAnswer): void;
  reject(error: unknown): void;
}

export class FakeLane implements BatchLane {
  readonly id: number;
  readonly provider = 'cpu';
  batch: Int32Array;
  state: 'ready' | 'hung' | 'lost' | 'closed' = 'ready';
  steps = 0;
  busyMs = 0;
  restarts = 0;
  /** Abandoned steps that are still running; `wake` lets the oldest return. */
  private readonly abandoned: Running[] = [];
  /** The batches so far, as lists of slot numbers. */
  readonly batches: (readonly number[])[] = [];
  /** What `recover` does after a failure; by default the lane is usable again. */
  onRecover: () => Promise<void> = async () => {};
  /** Slots that make the step of any batch with them fail. */
  readonly poisoned = new Set<number>();
  /** A marker (`markerOf`): a step whose audio contains it never returns. */
  hangsOn: number | null = null;
  /** The longest run of failures without a success in between, during which no other stream is served. */
  mostFailuresInARow = 0;
  private failuresInARow = 0;
  /** Steps return by themselves, in the next turn of the event loop. */
  auto = false;
  /** By ring: the window of its last step on this lane. */
  private readonly seen = new Map<number, { generation: number; read: number; audio: Int16Array }>();
  private readonly table: StreamTable;
  private readonly fleet: readonly FakeLane[];
  private running: Running | null = null;

  /** `fleet`: all lanes of the table, to check that no slot is in two of them. */
  constructor(id: number, table: StreamTable, maxBatch: number, fleet: readonly FakeLane[]) {
    this.id = id;
    this.table = table;
    this.batch = new Int32Array(maxBatch);
    this.fleet = fleet;
  }

  /** The slots of the running step; empty when the lane is idle. */
  get slots(): readonly number[] {
    return this.running?.slots ?? [];
  }

  /** Whether the running step never returns. */
  get hangs(): boolean {
    return this.slots.some((slot) => this.windowOf(slot).some((sample) => sample === this.hangsOn));
  }

  step(count: number): Promise<LaneAnswer> {
    const slots = [...this.batch.subarray(0, count)];
    assert.ok(count > 0 && count <= this.batch.length, `a batch of ${count}`);
    assert.equal(new Set(slots).size, count, `a slot twice in a batch: ${slots}`);
    assert.equal(this.running, null, `lane ${this.id} was given a second step`);
    const elsewhere = new Set(this.fleet.flatMap((lane) => lane.slots));
    assert.ok(!slots.some((slot) => elsewhere.has(slot)), `a slot of ${slots} is in two lanes`);
    this.batches.push(slots);
    if (this.auto) setImmediate(() => this.finish());
    return new Promise((resolve, reject) => {
      this.running = { slots, resolve, reject };
    });
  }

  async recover(): Promise<void> {
    this.restarts++;
    try {
      await this.onRecover();
    } catch (lost) {
      this.state = 'lost';
      throw lost;
    }
  }

  get hungThreads(): number {
    return this.abandoned.length;
  }

  abandon(): void {
    assert.ok(this.running !== null, 'no step hangs');
    this.abandoned.push(this.running);
    this.running = null;
  }

  async replace(): Promise<void> {
    this.batch = new Int32Array(this.batch.length);
    await this.recover();
  }

  /** Lets an abandoned step finish. False: there is none. */
  wake(fails = false): boolean {
    const late = this.abandoned.shift();
    if (late === undefined) return false;
    for (const slot of late.slots) this.compute(slot, true);
    if (fails) late.reject(new Error('it failed at last'));
    else late.resolve(ANSWER);
    return true;
  }

  /** Computes the running step and returns its results. False: there is none. */
  finish(): boolean {
    const { running } = this;
    if (running === null) return false;
    if (this.hangs) return false;
    if (running.slots.some((slot) => this.poisoned.has(slot))) return this.fail(new Error('poisoned'), true);
    this.running = null;
    this.failuresInARow = 0;
    for (const slot of running.slots) this.compute(slot);
    this.steps++;
    running.resolve(ANSWER);
    return true;
  }

  /** Fails the running step; `half`: after it has written results and next states. */
  fail(error: unknown = new Error('the lane died'), half = false): boolean {
    const { running } = this;
    if (running === null) return false;
    this.running = null;
    this.mostFailuresInARow = Math.max(this.mostFailuresInARow, ++this.failuresInARow);
    if (half) for (const slot of running.slots) this.compute(slot);
    running.reject(error);
    return true;
  }

  /** The window of the last step on a ring on any lane, which is then dropped. */
  private lastWindow(ring: number) {
    const before = this.fleet.map((lane) => lane.seen.get(ring)).find((seen) => seen !== undefined);
    for (const lane of this.fleet) lane.seen.delete(ring);
    return before;
  }

  /** The look-ahead of a step must be the start of the next window. */
  private checkWindow(header: Int32Array, audio: Int16Array): void {
    const { ringSamples } = this.table.layout;
    const [read, ring] = [header[READ]!, header[RING]!];
    const before = this.lastWindow(ring);
    const { generation } = this.table.slots[ring]!; // a stream keeps its ring
    // A resumed stream is not fresh either, whatever the slot held before.
    if (header[FRESH] === 0 && before?.generation === generation) {
      const ahead = before.audio.subarray((read - before.read + ringSamples) % ringSamples);
      const both = Math.min(ahead.length, audio.length);
      assert.deepEqual(audio.subarray(0, both), ahead.subarray(0, both), `ring ${ring} sees other audio`);
    }
    this.seen.set(ring, { generation, read, audio });
  }

  private headerOf(slot: number): Int32Array {
    const { slab, layout } = this.table;
    return new Int32Array(slab, layout.headerAt + slot * HEADER_INTS * 4, HEADER_INTS);
  }

  /** The audio that a step reads. */
  private windowOf(slot: number): Int16Array {
    const { slab, layout } = this.table;
    const header = this.headerOf(slot);
    const ringAt = layout.ringAt + header[RING]! * layout.ringSamples * 2;
    const ring = new Int16Array(slab, ringAt, layout.ringSamples);
    return Int16Array.from({ length: header[VALID]! }, (_, i) => ring[(header[READ]! + i) % ring.length]!);
  }

  private compute(slot: number, late = false): void {
    const { slab, layout } = this.table;
    const header = this.headerOf(slot);
    const audio = this.windowOf(slot);
    if (!late) this.checkWindow(header, audio);
    const heard = audio.subarray(0, layout.chunkSamples);
    const words = layout.state[0]!.elements;
    const current = new Int32Array(slab, bankAt(layout, slot, header[BANK]!), words);
    const next = new Int32Array(slab, bankAt(layout, slot, 1 - header[BANK]!), words);
    const answer = fakeStep({
      audio: heard,
      state: header[FRESH] === 1 ? new Int32Array(words) : current.slice(),
    });
    next.set(answer.state);
    const result = resultViews(slab, layout, slot);
    result.tokens.set(answer.tokens);
    result.logp.fill(-0.1);
    result.previewLogp.fill(-0.1);
    result.times.set(answer.times.subarray(0, result.times.length));
    result.preview.fill(-1).set(answer.preview.subarray(0, result.preview.length));
    const frame = layout.chunkSamples / layout.frames;
    for (let i = 0; i < layout.frames; i++) {
      const part = audio.subarray(i * frame, (i + 1) * frame);
      const energy = part.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 0);
      result.rms[i] = Math.sqrt(energy / frame);
      result.vad[i] = result.rms[i]! >= 0.01 ? 0.9 : 0.1;
    }
  }
}
