/**
 * Plans a fault for the next step of a lane's thread. Only threads that run `faulty-lane-worker.ts` read the plan: the
 * server's own worker contains no faults, no option selects another worker, and nothing under test/ is in the package.
 */
import { setEnvironmentData } from 'node:worker_threads';

export const FAULTS = [
  /** The step throws before anything is written. */
  'throw',
  /** It blocks before it reads its batch, and continues when the gate is opened. */
  'hang before',
  /** It blocks after the graph has run, before anything is written. */
  'hang after',
  /** Its thread ends. */
  'die',
  /** The runtime has no memory for the step. */
  'out of memory',
] as const;
export type Fault = (typeof FAULTS)[number];

export const FAULTY_WORKER = new URL('./faulty-lane-worker.js', import.meta.url).href;
/** Key under which the threads find the plan. */
export const PLAN = 'rnnt-test-faults';

/**
 * The plan's fields: the fault's number plus 1, steps until then, whether the gate is open, threads that wait at it.
 */
export const FAULT = 0;
export const STEPS = 1;
export const GATE = 2;
export const STANDING = 3;

export class FaultPlan {
  private readonly plan = new Int32Array(new SharedArrayBuffer(16));

  /** Threads that start from now on find this plan. */
  constructor() {
    setEnvironmentData(PLAN, this.plan);
  }

  /** The fault occurs once, after `afterSteps` steps of any lanes. */
  arm(fault: Fault, afterSteps = 0): void {
    Atomics.store(this.plan, GATE, 0);
    Atomics.store(this.plan, STEPS, afterSteps);
    Atomics.store(this.plan, FAULT, FAULTS.indexOf(fault) + 1);
  }

  get isArmed(): boolean {
    return Atomics.load(this.plan, FAULT) !== 0;
  }

  /** Threads that hang now. */
  get standing(): number {
    return Atomics.load(this.plan, STANDING);
  }

  /** Those that hang go on. */
  open(): void {
    Atomics.store(this.plan, GATE, 1);
    Atomics.notify(this.plan, GATE);
  }
}
