/**
 * The server of `npm run faults -- lanes`: like `rnnt-server start`, but its lanes run the tests' worker, whose steps
 * fail on the parent's command.
 */
import { loadConfig } from '../../src/config.js';
import { startEngine } from '../../src/inference/engine.js';
import { createLogger } from '../../src/log.js';
import { exitCodeOf } from '../../src/main.js';
import { loadModel } from '../../src/models/store.js';
import { startServer } from '../../src/server/server.js';
import { FAULTY_WORKER, type Fault, FaultPlan } from '../../test/helpers/faults.js';

/** Commands from the parent. */
export type Order = { arm: Fault; afterSteps: number } | { open: true } | { drain: true } | { report: true };

export interface Report {
  readonly port: number;
  readonly armed: boolean;
  readonly laneFailures: number;
  readonly hungSteps: number;
  readonly quarantined: number;
  readonly hungThreads: number;
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
const report = (): void => {
  const { laneFailures, hungSteps } = engine.stats;
  const hungThreads = engine.lanes.reduce((sum, lane) => sum + lane.hungThreads, 0);
  const said: Report = {
    port: server.port,
    armed: plan.isArmed,
    laneFailures,
    hungSteps,
    quarantined: engine.quarantined,
    hungThreads,
  };
  process.send?.(said);
};
process.on('message', (order: Order) => {
  if ('arm' in order) plan.arm(order.arm, order.afterSteps);
  if ('open' in order) plan.open();
  if ('drain' in order) server.drain();
  if ('report' in order) report();
});
report();
process.exitCode = await exitCodeOf(server, log);
process.disconnect?.();
