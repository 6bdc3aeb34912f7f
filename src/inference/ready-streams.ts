/** The streams that have something to run. Selects the next batch from them, most urgent first. */
import { SlotQueues } from './slot-queue.js';
import type { Slot, StreamTable } from './stream-table.js';
import { Trials } from './trials.js';
import type { BatchWait } from './wait.js';

const FLUSH = 0;
const LIVE = 1;
const BULK = 2;
const QUEUE = { flush: FLUSH, live: LIVE, bulk: BULK } as const;

/** Live streams that join a flush although they still wait for others. */
const WAITING_BESIDE_FLUSH = 2;

export interface BatchRules {
  readonly maxBatch: number;
  /** Most uploads in a batch with live streams, so that they never make a live step much longer. */
  readonly maxBulkBesideLive: number;
  /** Number of ready streams from which they are divided among the idle lanes instead of going to one. */
  readonly splitFrom: number;
  readonly now: () => number;
}

export class ReadyStreams {
  private readonly table: StreamTable;
  private readonly rules: BatchRules;
  private readonly wait: BatchWait;
  private readonly queues: SlotQueues;
  /** Slots whose last step failed; they are in no queue. */
  private readonly trials = new Trials();
  /** Whether the next batch may be a trial although others wait; true for every second one. */
  private trialIsDue = true;
  /** By slot: the time since when it waits for a lane. */
  private readonly queuedMs: Float64Array;

  constructor(table: StreamTable, rules: BatchRules, wait: BatchWait) {
    this.table = table;
    this.rules = rules;
    this.wait = wait;
    this.queues = new SlotQueues(table.slots.length, 3);
    this.queuedMs = new Float64Array(table.slots.length);
  }

  get waiting(): number {
    return this.queued + this.trials.waiting;
  }

  private get queued(): number {
    return this.queues.size(FLUSH) + this.queues.size(LIVE) + this.queues.size(BULK);
  }

  /** Since when a stream waits, or waited, for a lane. */
  sinceMs(slot: Slot): number {
    return this.queuedMs[slot.index]!;
  }

  /**
   * The stream has something to run.
   * @returns false if that was known
   */
  add(slot: Slot): boolean {
    if (this.trials.has(slot.index)) return false;
    if (slot.suspect) {
      this.queuedMs[slot.index] = this.rules.now();
      this.trials.addAlone(slot.index);
      return true;
    }
    const queue = QUEUE[slot.priority];
    const stands = this.queues.queueOf(slot.index);
    if (stands === queue) return false;
    if (stands < 0) this.queuedMs[slot.index] = this.rules.now();
    this.queues.push(queue, slot.index);
    return true;
  }

  /** Streams that failed together run again in halves, and suspects alone. */
  tryAgain(failed: readonly number[]): void {
    const isSuspect = (index: number) => this.table.slots[index]?.suspect === true;
    this.trials.add(failed.filter((index) => !isSuspect(index)));
    for (const index of failed.filter(isSuspect)) this.trials.addAlone(index);
  }

  remove(slot: Slot): void {
    this.queues.remove(slot.index);
    this.trials.drop(slot.index);
  }

  clear(): void {
    while (this.trials.take() !== null);
    for (const queue of [FLUSH, LIVE, BULK]) while (this.queues.shift(queue) >= 0);
  }

  /**
   * Whether everything that is ready waits for others to share its batch. A flush, a trial or an upload never waits: a
   * lane with other work saves nothing by standing idle.
   */
  holdsBack(): boolean {
    const hasOther = this.queues.size(FLUSH) + this.queues.size(BULK) + this.trials.waiting > 0;
    return !hasOther && this.liveWaits();
  }

  private liveWaits(): boolean {
    const live = this.queues.size(LIVE);
    if (live === 0) return false;
    const waitedMs = this.rules.now() - this.queuedMs[this.queues.first(LIVE)]!;
    return this.wait.holds(live, this.table.leased, waitedMs);
  }

  /** Writes the next batch for one of `idleLanes` lanes; returns its size. */
  fill(batch: Int32Array, idleLanes: number): number {
    const suspects = this.nextTrial();
    if (suspects !== null) return this.admit(batch, suspects);
    const { maxBatch, splitFrom, maxBulkBesideLive } = this.rules;
    const urgent = this.queues.size(FLUSH) + this.queues.size(LIVE);
    const share = urgent < splitFrom ? urgent : Math.ceil(urgent / idleLanes);
    const most = Math.min(maxBatch, Math.max(share, 1));
    let count = this.take(batch, FLUSH, 0, most);
    // Those that still wait would make the step of the flush longer; a few hardly do, and so cost little themselves.
    const along = count > 0 && this.liveWaits() ? count + WAITING_BESIDE_FLUSH : most;
    count = this.take(batch, LIVE, count, Math.min(most, along));
    const bulkRoom = urgent === 0 ? maxBatch : maxBulkBesideLive;
    return this.take(batch, BULK, count, Math.min(maxBatch, count + bulkRoom));
  }

  /** Trials and other batches alternate, so that neither delays the other and a lane does not fail continuously. */
  private nextTrial(): readonly number[] | null {
    const isDue = this.trialIsDue || this.queued === 0;
    const suspects = isDue ? this.trials.take() : null;
    this.trialIsDue = suspects === null;
    return suspects;
  }

  /** Makes a batch of these slots, without those that have nothing left to run; returns its size. */
  private admit(batch: Int32Array, slots: readonly number[]): number {
    let count = 0;
    for (const index of slots) if (this.join(batch, count, index)) count++;
    return count;
  }

  private take(batch: Int32Array, queue: number, from: number, most: number): number {
    let count = from;
    while (count < most) {
      const index = this.queues.shift(queue);
      if (index < 0) break;
      if (this.join(batch, count, index)) count++;
    }
    return count;
  }

  /** Puts a slot into a row of the batch if it has something to run. */
  private join(batch: Int32Array, row: number, index: number): boolean {
    const slot = this.table.slots[index]!;
    if (slot.owner === null || !slot.ready()) return false;
    slot.inFlight = true;
    slot.prepare();
    batch[row] = slot.place;
    return true;
  }
}
