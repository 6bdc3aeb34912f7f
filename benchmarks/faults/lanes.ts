/**
 * `npm run faults -- lanes [--streams 12] [--only hang]`: a real server with the real model and speakers in real time,
 * while threads of its lanes throw, die, run out of memory or hang in the middle of a step, until so many hang that the
 * process ends and is restarted. Fails if a word or a time of a transcript differs. Prints the longest time without a
 * partial, with and without faults.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RNNTClient } from 'rnnt-server/client';
import { FAULTS } from '../../test/helpers/faults.js';
import { clips, loadClip } from '../../test/helpers/fixtures.js';
import type { Order, Report } from './lanes-server.js';

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    streams: { type: 'string', default: '12' },
    port: { type: 'string', default: '0' },
    only: { type: 'string' },
  },
});
const streams = Number(values.streams);
const SPOKEN_SECONDS = 24;
/** Steps before the fault: some seconds of speech, with all streams under way. */
const AFTER_STEPS = 60;
const LOOK_MS = 100;
/** How long the streams continue before the hanging thread returns. */
const WAKE_MS = 1_000;

class Server {
  port = Number(values.port);
  /** Exit code or signal of each end. */
  readonly ends: (number | string)[] = [];
  restarts = 0;
  private child: ChildProcess | null = null;
  private told: (report: Report | null) => void = () => {};
  private readonly options: object;
  private over = false;

  constructor(options: object) {
    this.options = options;
  }

  /** Starts the server, and restarts it whenever it fails, as a supervisor does. */
  async start(): Promise<void> {
    const program = fileURLToPath(new URL('./lanes-server.js', import.meta.url));
    const child = fork(program, [JSON.stringify({ ...this.options, port: this.port })]);
    this.child = child;
    child.on('message', (report: Report) => this.told(report));
    child.once('exit', (code, signal) => {
      this.told(null);
      this.ends.push(signal ?? code ?? 0);
      if (this.over) return;
      this.restarts++;
      void this.start();
    });
    const [{ port }] = (await once(child, 'message')) as [Report];
    this.port = port;
  }

  say(order: Order): void {
    this.child?.send(order);
  }

  /** Null: it is ending. */
  async report(): Promise<Report | null> {
    const { child } = this;
    if (child === null || !child.connected) return null;
    return new Promise((resolve) => {
      this.told = resolve;
      this.say({ report: true });
    });
  }

  async stop(): Promise<void> {
    this.over = true;
    const ended = once(this.child!, 'exit'); // it was started
    this.say({ drain: true });
    await ended;
  }
}

async function speechOf(i: number): Promise<Int16Array> {
  const speech = new Int16Array(SPOKEN_SECONDS * 16_000);
  let at = 0;
  for (let clip = i; at < speech.length; clip++) {
    const part = await loadClip(clips[clip % clips.length]!.file); // within
    speech.set(part.subarray(0, speech.length - at), at);
    at += part.length + 16_000;
  }
  return speech;
}

interface Told {
  readonly words: string[];
  readonly longestSilenceMs: number;
}

/** One speaker in real time, who reconnects after every failure. */
async function speak(port: number, i: number): Promise<Told> {
  const client = new RNNTClient({ url: `ws://127.0.0.1:${port}/ws/transcribe`, pingIntervalMs: 1_000 });
  let heardMs = performance.now();
  let longestSilenceMs = 0;
  client.on('partial', () => {
    longestSilenceMs = Math.max(longestSilenceMs, performance.now() - heardMs);
    heardMs = performance.now();
  });
  await client.start({ words: true });
  heardMs = performance.now();
  await client.sendAll(await speechOf(i), { speed: 1 });
  const { segments, lost } = await client.stop();
  client.close();
  const words = segments.flatMap((segment) =>
    segment.words.map(({ word, start, end }) => `${word} ${start.toFixed(3)} ${end.toFixed(3)}`),
  );
  if (lost.length > 0) throw new Error(`lost: ${JSON.stringify(lost)}`);
  return { words, longestSilenceMs };
}

const all = (port: number): Promise<Told[]> =>
  Promise.all(Array.from({ length: streams }, (_, i) => speak(port, i)));
const longest = (told: readonly Told[]): number =>
  Math.round(Math.max(...told.map((it) => it.longestSilenceMs)));

function compare(told: readonly Told[], undisturbed: readonly Told[]) {
  let words = 0;
  let lost = 0;
  for (const [i, { words: expected }] of undisturbed.entries()) {
    words += expected.length;
    const heard = told[i]?.words ?? [];
    lost +=
      expected.filter((word) => !heard.includes(word)).length + Math.max(0, heard.length - expected.length);
  }
  return { words, words_lost_or_changed: lost, longest_silence_ms: longest(told) };
}

const print = (row: object): void => void process.stdout.write(`${JSON.stringify(row)}\n`);

const server = new Server({ lanes: 2, maxStreams: 4 * streams });
await server.start();
const undisturbed = await all(server.port);
print({ injected: 'nothing', longest_silence_ms: longest(undisturbed) });
for (const fault of FAULTS.filter((it) => values.only === undefined || it.startsWith(values.only))) {
  const speaking = all(server.port);
  const count = async () => {
    const { laneFailures = 0, hungSteps = 0 } = (await server.report()) ?? {};
    return laneFailures + hungSteps;
  };
  const before = await count();
  server.say({ arm: fault, afterSteps: AFTER_STEPS });
  while ((await count()) === before) await setTimeout(LOOK_MS);
  if (fault.startsWith('hang')) {
    await setTimeout(WAKE_MS);
    server.say({ open: true });
  }
  const row = compare(await speaking, undisturbed);
  const { quarantined, hungThreads } = (await server.report()) ?? {};
  print({ injected: fault, ...row, quarantined, hung_threads: hungThreads });
  if (row.words_lost_or_changed > 0) process.exitCode = 1;
}
await server.stop();

// Threads hang until the process cannot continue: it ends, and a supervisor restarts it.
if (values.only === undefined || values.only === 'end') {
  const ending = new Server({ lanes: 1, maxStreams: streams });
  await ending.start();
  const speaking = all(ending.port);
  await setTimeout(WAKE_MS);
  while (ending.ends.length === 0) {
    const report = await ending.report();
    if (report?.armed === false) ending.say({ arm: 'hang before', afterSteps: 0 });
    await setTimeout(LOOK_MS);
  }
  const row = compare(await speaking, undisturbed);
  print({ injected: 'hangs, one after the other', ...row, ended: ending.ends, restarts: ending.restarts });
  await ending.stop();
}
