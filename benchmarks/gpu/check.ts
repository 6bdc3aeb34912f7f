/**
 * What a GPU makes of imported models, in one run and without a network: the two trained fixtures' and fresh weights of the
 * shapes of real models are imported and run on the provider and on the CPU.
 *
 *   node scripts/gpu-check.mjs [--provider cuda] [--shapes fixtures,66m,114m,0.6b] [--batches 1,2,4,…,1024] [--steps 20] [--json FILE]
 *
 * Told for each: tokens that differ from the CPU's; a step's time by batch, whole (gather, run, scatter) and bare; how many streams hold
 * chunk latency p95 ≤ half a chunk, by simulation with these times; the share of a step that moving the state across the bus takes,
 * with float32 and float16 caches; memory of the device.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeFile } from '../../src/audio/file.js';
import { importModel } from '../../src/import/importer.js';
import type { StepTime } from '../../src/inference/capacity.js';
import type { Provider } from '../../src/inference/messages.js';
import { chunkMs, windowOf } from '../../src/models/manifest.js';
import { loadModel, type Model } from '../../src/models/store.js';
import { inPackage } from '../../src/paths.js';
import { simulate } from '../load/simulate.js';
import { Rig, transferGraph } from './rig.js';
import { type ShapeName, writeShape } from './shapes.js';

const { values } = parseArgs({
  options: {
    provider: { type: 'string', default: 'cuda' },
    shapes: { type: 'string', default: 'fixtures,66m,114m,0.6b' },
    batches: { type: 'string', default: '1,2,4,8,16,32,64,128,256,512,1024' },
    steps: { type: 'string', default: '20' },
    json: { type: 'string' },
  },
});
const provider = values.provider as Provider;
const batches = values.batches.split(',').map(Number);
const stepCount = Number(values.steps);
/** Larger batches are not tried once a step takes longer than this. */
const LONGEST_STEP_MS = 2_000;
const COMPARED_STREAMS = 4;
const FIXTURES = inPackage('test', 'fixtures', 'foreign');
const fixtures = readdirSync(FIXTURES).filter((name) => existsSync(join(FIXTURES, name, 'encoder.onnx')));

const speech = await decodeFile({ bytes: readFileSync(inPackage('static', 'sample.wav')), maxSeconds: 60 });

/** Megabytes in use on the device; null without one. */
function deviceMb(): number | null {
  if (provider !== 'cuda') return null;
  const asked = ['--query-gpu=memory.used', '--format=csv,noheader,nounits'];
  return Number(execFileSync('nvidia-smi', asked, { encoding: 'utf8' }).split('\n')[0]);
}

async function imported(shape: string, base: string): Promise<Model> {
  const isFixture = fixtures.includes(shape);
  const source = isFixture ? join(FIXTURES, shape) : join(base, shape);
  if (!isFixture) {
    mkdirSync(source);
    writeShape(source, shape as ShapeName);
  }
  const samples = Float32Array.from(speech.subarray(0, 32_000), (sample) => sample / 32_768);
  const { folder } = await importModel({
    source,
    out: join(base, 'models'),
    name: shape,
    precision: 'fp32',
    search: 'greedy',
    language: null,
    clip: { path: inPackage('static', 'sample.wav'), samples },
    sherpa: null,
    onProgress() {},
  });
  return loadModel(folder);
}

/**
 * The number of positions where tokens of some streams of speech differ from the CPU's, and the number of positions.
 */
async function differences(model: Model): Promise<{ differ: number; of: number }> {
  const said = [];
  for (const on of [provider, 'cpu'] as const) {
    const rig = await Rig.start(model, on, COMPARED_STREAMS);
    said.push(await rig.listen(speech, stepCount));
    await rig.close();
  }
  const [there = [], here = []] = said;
  return {
    differ: there.filter((token, i) => token !== here[i]).length,
    of: here.filter((it) => it >= 0).length,
  };
}

interface Step {
  readonly batch: number;
  readonly stepMs: number;
  readonly runMs: number;
}

async function stepTimes(model: Model): Promise<{ steps: Step[]; deviceMb: number | null }> {
  const before = deviceMb();
  const steps: Step[] = [];
  let used = before;
  for (const batch of batches) {
    if (!Rig.fits(model, batch)) break;
    const rig = await Rig.start(model, provider, batch);
    const times = await rig.time(stepCount);
    used = deviceMb();
    await rig.close();
    steps.push({ batch, ...times });
    if (times.stepMs > LONGEST_STEP_MS) break;
  }
  return { steps, deviceMb: used === null || before === null ? null : used - before };
}

/** The most streams for which the simulation keeps p95 ≤ chunk/2. */
async function held(model: Model, times: readonly StepTime[]): Promise<number> {
  const chunk = chunkMs(model.manifest);
  const aheadMs = (windowOf(model.manifest) - model.manifest.chunkSamples) / 16;
  let most = 0;
  for (let streams = 1; streams <= 8_192; streams = Math.ceil(streams * 1.25)) {
    const setting = { stepTimes: times, lanes: 1, chunkMs: chunk, aheadMs, wait: 'auto' as const };
    const { chunk: latency } = await simulate(streams, setting);
    if (latency.p95 > chunk / 2) break;
    most = streams;
  }
  return most;
}

/** Milliseconds to move the state of a batch to the device and back, by a graph that does nothing else. */
async function transfers(model: Model, base: string, batch: number) {
  const { manifest } = model;
  const result: Record<string, number> = {};
  for (const type of ['float32', 'float16'] as const) {
    const { state, bytes } = transferGraph(manifest, type);
    const graphPath = join(base, `${manifest.name}-${type}.onnx`);
    writeFileSync(graphPath, bytes);
    const rig = await Rig.start({ ...model, manifest: { ...manifest, state }, graphPath }, provider, batch);
    result[type] = (await rig.time(stepCount)).runMs;
    await rig.close();
  }
  return { batch, float32Ms: result.float32 ?? 0, float16Ms: result.float16 ?? 0 };
}

const round = (value: number): number => Math.round(value * 100) / 100;
const base = mkdtempSync(join(tmpdir(), 'rnnt-gpu-'));
const reports = [];
try {
  process.stdout.write(`${provider}; ${cpus()[0]?.model.trim()} × ${cpus().length}\n`);
  if (provider === 'cuda' && existsSync('/usr/bin/nvidia-smi'))
    process.stdout.write(execFileSync('nvidia-smi', ['-L']));
  for (const shape of values.shapes.split(',').flatMap((it) => (it === 'fixtures' ? fixtures : it))) {
    const started = performance.now();
    const model = await imported(shape, base);
    const seconds = round((performance.now() - started) / 1000);
    const compared = await differences(model);
    const { steps, deviceMb: mb } = await stepTimes(model);
    const last = steps.at(-1);
    const moved = last === undefined ? null : await transfers(model, base, last.batch);
    const streams = await held(
      model,
      steps.map(({ batch, stepMs }) => ({ batch, ms: stepMs })),
    );
    const report = { shape, importSeconds: seconds, compared, streams, deviceMb: mb, steps, moved };
    reports.push(report);
    process.stdout.write(
      `\n== ${shape}: imported in ${seconds} s; ${streams} streams hold p95 of half a chunk\n`,
    );
    process.stdout.write(`${compared.differ} of ${compared.of} tokens differ from the CPU's\n`);
    if (mb !== null) process.stdout.write(`${mb} MB on the device\n`);
    console.table(
      steps.map(({ batch, stepMs, runMs }) => ({ batch, 'step, ms': round(stepMs), 'run, ms': round(runMs), 'ms a stream': round(stepMs / batch) })), // biome-ignore format: a row
    );
    if (moved !== null && last !== undefined) {
      const share = (ms: number) => `${round(ms)} ms, ${Math.round((100 * ms) / last.runMs)} % of the run`;
      process.stdout.write(
        `state of ${moved.batch} streams there and back: float32 ${share(moved.float32Ms)}; float16 ${share(moved.float16Ms)}\n`,
      );
    }
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ provider, reports }, null, 1)}\n`);
