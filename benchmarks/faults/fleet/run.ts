/**
 * `npm run faults -- fleet [--speakers 60] [--seed 18] [--rounds 1] [--only WORD] [--json FILE] [--note TEXT]`: three server processes, Redis, nginx with
 * deploy/nginx.conf, and people who speak in real time while one thing after another breaks. Then the same is said again,
 * undisturbed, and compared. Fails if a word, a time, a confidence or an event differs.
 *
 * `npm run faults -- fleet --cost [--streams 256] [--seconds 20] [--turns 2]`: what the checkpoints cost.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seeded } from '../../../test/helpers/cut-runs.js';
import { type Kind, type Said, Script, speak, Trace } from '../../../test/helpers/fleet-speaker.js';
import { TestNginx } from '../../../test/helpers/nginx.js';
import { type ProcessFleet, startProcessFleet } from '../../../test/helpers/process-fleet.js';
import { compare } from './compare.js';
import { measureCost } from './cost.js';
import { FAULTS, type Scene, settled, upstreams } from './faults.js';
import { RedisWatch } from './redis-load.js';
import { type FaultWindow, figuresOf, naturalSilences, save } from './report.js';

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    speakers: { type: 'string', default: '60' },
    seed: { type: 'string', default: '18' },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string' },
    cost: { type: 'boolean', default: false },
    streams: { type: 'string', default: '256' },
    seconds: { type: 'string', default: '20' },
    turns: { type: 'string', default: '2' },
    note: { type: 'string' },
    json: { type: 'string', default: 'benchmarks/results/fleet.json' },
  },
});

const SERVERS = 3;
/** Between one fault that is over and the next: at least, and by chance up to so much more. */
const PAUSE_MS = 3_000;
const PAUSE_SPREAD_MS = 5_000;
/** Speakers begin one after another. */
const ARRIVAL_MS = 100;
/** How many say it again at once, as fast as they are heard. */
const AGAIN_AT_ONCE = 16;

const random = seeded(Number(values.seed));

function shuffled<T>(items: readonly T[]): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j]!, all[i]!]; // both within
  }
  return all;
}

/** One of two uses the client library, the others the client that was written from the documentation. */
const kindOf = (i: number): Kind => (i % 2 === 0 ? 'library' : 'model');

async function breakThings(scene: Scene): Promise<FaultWindow[]> {
  const windows: FaultWindow[] = [];
  const names = Object.keys(FAULTS).filter((name) => name.includes(values.only ?? ''));
  const plan = Array.from({ length: Number(values.rounds) }, () => shuffled(names)).flat();
  await settled(scene, performance.now());
  for (const name of plan) {
    await wait(PAUSE_MS + random() * PAUSE_SPREAD_MS);
    const fromMs = performance.now();
    await FAULTS[name]?.(scene);
    const isOver = await settled(scene, performance.now()).then(
      () => true,
      () => false,
    );
    const toMs = performance.now();
    windows.push({ name, fromMs, toMs, isOver });
    process.stderr.write(`${name}: ${isOver ? '' : 'not '}over after ${Math.round(toMs - fromMs)} ms\n`);
  }
  return windows;
}

/** Says all of it again, to one server and without a fault. */
async function sayAgain(fleet: ProcessFleet, scripts: readonly Script[]): Promise<Said[]> {
  const said: Said[] = [];
  const left = scripts.map((script, i) => ({ script, i }));
  const sayNext = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { script, i } = next;
      const url = () => fleet.servers[i % SERVERS]!.ws; // within
      said[i] = await speak(kindOf(i), script, { clientId: `undisturbed-${i}`, url });
    }
  };
  await Promise.all(Array.from({ length: AGAIN_AT_ONCE }, sayNext));
  return said;
}

async function faults(): Promise<void> {
  const speakers = Number(values.speakers);
  const beganMs = performance.now();
  const fleet = await startProcessFleet(SERVERS, '--max-streams', String(speakers + 8));
  let nginx: TestNginx | null = null;
  try {
    nginx = await TestNginx.start('nginx.conf', upstreams(fleet), '/health');
    const { ws } = nginx;
    const scripts = await Promise.all(
      Array.from({ length: speakers }, (_, i) => Script.of(seeded(Number(values.seed) * 1_000 + i))),
    );
    const traces = scripts.map(() => new Trace());
    const redis = await RedisWatch.start(fleet.redis.url);
    const speaking = Promise.all(
      scripts.map(async (script, i) => {
        await wait(i * ARRIVAL_MS);
        const url = () => `${ws}/ws/transcribe`;
        const options = { clientId: `speaker-${i}`, url, speed: 1, trace: traces[i]! }; // as many
        return speak(kindOf(i), script, options).catch((error: unknown) => {
          process.stderr.write(`speaker ${i}: ${error}\n`);
          return { told: [String(error)], answers: [], words: [] };
        });
      }),
    );
    const windows = await breakThings({ fleet, nginx, traces, random });
    for (const script of scripts) script.end();
    const disturbed = await speaking;
    const load = await redis.stop();
    process.stderr.write('saying it again, undisturbed\n');
    const undisturbed = await sayAgain(fleet, scripts);
    const spokenSeconds = scripts.reduce((sum, { seconds }) => sum + seconds, 0);
    const report = {
      note: values.note ?? null,
      servers: SERVERS,
      speakers,
      seed: Number(values.seed),
      took_s: Math.round((performance.now() - beganMs) / 1000),
      speech_s: Math.round(spokenSeconds),
      ...compare(disturbed, undisturbed),
      faults: figuresOf(windows, traces),
      silence_without_faults_ms: naturalSilences(windows, traces),
      redis: load,
      redis_bytes_per_s_per_stream: Math.round(load.bytes_in / spokenSeconds),
    };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    await save(values.json, 'faults', report);
    if (report.speakers_that_differ > 0 || windows.some(({ isOver }) => !isOver)) process.exitCode = 1;
  } finally {
    await nginx?.stop();
    await fleet.stop();
  }
}

if (values.cost) {
  const { note = null } = values;
  const cost = {
    note,
    ...(await measureCost(Number(values.streams), Number(values.seconds), Number(values.turns))),
  };
  process.stdout.write(`${JSON.stringify(cost, null, 2)}\n`);
  await save(values.json, 'cost', cost);
} else await faults();
