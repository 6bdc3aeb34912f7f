/**
 * What a lane's thread is to suffer in its next step. Only threads that run `faulty-lane-worker.ts` look at it: the server's own
 * worker knows nothing of faults, no option names another one, and nothing under test/ is in the package.
 */
import { fileURLToPath } from 'node:url';
import { setEnvironmentData } from 'node:worker_threads';

export const FAULTS = [
  /** The step throws before anything is written. */
  'throw',
  /** It stands still before it reads its batch, and goes on when the gate is opened. */
  'hang before',
  /** It stands still when the graph has run and nothing is written yet. */
  'hang after',
  /** Its thread ends. */
  'die',
  /** The runtime has no memory for the step. */
  'out of memory',
] as const;
export type Fault = (typeof FAULTS)[number];

export const FAULTY_WORKER = fileURLToPath(new URL('./faulty-lane-worker.js', import.meta.url));
/** Under which the threads find the plan. */
export const PLAN = 'rnnt-test-faults';

/** The plan's fields: the fault's number and 1, steps until then, whether the gate is open, threads that stand at it. */
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

  /** The fault comes once, after so many steps of whatever lanes. */
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
