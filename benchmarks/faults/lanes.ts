/**
 * `npm run faults -- lanes [--streams 12] [--only hang] [--json FILE] [--note TEXT]`: a real server with the real model
 * and speakers in real time, while threads of its lanes throw, die, run out of memory or hang in the middle of a step,
 * its surroundings fail, and at last so many threads hang that the process ends and is restarted. Fails if a word or a
 * time of a transcript differs. Prints, and saves for docs/RELIABILITY.md, how long it took until everybody had results
 * again, and the longest time without a result, with and without faults. About 30 s for each of the twelve faults.
 */
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FAULTS, type Fault } from '../../test/helpers/faults.js';
import { ChildServer } from './child-server.js';
import { save } from './fleet/report.js';
import { figuresOf, speakAll, type Told } from './speakers.js';
import { SCENE_FAULTS, type SceneFault } from './surroundings.js';

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    streams: { type: 'string', default: '12' },
    only: { type: 'string' },
    json: { type: 'string', default: 'benchmarks/results/faults.json' },
    note: { type: 'string' },
  },
});
const streams = Number(values.streams);
/** Steps before the fault: some seconds of speech, with all streams under way. */
const AFTER_STEPS = 60;
const AFTER_MS = 4_000;
const LOOK_MS = 20;
/** How long the streams continue before the hanging thread returns. */
const WAKE_MS = 1_000;
/** Results of steps before the fault may still come in this time; the wait that the fault causes begins after them. */
const SETTLE_MS = 300;

const TEXTS: Record<Fault, readonly [injected: string, survived: string]> = {
  throw: ['a step throws', 'the lane restarts, its chunks run again'],
  'hang before': [
    'a step hangs before it reads its batch, and wakes later',
    'its streams continue in other slots and another thread',
  ],
  'hang after': ['a step hangs after its graph has run, and wakes later', 'as above'],
  die: ['the thread of a step dies', 'as above, in a new thread'],
  'out of memory': ['the runtime has no memory for a step', 'the lane restarts, its chunks run again'],
};

const rows: { readonly words_lost_or_changed: number }[] = [];
function add(row: (typeof rows)[number] & { readonly [figure: string]: unknown }): void {
  process.stdout.write(`${JSON.stringify(row)}\n`);
  rows.push(row);
}
const wanted = (name: string): boolean => values.only === undefined || name.startsWith(values.only);

async function laneFault(server: ChildServer, fault: Fault, undisturbed: readonly Told[]): Promise<void> {
  const speaking = speakAll(server.ws, streams);
  const look = async () => {
    const { laneFailures = 0, hungSteps = 0, armed = false } = (await server.report()) ?? {};
    return { armed, count: laneFailures + hungSteps };
  };
  const before = (await look()).count;
  server.say({ arm: fault, afterSteps: AFTER_STEPS });
  while ((await look()).armed) await setTimeout(LOOK_MS);
  const fromMs = performance.now();
  while ((await look()).count === before) await setTimeout(LOOK_MS);
  const toMs = performance.now();
  if (fault.startsWith('hang')) {
    await setTimeout(WAKE_MS);
    server.say({ open: true });
  }
  const figures = figuresOf(await speaking, undisturbed, [fromMs, toMs + SETTLE_MS]);
  const { quarantined, hungThreads } = (await server.report()) ?? {};
  const [injected, survived] = TEXTS[fault];
  add({ injected, survived, ...figures, quarantined, hung_threads: hungThreads });
}

async function sceneFault(
  server: ChildServer,
  fault: SceneFault,
  undisturbed: readonly Told[],
): Promise<void> {
  const { url, due, happen, close } = await fault.prepare({ server, streams });
  const speaking = speakAll(url, streams);
  await (due?.() ?? setTimeout(AFTER_MS));
  const fromMs = performance.now();
  const more = await happen();
  const toMs = performance.now();
  const { recovered_ms, ...figures } = figuresOf(await speaking, undisturbed, [fromMs, toMs + SETTLE_MS]);
  await close();
  const { injected, survived } = fault;
  const { hungThreads } = (await server.report()) ?? {};
  const recovered = fault.interrupts ? recovered_ms : null;
  add({ injected, survived, ...figures, recovered_ms: recovered, ...more, hung_threads: hungThreads });
}

/** Threads hang until the process cannot continue: it ends, and a supervisor restarts it. */
async function end(undisturbed: readonly Told[]): Promise<void> {
  const server = await ChildServer.begin({ lanes: 1, maxStreams: streams });
  const speaking = speakAll(server.ws, streams);
  await setTimeout(WAKE_MS);
  const fromMs = performance.now();
  while (server.ends.length === 0) {
    const report = await server.report();
    if (report?.armed === false) server.say({ arm: 'hang before', afterSteps: 0 });
    await setTimeout(LOOK_MS);
  }
  const figures = figuresOf(await speaking, undisturbed, [fromMs, performance.now()]);
  const survived =
    'the process ends by SIGALRM and is restarted; client libraries record again from their last final';
  const injected = 'steps hang one after the other, until no lane is left';
  add({ injected, survived, ...figures, ended: server.ends, restarts: server.restarts });
  await server.stop();
}

const beganMs = performance.now();
const server = await ChildServer.begin({ lanes: 2, maxStreams: 4 * streams });
const undisturbed = await speakAll(server.ws, streams);
const { longest_silence_ms } = figuresOf(undisturbed, undisturbed);
process.stdout.write(`${JSON.stringify({ injected: 'nothing', longest_silence_ms })}\n`);
for (const fault of FAULTS.filter(wanted)) await laneFault(server, fault, undisturbed);
for (const fault of SCENE_FAULTS.filter(({ name }) => wanted(name)))
  await sceneFault(server, fault, undisturbed);
await server.stop();
if (wanted('end')) await end(undisturbed);

const took_s = Math.round((performance.now() - beganMs) / 1_000);
const summary = {
  note: values.note ?? null,
  speakers: streams,
  took_s,
  undisturbed_silence_ms: longest_silence_ms,
};
// A part of the faults is for looking at, not for the document.
if (values.only === undefined) await save(values.json, 'lanes', { ...summary, rows });
if (rows.some((row) => row.words_lost_or_changed > 0)) process.exitCode = 1;
