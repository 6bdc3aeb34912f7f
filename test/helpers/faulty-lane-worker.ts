/** The lane's own worker, with the faults that a test has planned (faults.ts). */
import { createRequire } from 'node:module';
import { getEnvironmentData } from 'node:worker_threads';
import type { LaneAnswer, LaneTask } from '../../src/inference/messages.js';
import { FAULT, FAULTS, type Fault, GATE, PLAN, STANDING, STEPS } from './faults.js';

const plan = getEnvironmentData(PLAN) as Int32Array;
const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node');
/** Of the step under way. */
let fault: Fault | undefined;

function stand(): void {
  Atomics.add(plan, STANDING, 1);
  Atomics.wait(plan, GATE, 0);
  Atomics.sub(plan, STANDING, 1);
}

const create = ort.InferenceSession.create as (
  ...args: unknown[]
) => ReturnType<typeof ort.InferenceSession.create>;
Object.assign(ort.InferenceSession, {
  async create(...args: unknown[]) {
    const session = await create.apply(ort.InferenceSession, args);
    const run = session.run.bind(session);
    session.run = async (feeds: Parameters<typeof run>[0]) => {
      if (fault === 'out of memory')
        throw new Error('bad allocation: Failed to allocate memory for requested buffer');
      const answer = await run(feeds);
      if (fault === 'hang after') stand();
      return answer;
    };
    return session;
  },
});
const { default: lane } = await import('../../workers/lane.js');

/** Takes the fault if its time has come. */
function due(): Fault | undefined {
  const number = Atomics.load(plan, FAULT);
  if (number === 0 || Atomics.sub(plan, STEPS, 1) > 0) return undefined;
  if (Atomics.compareExchange(plan, FAULT, number, 0) !== number) return undefined;
  return FAULTS[number - 1];
}

export default async function faulty(task: LaneTask): Promise<LaneAnswer> {
  fault = task.kind === 'step' ? due() : undefined;
  if (fault === 'throw') throw new Error('planned by the test');
  if (fault === 'die') process.exit(3);
  if (fault === 'hang before') stand();
  return lane(task);
}
