/**
 * `npm run soak -- --simulated-hours 48 [--seed 1] [--json FILE]`: one recording of so many hours on virtual time, in a
 * simulated fleet of the server's own sessions and a scripted engine. Somebody speaks in real time and keeps nothing but
 * positions, so that all memory is the servers'. Every ten minutes something breaks. Each word must come once, at its
 * time to the sample; memory and the length of every collection must stay what they are.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { grown, type Hour, recordDays } from '../../test/helpers/sim/days.js';

const { values } = parseArgs({
  options: {
    'simulated-hours': { type: 'string', default: '48' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
/** By then the text of the whole recording, which has a limit, is as long as it will be. */
const SETTLED_HOURS = 6;
const MOST_GROWTH_MB = 1;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const say = (line: string) => void process.stdout.write(`${line}\n`);
const mb = (bytes: number): number => Math.round(bytes / 10_000) / 100;
const row = ({ hour, heap, external, words }: Hour) => ({
  ...{ hour, heap_mb: mb(heap), external_mb: mb(external), words },
});

const hours = Number(values['simulated-hours']);
const seed = Number(values.seed);
const edgeHours = hours / 8;
const cpu = process.cpuUsage();
const run = await recordDays({
  ...{ seed, hours, edgeHours, collect },
  onHour: (hour) => say(JSON.stringify(row(hour))),
});
const meanHeap = (from: number, to: number): number => {
  const these = run.hours.filter(({ hour }) => hour >= from && hour <= to);
  return these.reduce((sum, { heap }) => sum + heap, 0) / Math.max(1, these.length);
};
const settledHours = hours >= 4 * SETTLED_HOURS ? SETTLED_HOURS : Math.min(1, hours);
const meanHours = Math.max(1, edgeHours);
const growth = meanHeap(hours - meanHours, hours) - meanHeap(settledHours, settledHours + meanHours);
const collections = grown(run);
const failures = [
  ...run.failures,
  ...collections.map((each) => `a collection has grown: ${each}`),
  ...(mb(growth) > MOST_GROWTH_MB ? [`the heap has grown by ${mb(growth)} MB`] : []),
];
const [processor] = cpus();
const report = {
  made: new Date().toISOString(),
  machine: { cores: cpus().length, cpu: processor?.model ?? '', node: process.versions.node },
  ...{ hours, seed, samples: hours * 3_600 * 16_000, ...run.counts, faults: run.faults, events: run.events },
  ...{ settled_hours: settledHours, heap_growth_mb: mb(growth), collections: run.late.size },
  cpu_s: Math.round(process.cpuUsage(cpu).user / 1e6),
  failures,
  by_hour: run.hours.map(row),
};
for (const line of failures.length > 0 ? run.trace.slice(-40) : []) say(line);
say(JSON.stringify({ ...report, by_hour: undefined }, null, 2));
if (values.json !== undefined) {
  await mkdir(dirname(values.json), { recursive: true });
  await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
if (failures.length > 0) process.exitCode = 1;
