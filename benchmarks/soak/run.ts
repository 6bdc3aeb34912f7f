/**
 * `npm run soak [-- --minutes 60 --speakers 6 --every 10 --seed 1]`: clients come and go at a real server with the real
 * model. They record, lose their connection and resume, disappear in mid-sentence, and upload files. Each transcript is
 * compared with the first one of its clip. Prints a line of figures every `--every` seconds, and at the end the losses
 * and the growth as JSON.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BreakingNetwork } from '../../test/helpers/breaking-network.js';
import { seeded } from '../../test/helpers/cut-runs.js';
import { startLiveServer } from '../../test/helpers/live-server.js';
import { Gauge, HEADING } from './gauge.js';
import { Speaker } from './speaker.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    speakers: { type: 'string', default: '6' },
    every: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const WINDOW_S = 3;
const minutes = Number(values.minutes);
const live = await startLiveServer({ resumeWindow: WINDOW_S, maxUploads: 4 });
const gauge = new Gauge(live.server);
const proxies = await Promise.all(
  Array.from({ length: Number(values.speakers) }, () => BreakingNetwork.open(live.server.port)),
);
const speakers = proxies.map(
  (proxy, i) => new Speaker(`speaker-${i}`, live, proxy, seeded(Number(values.seed) * 1_000 + i)),
);
const until = performance.now() + minutes * 60_000;
const isOver = () => performance.now() >= until;
process.stdout.write(`${HEADING}\n`);

async function watch(): Promise<void> {
  while (!isOver()) {
    await wait(Math.min(Number(values.every) * 1000, Math.max(1, until - performance.now())));
    process.stdout.write(`${gauge.line()}\n`);
  }
}

let failed = false;
try {
  await Promise.all([watch(), ...speakers.map((it) => it.churn(isOver))]);
  // Waits for the resume window of the clients that disappeared; after that, nothing may be held.
  await wait((WINDOW_S + 2) * 1000);
  process.stdout.write(`${gauge.line()}\n`);
  const done: Record<string, number> = {};
  for (const { counts } of speakers) {
    for (const [what, count] of Object.entries(counts)) done[what] = (done[what] ?? 0) + count;
  }
  const { errors, resumed } = live.server.context.metrics;
  const left = gauge.held();
  failed = done.wordsLost !== 0 || done.different !== 0 || Object.values(left).some((count) => count !== 0);
  const report = { minutes, speakers: speakers.length, seed: Number(values.seed), ...done, resumed };
  process.stdout.write(
    `${JSON.stringify({ ...report, errors: Object.fromEntries(errors), left, growth: gauge.growth() }, null, 2)}\n`,
  );
} finally {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await live.stop();
}
if (failed) process.exitCode = 1;
