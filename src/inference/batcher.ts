/**
 * Continuous micro-batching. A free lane takes whatever is ready, most urgent first. While the lanes are busy, ready
 * streams accumulate, so batches grow with the load. Only if a stream costs much less in a batch than alone, and with
 * enough streams, do free lanes wait briefly for others (wait.ts).
 */
import type { BatchLane, BatchObserver } from './batch-lane.js';
import type { LaneAnswer } from './messages.js';
import { type BatchRules, ReadyStreams } from './ready-streams.js';
import type { Slot, StreamTable } from './stream-table.js';
import { BatchWait, type Delay, NO_WAIT, type WaitPolicy } from './wait.js';
import { type Run, Watchdog } from './watchdog.js';

export type { BatchLane, BatchObserver } from './batch-lane.js';

export interface BatcherOptions extends Omit<BatchRules, 'now'> {
  /** Failed and hung steps after which a stream is given up, the last of them with this stream alone. */
  readonly maxFailures: number;
  readonly now?: () => number;
  readonly defer?: (pump: () => void) => void;
  /** Whether ready streams wait for others; default: never. */
  readonly wait?: WaitPolicy;
  readonly delay?: Delay;
  /** Time limit of a step, milliseconds, after which its streams continue without it; default: none. */
  readonly hangLimitMs?: number;
}

/**
 * Hanging threads allowed beyond one per lane. A single lane can then find a stream whose steps hang: once in a batch,
 * and twice alone.
 */
const MORE_HUNG = 2;

export const BATCHER_DEFAULTS = { maxBulkBesideLive: 4, splitFrom: 8, maxFailures: 3 } as const;

export class Batcher {
  private readonly table: StreamTable;
  private readonly options: Required<BatcherOptions>;
  private readonly observer: BatchObserver;
  private readonly ready: ReadyStreams;
  private readonly watchdog: Watchdog;
  private readonly idle: BatchLane[] = [];
  /** Places of the batch whose results are being delivered; read before another lane can return. */
  private readonly returned: Int32Array;
  private lanes = 0;
  /** Steps that may hang at once, each in a thread that cannot be ended. */
  private mostHung = MORE_HUNG;
  /** From now on, streams are given up as soon as they have something to run. */
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

  /** Places of the slab that hanging steps may still use; reserved until those steps return. */
  get quarantined(): number {
    return this.watchdog.quarantined;
  }

  get busyLanes(): number {
    return this.lanes - this.idle.length;
  }

  /** A slot has a whole chunk, or a flush to run. Called by the slot itself. */
  readonly onReady = (slot: Slot): void => {
    if (slot.inFlight) return; // checked again when its step returns
    if (this.dead) slot.owner?.onFault(slot, 'ENGINE_FAILED');
    else if (this.ready.add(slot)) this.schedule();
  };

  /** Removes the slot of a stream that ends, before it is returned to the table. */
  forget(slot: Slot): void {
    this.ready.remove(slot);
  }

  /** At the end of the event loop's turn, so that every socket that was readable in it shares the batch. */
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
      else this.idle.push(lane); // no stream of the batch had anything left to run; they were removed from the queues
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
    // Streams in a flush come first, so that the lane's next batch can have their next step: a final result waits for
    // several steps in a row. The lane then continues with whatever waits before the other results are delivered. The
    // slots of this batch still count as in flight, so none can be taken again before its result is read.
    const places = this.returned;
    let left = 0;
    for (let i = 0; i < count; i++) {
      const place = lane.batch[i]!;
      const slot = this.table.at(place);
      if (slot.flushing) this.settle(slot);
      else places[left++] = place;
    }
    this.idle.push(lane);
    this.dispatch();
    this.observer.onBatch(lane, count, answer, waitMs);
    for (let i = 0; i < left; i++) this.settle(this.table.at(places[i]!));
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
      slot.owner?.onFault(slot, 'ENGINE_FAILED');
      return;
    }
    if (slot.owner !== null && slot.ready()) this.onReady(slot);
  }

  /** A failed step has committed nothing. */
  private putBack(run: Run): void {
    const left = this.tenantsOf(run);
    for (let i = 0; i < run.count; i++) {
      const slot = this.table.at(run.batch[i]!);
      slot.inFlight = false;
      if (slot.owner === null) this.table.reclaim(slot);
    }
    this.tryAgain(this.blame(run, left));
  }

  /** The slots of a step that still have an owner. */
  private tenantsOf({ batch, count }: Run): Slot[] {
    const slots = Array.from(batch.subarray(0, count), (place) => this.table.at(place));
    return slots.filter(({ owner }) => owner !== null);
  }

  /**
   * A stream whose step failed alone is blamed, and so is every stream of a step that hung: each of them costs a thread,
   * so they run alone from then on. Only a stream that is alone is given up, and not at its first attempt, since the lane
   * may be at fault.
   * @returns those that are not given up
   */
  private blame({ count, hung }: Run, slots: readonly Slot[]): Slot[] {
    const isAlone = count === 1;
    return slots.filter((slot) => {
      if (isAlone || hung) slot.addFailure();
      const isGivenUp = isAlone && slot.blame.failures >= this.options.maxFailures;
      if (isGivenUp) slot.owner?.onFault(slot, 'AUDIO_FAILED');
      return !isGivenUp;
    });
  }

  /** Runs the same chunks again: suspects alone, the others in halves. */
  private tryAgain(slots: readonly Slot[]): void {
    this.ready.tryAgain(slots.map(({ index }) => index));
    this.schedule();
  }

  /** Continues without steps that hang. To be called regularly, at intervals of `Watchdog.periodMs`. */
  lookForHung(): void {
    const nowMs = this.options.now();
    for (const run of this.watchdog.overdue(nowMs)) {
      this.observer.onLaneHung(run.lane, run.count, nowMs - run.beganMs);
      run.lane.abandon();
      const left = this.blame(run, this.tenantsOf(run));
      if (this.watchdog.hung > this.mostHung) {
        this.observer.onStuck(new Error(`${this.watchdog.hung} steps hang`));
      } else if (left.length > this.table.vacancies) {
        this.observer.onStuck(
          new Error(`a step of ${left.length} streams hangs, and no free slots are left for them`),
        );
      } else {
        for (const slot of left) this.table.evacuate(slot);
        this.tryAgain(left);
        void this.bringBack(run.lane, () => run.lane.replace());
      }
    }
  }

  /** Results of a step that hung are dropped. */
  private returnLate(run: Run): void {
    for (let i = 0; i < run.count; i++) {
      const slot = this.table.at(run.batch[i]!);
      slot.inFlight = false;
      // A stream that is still here is being given up, or could not be moved away.
      if (slot.owner === null) this.table.reclaim(slot);
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

  /** Gives up every stream, current and future: recognition has ended. */
  giveUp(): void {
    this.dead = true;
    this.ready.clear();
    for (const slot of this.table.slots) slot.owner?.onFault(slot, 'ENGINE_FAILED');
  }
}
