/**
 * Continuous micro-batching. A free lane takes whatever is ready, most urgent first. While the lanes are busy ready
 * streams gather, so batches grow exactly as the load grows. Only with a large model, and enough streams, do free lanes
 * wait a little for a batch that is worth its step (wait.ts).
 */
import type { LaneAnswer } from './messages.js';
import { SlotQueues } from './slot-queue.js';
import type { Slot, StreamTable } from './stream-table.js';
import { Trials } from './trials.js';
import { BatchWait, type Delay, NO_WAIT, type WaitPolicy } from './wait.js';

/** A lane as the batcher sees it; tests put a scripted one in its place. */
export interface BatchLane {
  readonly id: number;
  /** Slot numbers of the batch, written by the batcher before `step`. */
  readonly batch: Int32Array;
  step(count: number): Promise<LaneAnswer>;
  /** Makes the lane usable again after a failed step; rejects when it is lost for good. */
  recover(error: unknown): Promise<void>;
}

export interface BatchObserver {
  /** A step of `count` streams came back; `waitMs` is how long its oldest chunk had waited for a lane. */
  onBatch(lane: BatchLane, count: number, answer: LaneAnswer, waitMs: number): void;
  onLaneFailed(lane: BatchLane, error: unknown): void;
  /** `lane` is gone for good; `lanesLeft` are still there. */
  onLaneLost(lane: BatchLane, error: unknown, lanesLeft: number): void;
  /** The tenant of a slot threw when it was told its result; it alone is given up. */
  onStreamFailed(slot: Slot, error: unknown): void;
}

export interface BatcherOptions {
  readonly maxBatch: number;
  /** Uploads in a batch beside live streams, so that they never make a live step much longer. */
  readonly maxBulkBesideLive: number;
  /** Ready streams from which a batch is shared out among the idle lanes rather than given to one. */
  readonly splitFrom: number;
  /** How often a stream's step may fail while it is alone in its batch before the stream is given up. */
  readonly maxFailures: number;
  readonly now?: () => number;
  readonly defer?: (pump: () => void) => void;
  /** Whether ready streams wait for others; without it they never do. */
  readonly wait?: WaitPolicy;
  readonly delay?: Delay;
}

export const BATCHER_DEFAULTS = { maxBulkBesideLive: 4, splitFrom: 8, maxFailures: 3 } as const;

const FLUSH = 0;
const LIVE = 1;
const BULK = 2;
const QUEUE = { flush: FLUSH, live: LIVE, bulk: BULK } as const;

export class Batcher {
  private readonly table: StreamTable;
  private readonly options: Required<BatcherOptions>;
  private readonly observer: BatchObserver;
  private readonly queues: SlotQueues;
  private readonly wait: BatchWait;
  /** Slots whose last step failed; they stand in no queue. */
  private readonly trials = new Trials();
  /** Whether the next batch may be a trial although others wait: every second one may. */
  private trialIsDue = true;
  private readonly idle: BatchLane[] = [];
  /** The slots of the batch that is being told; read to its end before another lane can return. */
  private readonly returned: Int32Array;
  /** By slot: since when it waits for a lane. */
  private readonly queuedMs: Float64Array;
  private lanes = 0;
  /** Every lane is lost: streams are given up as soon as they have something to run. */
  private dead = false;
  private pumpDue = false;
  private readonly pump = (): void => {
    this.pumpDue = false;
    this.dispatch();
  };

  constructor(table: StreamTable, observer: BatchObserver, options: BatcherOptions) {
    this.table = table;
    this.observer = observer;
    this.options = {
      now: () => performance.now(),
      defer: (pump) => void setImmediate(pump),
      wait: NO_WAIT,
      delay: (look, ms) => void setTimeout(look, ms).unref(),
      ...options,
    };
    this.wait = new BatchWait(this.options.wait, this.options.delay, () => this.dispatch());
    this.queues = new SlotQueues(table.slots.length, 3);
    this.returned = new Int32Array(options.maxBatch);
    this.queuedMs = new Float64Array(table.slots.length);
  }

  addLane(lane: BatchLane): void {
    this.lanes++;
    this.idle.push(lane);
    this.schedule();
  }

  /** Streams waiting for a lane. */
  get waiting(): number {
    return this.queued + this.trials.waiting;
  }

  private get queued(): number {
    return this.queues.size(FLUSH) + this.queues.size(LIVE) + this.queues.size(BULK);
  }

  get busyLanes(): number {
    return this.lanes - this.idle.length;
  }

  /** A slot has a whole chunk, or a flush to run. Called by the slot itself. */
  readonly onReady = (slot: Slot): void => {
    if (slot.inFlight || this.trials.has(slot.index)) return; // looked at again when its step returns
    if (this.dead) {
      slot.owner?.onFault(slot);
      return;
    }
    const queue = QUEUE[slot.priority];
    const stands = this.queues.queueOf(slot.index);
    if (stands === queue) return;
    if (stands < 0) this.queuedMs[slot.index] = this.options.now();
    this.queues.push(queue, slot.index);
    this.schedule();
  };

  /** A tenant leaves: its slot waits for nothing any more. Before the slot goes back to the table. */
  forget(slot: Slot): void {
    this.queues.remove(slot.index);
    this.trials.drop(slot.index);
  }

  /** At the end of the event loop's turn, so that every socket that was readable now shares the batch. */
  private schedule(): void {
    if (this.pumpDue || this.idle.length === 0) return;
    this.pumpDue = true;
    this.options.defer(this.pump);
  }

  private dispatch(): void {
    while (this.idle.length > 0 && this.waiting > 0) {
      if (this.holdsBack()) return;
      const lane = this.idle.pop()!;
      const suspects = this.nextTrial();
      const count = suspects === null ? this.fill(lane) : this.admit(lane, suspects);
      if (count > 0) void this.run(lane, count);
      else this.idle.push(lane); // nobody had anything to run any more; they have left the queues with that
    }
  }

  /** Trials and others take turns, so that neither holds the other up and a lane does not fail all the time. */
  private nextTrial(): readonly number[] | null {
    const isDue = this.trialIsDue || this.queued === 0;
    const suspects = isDue ? this.trials.take() : null;
    this.trialIsDue = suspects === null;
    return suspects;
  }

  /** Makes these slots the lane's batch, those apart that have nothing to run any more; returns its size. */
  private admit(lane: BatchLane, slots: readonly number[]): number {
    let count = 0;
    for (const index of slots) if (this.join(lane, count, index)) count++;
    return count;
  }

  /** Puts a slot into a place of the lane's batch, if it has something to run. */
  private join(lane: BatchLane, place: number, index: number): boolean {
    const slot = this.table.slots[index]!;
    if (slot.owner === null || !slot.ready()) return false;
    slot.inFlight = true;
    slot.prepare();
    lane.batch[place] = index;
    return true;
  }

  /** Live streams wait for others to share their batch. Nothing waits beside a flush or a trial. */
  private holdsBack(): boolean {
    const live = this.queues.size(LIVE);
    if (live === 0 || this.queues.size(FLUSH) > 0 || this.trials.waiting > 0) return false;
    const waitedMs = this.options.now() - this.queuedMs[this.queues.first(LIVE)]!;
    return this.wait.holds(live, this.table.leased, waitedMs);
  }

  /** Fills the lane's batch, most urgent first; returns its size. */
  private fill(lane: BatchLane): number {
    const urgent = this.queues.size(FLUSH) + this.queues.size(LIVE);
    const idleLanes = this.idle.length + 1;
    const share = urgent < this.options.splitFrom ? urgent : Math.ceil(urgent / idleLanes);
    const most = Math.min(this.options.maxBatch, Math.max(share, 1));
    let count = this.take(lane, FLUSH, 0, most);
    count = this.take(lane, LIVE, count, most);
    const bulkRoom = urgent === 0 ? this.options.maxBatch : this.options.maxBulkBesideLive;
    return this.take(lane, BULK, count, Math.min(this.options.maxBatch, count + bulkRoom));
  }

  private take(lane: BatchLane, queue: number, from: number, most: number): number {
    let count = from;
    while (count < most) {
      const index = this.queues.shift(queue);
      if (index < 0) break;
      if (this.join(lane, count, index)) count++;
    }
    return count;
  }

  private async run(lane: BatchLane, count: number): Promise<void> {
    const waitMs = this.options.now() - this.queuedMs[lane.batch[0]!]!;
    let answer: LaneAnswer;
    try {
      answer = await lane.step(count);
    } catch (error) {
      this.observer.onLaneFailed(lane, error);
      this.putBack(lane, count);
      await this.recover(lane, error);
      return;
    }
    // The lane goes on with what gathered meanwhile before this batch's results are told. Its slots still count as
    // in flight, so none of them can be taken again before its result was read.
    const slots = this.returned;
    for (let i = 0; i < count; i++) slots[i] = lane.batch[i]!;
    this.idle.push(lane);
    this.dispatch();
    this.observer.onBatch(lane, count, answer, waitMs);
    for (let i = 0; i < count; i++) this.settle(this.table.slots[slots[i]!]!);
  }

  private settle(slot: Slot): void {
    slot.inFlight = false;
    if (slot.owner === null) {
      this.table.reclaim(slot);
      return;
    }
    try {
      slot.commitStep();
    } catch (error) {
      this.observer.onStreamFailed(slot, error);
      slot.owner?.onFault(slot);
      return;
    }
    if (slot.owner !== null && slot.ready()) this.onReady(slot);
  }

  /**
   * After a failed step nothing was committed: the same chunks run again, in halves. Only a stream that fails alone is
   * blamed; it may be the lane's fault all the same, so it has more than one try.
   */
  private putBack(lane: BatchLane, count: number): void {
    const failed: number[] = [];
    for (let i = 0; i < count; i++) {
      const slot = this.table.slots[lane.batch[i]!]!;
      slot.inFlight = false;
      if (slot.owner === null) this.table.reclaim(slot);
      else if (count === 1 && ++slot.failures >= this.options.maxFailures) slot.owner.onFault(slot);
      else failed.push(slot.index);
    }
    this.trials.add(failed);
    this.schedule();
  }

  private async recover(lane: BatchLane, error: unknown): Promise<void> {
    try {
      await lane.recover(error);
      this.idle.push(lane);
      this.dispatch();
    } catch (lost) {
      this.lanes--;
      this.observer.onLaneLost(lane, lost, this.lanes);
      if (this.lanes === 0) this.failAll();
    }
  }

  /** Gives every waiting stream up: no lane is left. */
  private failAll(): void {
    this.dead = true;
    for (let group = this.trials.take(); group !== null; group = this.trials.take()) {
      for (const index of group) {
        const slot = this.table.slots[index]!;
        slot.owner?.onFault(slot);
      }
    }
    for (const queue of [FLUSH, LIVE, BULK]) {
      for (let index = this.queues.shift(queue); index >= 0; index = this.queues.shift(queue)) {
        const slot = this.table.slots[index]!;
        slot.owner?.onFault(slot);
      }
    }
  }
}
