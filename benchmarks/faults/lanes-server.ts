/**
 * The server of `npm run faults -- lanes` and `overload`: like `rnnt-server start`, but its lanes run the tests' worker,
 * whose steps fail on the parent's command, and its main thread, clock and log are disturbed in the same way.
 */
import { loadConfig } from '../../src/config.js';
import { startEngine } from '../../src/inference/engine.js';
import { createLogger } from '../../src/log.js';
import { exitCodeOf } from '../../src/main.js';
import { loadModel } from '../../src/models/store.js';
import { startServer } from '../../src/server/server.js';
import { FAULTY_WORKER, type Fault, FaultPlan } from '../../test/helpers/faults.js';

/** Commands from the parent. */
export type Order =
  | { arm: Fault; afterSteps: number }
  | { open: true }
  /** Blocks the main thread, ms. */
  | { block: number }
  /** Sets the system clock, as this process sees it, this many ms from the real one. */
  | { clock: number }
  /** Writes this many lines of 1 KB to the log. */
  | { log: number }
  | { drain: true }
  | { report: true };

export interface Report {
  readonly port: number;
  readonly armed: boolean;
  readonly laneFailures: number;
  readonly hungSteps: number;
  readonly quarantined: number;
  readonly hungThreads: number;
  /** Rated streams. */
  readonly capacity: number;
  /** Recordings under way. */
  readonly recordings: number;
  /** Latency of the chunks so far, ms. */
  readonly chunkMs: { readonly p50: number; readonly p95: number; readonly p99: number };
}

const options = JSON.parse(process.argv[2] ?? '{}') as Record<string, unknown>;
const plan = new FaultPlan();
const config = loadConfig(
  { host: '127.0.0.1', provider: 'cpu', admission: 'slots', logLevel: 'error', ...options },
  {},
);
const log = createLogger(config);
const server = await startServer(config, log, async () =>
  startEngine(await loadModel('default'), config, log, { worker: FAULTY_WORKER }),
);
const engine = await server.ready;

const RealDate = Date;
let clockOffMs = 0;
const wrongNow = (): number => RealDate.now() + clockOffMs;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [wrongNow()] : args),
  get: (target, name) => (name === 'now' ? wrongNow : Reflect.get(target, name)),
});

function block(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs; );
}

function report(): void {
  const { laneFailures, hungSteps } = engine.stats;
  const { metrics, recogniser } = server.context;
  const hungThreads = engine.lanes.reduce((sum, lane) => sum + lane.hungThreads, 0);
  const said: Report = {
    port: server.port,
    armed: plan.isArmed,
    laneFailures,
    hungSteps,
    quarantined: engine.quarantined,
    hungThreads,
    capacity: engine.capacity.streams,
    recordings: recogniser?.sessions.leases.active ?? 0,
    chunkMs: metrics.chunk.percentiles(),
  };
  process.send?.(said);
}

process.on('message', (order: Order) => {
  if ('arm' in order) plan.arm(order.arm, order.afterSteps);
  if ('open' in order) plan.open();
  if ('block' in order) block(order.block);
  if ('clock' in order) clockOffMs = order.clock;
  if ('log' in order) for (let i = 0; i < order.log; i++) log.error({ text: 'x'.repeat(1_000) }, 'a line');
  if ('drain' in order) server.drain();
  if ('report' in order) report();
});
report();
process.exitCode = await exitCodeOf(server, log);
process.disconnect?.();
