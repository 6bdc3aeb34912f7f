/**
 * One simulated run of a fleet, from a seed: the same seed gives the same events in the same order. What its clients are
 * told is held against a run of the same clients in which nothing breaks.
 */
import { seeded } from '../cut-runs.js';
import { checkEnd, type Outcome } from './checks.js';
import { SimClient } from './client.js';
import { type Chaos, Faults } from './faults.js';
import { Fleet } from './fleet.js';
import type { Pace } from './node.js';
import { Owners } from './owners.js';
import { type Plan, planOf } from './plan.js';
import { World } from './world.js';

/** Of 100 ms of audio: slow servers fall behind those who send files, and hold what they send. */
const STEP_MS = 20;
const SLOW_STEP_MS = 90;
const BYTES_PER_SECOND = 65_536;
/** As with models whose state is large: a record every few seconds. */
const FEW_BYTES_PER_SECOND = 1_000;
/** Longer than any fault, any backoff and all audio: who is not done by then never is. */
const MOST_MS = 300_000;
/** After that whatever waits for somebody who does not come has given up: the resume window, dead sockets. */
const REST_MS = 130_000;

export interface Run {
  readonly seed: number;
  readonly failures: readonly string[];
  readonly trace: readonly string[];
  readonly events: number;
  readonly simulatedMs: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly resumptions: number;
  readonly takeovers: number;
  readonly lostSessions: number;
}

interface Shape {
  readonly nodes: number;
  readonly plans: readonly Plan[];
  readonly chaos: Chaos;
  readonly pace: Pace;
}

function shapeOf(seed: number): Shape {
  const random = seeded(seed);
  const nodes = 2 + Math.floor(random() * 3);
  const clients = 1 + Math.floor(random() * 3);
  const plans = Array.from({ length: clients }, () => planOf(random, 4 + Math.floor(random() * 14)));
  const rate = 0.1 + 0.9 * random();
  const flaky = random() < 0.3;
  const chaos = { rate, flaky, twins: random() < 0.3 ? 0.5 : 0.15, splits: flaky ? 0.5 : 0 };
  const stepMs = random() < 0.4 ? SLOW_STEP_MS : STEP_MS;
  const recordBytesPerSecond = random() < 0.3 ? FEW_BYTES_PER_SECOND : BYTES_PER_SECOND;
  return { nodes, plans, chaos, pace: { stepMs, recordBytesPerSecond } };
}

async function play(
  seed: number,
  { nodes, plans, chaos, pace }: Shape,
): Promise<Outcome & { readonly faults: Faults }> {
  const world = new World(seed);
  const restore = world.install();
  try {
    const fleet = new Fleet(world, pace);
    fleet.twins = chaos.twins;
    fleet.splits = chaos.splits;
    for (let i = 0; i < nodes; i++) fleet.launch();
    const clients = plans.map((plan, i) => new SimClient(world, fleet, `client${i + 1}`, plan));
    const faults = new Faults(world, fleet, clients, chaos);
    await world.run(10);
    for (const client of clients) client.launch(world.between(0, 2_000));
    faults.start();
    new Owners(world, fleet).start();
    await world.run(MOST_MS, () => clients.every(({ isDone }) => isDone));
    for (const { isDone, process } of clients) if (!isDone) world.fail(`${process.name} never ends`);
    faults.stop();
    await world.run(world.nowMs + REST_MS);
    return { clients, world, fleet, faults };
  } finally {
    restore();
  }
}

/**
 * One fleet and its clients, from the first connection until nothing is left of them. Its world is that of the whole process
 * meanwhile.
 * @param more in place of what the seed says
 */
export async function simulate(seed: number, more: Partial<Chaos> = {}): Promise<Run> {
  const drawn = shapeOf(seed);
  const shape = { ...drawn, chaos: { ...drawn.chaos, ...more } };
  const calm = { ...shape, nodes: 1, chaos: { rate: 0, flaky: false, twins: 0, splits: 0 } };
  const undisturbed = await play(seed, calm);
  const outcome = await play(seed, shape);
  const { world, fleet, clients, faults } = outcome;
  checkEnd(outcome, undisturbed.clients, shape.chaos.flaky);
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  return {
    seed,
    failures: [...undisturbed.world.failures.map((each) => `undisturbed: ${each}`), ...world.failures],
    trace: world.trace,
    events: world.count,
    simulatedMs: world.nowMs,
    faults: faults.counts,
    resumptions: sum(fleet.nodes.map(({ context }) => context.metrics.resumed)),
    takeovers: sum(fleet.nodes.map(({ context }) => context.metrics.takenOver)),
    lostSessions: sum(clients.map(({ lost }) => lost.length)),
  };
}
