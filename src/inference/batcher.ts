/**
 * Continuous micro-batching. A free lane takes whatever is ready, most urgent first. While the lanes are busy ready
 * streams gather, so batches grow exactly as the load grows. Only with a large model, and enough streams, do free lanes
 * wait a little for a batch that is worth its step (wait.ts).
 */
import type { BatchLane, BatchObserver } from './batch-lane.js';
import type { LaneAnswer } from './messages.js';
import { type BatchRules, ReadyStreams } from './ready-streams.js';
import type { Slot, StreamTable } from './stream-table.js';
import { BatchWait, type Delay, NO_WAIT, type WaitPolicy } from './wait.js';
import { type Run, Watchdog } from './watchdog.js';

export type { BatchLane, BatchObserver } from './batch-lane.js';

export interface BatcherOptions extends Omit<BatchRules, 'now'> {
  /** How often a stream's step may fail while it is alone in its batch before the stream is given up. */
  readonly maxFailures: number;
  readonly now?: () => number;
  readonly defer?: (pump: () => void) => void;
  /** Whether ready streams wait for others; without it they never do. */
  readonly wait?: WaitPolicy;
  readonly delay?: Delay;
  /** The time that a step has before it is gone on without, milliseconds; without it it has for ever. */
  readonly hangLimitMs?: number;
}

/** Threads that hang beside one for each lane: so many chances has the search for a stream that makes its step hang. */
const MORE_HUNG = 1;

export const BATCHER_DEFAULTS = { maxBulkBesideLive: 4, splitFrom: 8, maxFailures: 3 } as const;

export class Batcher {
  private readonly table: StreamTable;
  private readonly options: Required<BatcherOptions>;
  private readonly observer: BatchObserver;
  private readonly ready: ReadyStreams;
  private readonly watchdog: Watchdog;
  private readonly idle: BatchLane[] = [];
  /** The places of the batch that is being told; read to its end before another lane can return. */
  private readonly returned: Int32Array;
  private lanes = 0;
  /** Steps that may hang at once, each in a thread that nobody can end. */
  private mostHung = MORE_HUNG;
  /** Streams are given up as soon as they have something to run. */
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
      hangLimitMs: Number.POSITIVE_INFINITY,
      ...options,
    };
    const wait = new BatchWait(this.options.wait, this.options.delay, () => this.dispatch());
    this.ready = new ReadyStreams(table, this.options, wait);
    this.watchdog = new Watchdog(this.options.hangLimitMs);
    this.returned = new Int32Array(options.maxBatch);
  }

  addLane(lane: BatchLane): void {
    this.lanes++;
    this.mostHung++;
    this.idle.push(lane);
    this.schedule();
  }

  /** Streams waiting for a lane. */
  get waiting(): number {
    return this.ready.waiting;
  }

  /** Places of the slab that steps hang on: nobody's until those return. */
  get quarantined(): number {
    return this.watchdog.quarantined;
  }

  get busyLanes(): number {
    return this.lanes - this.idle.length;
  }

  /** A slot has a whole chunk, or a flush to run. Called by the slot itself. */
  readonly onReady = (slot: Slot): void => {
    if (slot.inFlight) return; // looked at again when its step returns
    if (this.dead) slot.owner?.onFault(slot);
    else if (this.ready.add(slot)) this.schedule();
  };

  /** A tenant leaves: its slot waits for nothing any more. Before the slot goes back to the table. */
  forget(slot: Slot): void {
    this.ready.remove(slot);
  }

  /** At the end of the event loop's turn, so that every socket that was readable now shares the batch. */
  private schedule(): void {
    if (this.pumpDue || this.idle.length === 0) return;
    this.pumpDue = true;
    this.options.defer(this.pump);
  }

  private dispatch(): void {
    for (let lane = this.idle.pop(); lane !== undefined; lane = this.idle.pop()) {
      if (this.waiting === 0 || this.ready.holdsBack()) {
        this.idle.push(lane);
        return;
      }
      const count = this.ready.fill(lane.batch, this.idle.length + 1);
      if (count > 0) void this.run(lane, count);
      else this.idle.push(lane); // nobody had anything to run any more; they have left the queues with that
    }
  }

  private async run(lane: BatchLane, count: number): Promise<void> {
    const nowMs = this.options.now();
    const waitMs = nowMs - this.ready.sinceMs(this.table.at(lane.batch[0]!));
    const run = this.watchdog.begin(lane, count, nowMs);
    let answer: LaneAnswer;
    try {
      answer = await lane.step(count);
    } catch (error) {
      this.watchdog.end(run);
      if (run.hung) return this.returnLate(run);
      this.observer.onLaneFailed(lane, error);
      this.putBack(run);
      return this.bringBack(lane, () => lane.recover(error));
    }
    this.watchdog.end(run);
    if (run.hung) return this.returnLate(run);
    // The lane goes on with what gathered meanwhile before this batch's results are told. Its slots still count as
    // in flight, so none of them can be taken again before its result was read.
    const places = this.returned;
    for (let i = 0; i < count; i++) places[i] = lane.batch[i]!;
    this.idle.push(lane);
    this.dispatch();
    this.observer.onBatch(lane, count, answer, waitMs);
    for (let i = 0; i < count; i++) this.settle(this.table.at(places[i]!));
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

  /** After a failed step nothing was committed. */
  private putBack(run: Run): void {
    const left = this.tenantsOf(run);
    for (let i = 0; i < run.count; i++) {
      const slot = this.table.at(run.batch[i]!);
      slot.inFlight = false;
      if (slot.owner === null) this.table.reclaim(slot);
    }
    this.tryAgain(run, left);
  }

  /** The slots of a step whose tenants are still there. */
  private tenantsOf({ batch, count }: Run): Slot[] {
    const slots = Array.from(batch.subarray(0, count), (place) => this.table.at(place));
    return slots.filter(({ owner }) => owner !== null);
  }

  /**
   * The same chunks run again, in halves. Only a stream that fails alone is blamed; it may be the lane's fault all the
   * same, so it has more than one try.
   */
  private tryAgain({ count }: Run, slots: readonly Slot[]): void {
    const failed: number[] = [];
    for (const slot of slots) {
      if (count === 1 && ++slot.failures >= this.options.maxFailures) slot.owner?.onFault(slot);
      else failed.push(slot.index);
    }
    this.ready.tryAgain(failed);
    this.schedule();
  }

  /** Goes on without the steps that hang. To be called now and then: `Watchdog.periodMs` says how often. */
  lookForHung(): void {
    const nowMs = this.options.now();
    for (const run of this.watchdog.overdue(nowMs)) {
      this.observer.onLaneHung(run.lane, run.count, nowMs - run.beganMs);
      run.lane.abandon();
      const left = this.tenantsOf(run);
      if (this.watchdog.hung > this.mostHung) {
        this.observer.onStuck(new Error(`${this.watchdog.hung} steps hang`));
      } else if (left.length > this.table.vacancies) {
        this.observer.onStuck(
          new Error(`a step of ${left.length} streams hangs, and no slots are left for them`),
        );
      } else {
        for (const slot of left) this.table.evacuate(slot);
        this.tryAgain(run, left);
        void this.bringBack(run.lane, () => run.lane.replace());
      }
    }
  }

  /** Whatever it has written is of nobody. */
  private returnLate(run: Run): void {
    for (let i = 0; i < run.count; i++) {
      const slot = this.table.at(run.batch[i]!);
      if (slot.owner !== null) continue; // it could not be moved away: the process is about to end
      slot.inFlight = false;
      this.table.reclaim(slot);
    }
    this.observer.onReturnedLate(run.lane, run.count, this.options.now() - run.beganMs);
  }

  private async bringBack(lane: BatchLane, repair: () => Promise<void>): Promise<void> {
    try {
      await repair();
      this.idle.push(lane);
      this.dispatch();
    } catch (lost) {
      this.lanes--;
      this.observer.onLaneLost(lane, lost, this.lanes);
    }
  }

  /** Gives every stream up, and those to come: nothing is recognised any more. */
  giveUp(): void {
    this.dead = true;
    this.ready.clear();
    for (const slot of this.table.slots) slot.owner?.onFault(slot);
  }
}
