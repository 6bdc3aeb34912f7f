/**
 * Which steps hang. Native code cannot be aborted, so nobody can end such a step; all that can be done is to go on without it.
 *
 * A main thread that was stopped itself (a debugger, a machine that slept, a long pause) has heard of no answer either. So a
 * step hangs only if it was looked at several times, with turns of the event loop between, and its time is over.
 */
import type { BatchLane } from './batch-lane.js';
import type { StepTime } from './capacity.js';

/** A step under way. */
export interface Run {
  readonly lane: BatchLane;
  /** The lane's batch as it is now; the lane gets another one when it is replaced. */
  readonly batch: Int32Array;
  readonly count: number;
  readonly beganMs: number;
  looks: number;
  hung: boolean;
}

/** Looks within the time that a step has. */
const LOOKS = 5;
/** What a step may take over what was measured: a busy machine, memory that has to be read from a disk. */
const TIMES_LONGEST = 20;
/** No client hears anything for so long, and no step that comes back at all takes it. */
const LEAST_MS = 10_000;

/**
 * The time that a step has, milliseconds.
 * @param stepTimes measured at start; batches that are larger take longer in proportion
 */
export function hangLimitMs(stepTimes: readonly StepTime[], maxBatch: number): number {
  const last = stepTimes.at(-1);
  const expectedMs = last === undefined ? 0 : (last.ms * maxBatch) / last.batch;
  return Math.max(LEAST_MS, TIMES_LONGEST * expectedMs);
}

export class Watchdog {
  private readonly limitMs: number;
  /** One for each busy lane, and those that hang. */
  private readonly runs = new Set<Run>();

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** How often `overdue` is to be asked, milliseconds. */
  static periodMs(limitMs: number): number {
    return limitMs / LOOKS;
  }

  /** Steps that hang now. */
  get hung(): number {
    let hung = 0;
    for (const run of this.runs) if (run.hung) hung++;
    return hung;
  }

  /** Places that nobody may use until the steps on them return. */
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

  /** Steps that are found to hang now, each once. */
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
