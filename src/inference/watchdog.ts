/**
 * Detects steps that hang. Native code cannot be aborted, so such a step cannot be ended; the server can only continue
 * without it.
 *
 * If the main thread itself was stopped (a debugger, a suspended machine, a long pause), it has received no answers
 * either. A step therefore counts as hung only if it was checked several times, with turns of the event loop between,
 * and its time is over.
 */
import type { BatchLane } from './batch-lane.js';
import type { StepTime } from './capacity.js';

/** A step under way. */
export interface Run {
  readonly lane: BatchLane;
  /** The lane's current batch; the lane gets a new one when it is replaced. */
  readonly batch: Int32Array;
  readonly count: number;
  readonly beganMs: number;
  looks: number;
  hung: boolean;
}

/** Checks within the time limit of a step. */
const LOOKS = 5;
/** Allowed multiple of the measured time, for a busy machine or memory that must be read from a disk. */
const TIMES_LONGEST = 20;
/** Minimum time limit: no step that returns at all takes this long. */
const LEAST_MS = 10_000;

/**
 * The time limit of a step, milliseconds.
 * @param stepTimes measured at the start; larger batches get more time in proportion
 */
export function hangLimitMs(stepTimes: readonly StepTime[], maxBatch: number): number {
  const last = stepTimes.at(-1);
  const expectedMs = last === undefined ? 0 : (last.ms * maxBatch) / last.batch;
  return Math.max(LEAST_MS, TIMES_LONGEST * expectedMs);
}

export class Watchdog {
  private readonly limitMs: number;
  /** One run per busy lane, and those that hang. */
  private readonly runs = new Set<Run>();

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** Interval at which `overdue` is to be called, milliseconds. */
  static periodMs(limitMs: number): number {
    return limitMs / LOOKS;
  }

  /** Number of steps that hang now. */
  get hung(): number {
    let hung = 0;
    for (const run of this.runs) if (run.hung) hung++;
    return hung;
  }

  /** Number of places reserved until the steps on them return. */
  get quarantined(): number {
    let places = 0;
    for (const run of this.runs) if (run.hung) places += run.count;
    return places;
  }

  begin(lane: BatchLane, count: number, nowMs: number): Run {
    const run = { lane, batch: lane.batch, count, beganMs: nowMs, looks: 0, hung: false };
    this.runs.add(run);
    return run;
  }

  end(run: Run): void {
    this.runs.delete(run);
  }

  /** Steps newly found to hang, each reported once. */
  overdue(nowMs: number): Run[] {
    const found: Run[] = [];
    for (const run of this.runs) {
      if (run.hung || ++run.looks < LOOKS || nowMs - run.beganMs < this.limitMs) continue;
      run.hung = true;
      found.push(run);
    }
    return found;
  }
}
