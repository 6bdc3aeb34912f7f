/**
 * What rnnt-server says of itself, held against a load.
 *
 *   npm run bench:rating -- [--models default,3m-fp32,66m-fp32] [--seconds 20] [--minutes 45]      the rating, and what holds
 *   npm run bench:wait -- [--models 66m-fp32] [--streams 4,16,30] [--waits 0,auto] [--seconds 30]  what a wait in the batcher brings
 *
 * A model is `default`, a folder, or SHAPE-PRECISION with fresh weights as in run.ts. Finished rows are kept below --work;
 * --fresh begins anew.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { targetMs } from '../../src/inference/capacity.js';
import { chunkMs } from '../../src/models/manifest.js';
import { loadModel } from '../../src/models/store.js';
import { inPackage, packageVersion } from '../../src/paths.js';
import { humanClips } from './client.js';
import { PRECISIONS, type Precision, prepareModel, Rows } from './models.js';
import { measureRow, type Row } from './row.js';
import { startOurs } from './servers.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: 'string' },
    streams: { type: 'string', default: '4,16,30' },
    waits: { type: 'string', default: '0,auto' },
    seconds: { type: 'string', default: '20' },
    warm: { type: 'string', default: '4' },
    minutes: { type: 'string', default: '45' },
    fresh: { type: 'boolean', default: false },
    work: { type: 'string', default: inPackage('.cache', 'peers') },
    results: { type: 'string', default: inPackage('benchmarks', 'results') },
  },
});
const [seconds, warmSeconds] = [Number(values.seconds), Number(values.warm)];
const untilMs = performance.now() + Number(values.minutes) * 60_000;
if (values.fresh) rmSync(join(values.work, 'own-rows.json'), { force: true });
mkdirSync(values.work, { recursive: true });
const rows = new Rows<Row>(join(values.work, 'own-rows.json'));
const clips = await humanClips();

class OutOfTime extends Error {}

/** A minute of the clips with pauses: a stream that does not end within the window. */
function monologue(): Float32Array {
  const pause = 8_000;
  const whole = new Float32Array(60 * 16_000);
  let at = 0;
  for (let i = 0; at < whole.length; i = (i + 1) % clips.length) {
    const clip = clips[i] as Float32Array;
    whole.set(clip.subarray(0, whole.length - at), at);
    at += clip.length + pause;
  }
  return whole;
}

function folderOf(model: string): string {
  const found = /^(.+)-(fp32|int8)$/.exec(model);
  const [, shape = '', precision = 'fp32'] = found ?? [];
  if (found === null || !(PRECISIONS as readonly string[]).includes(precision)) return model;
  return prepareModel(shape, precision as Precision, values.work).folder;
}

async function rowOf(
  model: string,
  streams: number,
  options: readonly string[],
  speech: readonly Float32Array[],
): Promise<Row> {
  const kind = speech.length === 1 ? 'monologues' : 'utterances';
  const key = `${model} ${kind} ${options.join(' ')} ${streams} × ${seconds} s`;
  const row = await rows.get(key, () => {
    if (performance.now() > untilMs) throw new OutOfTime();
    const start = () => startOurs(folderOf(model), ['--admission', 'slots', ...options]);
    return measureRow({ start, streams, clips: speech, warmSeconds, seconds });
  });
  const { own, final_ms, cpu_ms_per_stream_second, busy_before } = row;
  process.stdout.write(
    `${model.padEnd(10)} ${options.join(' ').padEnd(22)} ${String(streams).padStart(3)} streams  chunk p50 ${own?.chunk_ms.p50} p95 ${own?.chunk_ms.p95} ms  ` +
      `final p50 ${final_ms.p50} p95 ${final_ms.p95} ms  cpu ${cpu_ms_per_stream_second} ms/stream-s  batch ${own?.batch_mean}  ` +
      `lanes busy ${own?.lanes_busy.toFixed(2)}  rss ${row.rss_mb} MB  (load before ${busy_before})\n`,
  );
  return row;
}

const machine = { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version };
function write(name: string, figures: object): void {
  const report = { made: new Date().toISOString(), version: packageVersion, machine, seconds, ...figures };
  writeFileSync(join(values.results, name), `${JSON.stringify(report, null, 1)}\n`);
}

/** What the server rates itself at when it starts, and the step times that say so. */
async function ratingOf(model: string): Promise<{ streams: number; stepMs: Record<string, number> }> {
  const peer = await startOurs(folderOf(model), []);
  const { capacity } = (await (await fetch(`${peer.http}/health/extended`)).json()) as {
    capacity: { streams: number; step_ms: Record<string, number> };
  };
  await peer.stop();
  return { streams: capacity.streams, stepMs: capacity.step_ms };
}

/** The most streams whose chunks hold the target (p95), to within a twentieth. */
async function heldBy(model: string, rated: number, mostMs: number): Promise<number> {
  const speech = [monologue()];
  const holds = async (streams: number): Promise<boolean> => {
    const { own, failed, lost } = await rowOf(model, streams, [], speech);
    return own !== null && own.chunk_ms.p95 <= mostMs && failed === 0 && lost === 0;
  };
  let [low, high] = [0, Number.POSITIVE_INFINITY];
  for (let streams = rated; high - low > Math.max(1, low / 20); ) {
    if (await holds(streams)) low = streams;
    else high = streams;
    if (high <= 1) return 0;
    streams =
      high === Number.POSITIVE_INFINITY
        ? Math.max(low + 1, Math.round(low * 1.2))
        : low === 0
          ? Math.max(1, Math.round(high / 1.3))
          : Math.round((low + high) / 2);
  }
  return low;
}

async function rating(models: readonly string[]): Promise<void> {
  const figures = [];
  try {
    for (const model of models) {
      const { manifest } = await loadModel(folderOf(model));
      const most = targetMs(0, chunkMs(manifest));
      const { streams, stepMs } = await ratingOf(model);
      const held = await heldBy(model, streams, most);
      figures.push({ model, target_ms: most, rated: streams, held, step_ms: stepMs });
      process.stdout.write(
        `${model}: rated ${streams}, held ${held} with chunk p95 ≤ ${most} ms: ${Math.round((100 * streams) / held)} %; steps ${JSON.stringify(stepMs)}\n`,
      );
    }
  } catch (error) {
    if (!(error instanceof OutOfTime)) throw error;
    process.stdout.write('out of time; run it again to go on\n');
  }
  console.table(figures.map(({ step_ms: _, ...rest }) => rest));
  write('rating.json', { models: figures });
}

async function waiting(models: readonly string[]): Promise<void> {
  const figures = [];
  try {
    for (const model of models) {
      for (const streams of values.streams.split(',').map(Number)) {
        for (const wait of values.waits.split(',')) {
          const row = await rowOf(model, streams, ['--batch-wait-ms', wait], clips);
          figures.push({ model, wait, ...row });
        }
      }
    }
  } catch (error) {
    if (!(error instanceof OutOfTime)) throw error;
    process.stdout.write('out of time; run it again to go on\n');
  }
  write('wait.json', { rows: figures });
}

const command = positionals[0] ?? 'rating';
if (command === 'rating') {
  await rating((values.models ?? 'default,3m-fp32,23m-fp32,66m-fp32,66m-int8,114m-fp32').split(','));
} else if (command === 'wait') await waiting((values.models ?? '66m-fp32').split(','));
else throw new Error(`${command}: rating or wait`);
