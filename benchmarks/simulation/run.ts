/**
 * `npm run simulate [-- --seeds 1000 --from 1]`: simulates fleets on virtual time, one for each seed, and holds what their
 * clients are told against an undisturbed run. A seed that fails is named with the number of the event and the last events
 * before the end; `--seed N` plays it again, event by event. Ends with 1 if any failed.
 */
import { parseArgs } from 'node:util';
import { type Run, simulate } from '../../test/helpers/sim/simulate.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
});
const TAIL = 40;

const say = (line: string) => void process.stdout.write(`${line}\n`);

function tell({ seed, failures, trace }: Run, events: number): void {
  for (const event of trace.slice(-events)) say(event);
  for (const failure of failures) say(`seed ${seed}: ${failure}`);
  if (failures.length > 0) say(`again, with all events: npm run simulate -- --seed ${seed}`);
}

const total = { runs: 0, failed: 0, events: 0, simulatedS: 0, resumptions: 0, takeovers: 0, lostSessions: 0 };
const faults: Record<string, number> = {};
const cpu = process.cpuUsage();
const first = Number(values.seed ?? values.from);
const last = values.seed === undefined ? first + Number(values.seeds) - 1 : first;
for (let seed = first; seed <= last; seed++) {
  const run = await simulate(seed);
  total.runs++;
  total.events += run.events;
  total.simulatedS += Math.round(run.simulatedMs / 1000);
  total.resumptions += run.resumptions;
  total.takeovers += run.takeovers;
  total.lostSessions += run.lostSessions;
  for (const [kind, count] of Object.entries(run.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  if (run.failures.length > 0) total.failed++;
  if (values.seed !== undefined) tell(run, run.trace.length);
  else if (run.failures.length > 0) tell(run, TAIL);
  if (total.runs % 50 === 0) process.stderr.write(`${JSON.stringify({ seed, ...total })}\n`);
}
const cpuS = Math.round(process.cpuUsage(cpu).user / 1e6);
say(JSON.stringify({ seeds: [first, last], ...total, faults, cpuS }, null, 2));
process.exitCode = total.failed > 0 ? 1 : 0;
