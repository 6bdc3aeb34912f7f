/** Tasks for tests of a thread pool: the thread is busy until the test opens the gate. */

/** Shared by test and worker: [begun, opened]. */
export type Gate = Int32Array<SharedArrayBuffer>;

export const newGate = (): Gate => new Int32Array(new SharedArrayBuffer(8));

/** For the test: the thread may go on. */
export function open(gate: Gate): void {
  Atomics.store(gate, 1, 1);
  Atomics.notify(gate, 1);
}

/** For the test: whether a thread has begun the task. */
export const hasBegun = (gate: Gate): boolean => Atomics.load(gate, 0) === 1;

/** For a worker: it has gone on after the gate was opened, and was not ended. */
export const loaded = (gate: Gate): void => void Atomics.store(gate, 0, 2);

/** For the test: whether the worker has loaded. */
export const hasLoaded = (gate: Gate): boolean => Atomics.load(gate, 0) === 2;

/** Holds its thread, as native code does, until the gate is open. */
export function block(gate: Gate): string {
  Atomics.store(gate, 0, 1);
  Atomics.wait(gate, 1, 0);
  return 'done';
}

/** Leaves an error that is thrown once the gate is open, when the test has the task's answer. */
export function stray(gate: Gate): null {
  setImmediate(() => {
    Atomics.wait(gate, 1, 0);
    throw new Error('left behind');
  });
  return null;
}

export function fail(): never {
  throw new Error('the task failed');
}
