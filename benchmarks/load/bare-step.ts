/**
 * The bare ONNX step: CPU milliseconds of session.run() alone, in a process that does nothing else, at several batch
 * sizes; the reference for a server's CPU time. Prints JSON: {"1": ms, "2": ms, …}.
 */
import ort from 'onnxruntime-node';
import { EDGE_INTS } from '../../src/inference/hotwords.js';
import { elements, STATE_TYPES, windowOf } from '../../src/models/manifest.js';
import { loadModel } from '../../src/models/store.js';

const SIZES = [1, 2, 4, 8, 16, 32, 64];
/** Enough steps for a stable figure: about a second each. */
const MEASURE_MS = 800;

const { manifest, graphPath } = await loadModel(process.argv[2] ?? 'default');
const session = await ort.InferenceSession.create(graphPath, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
});

function feedsFor(batch: number): Record<string, ort.Tensor> {
  const samples = windowOf(manifest);
  const audio = Float32Array.from({ length: batch * samples }, (_, i) => Math.sin(i * 0.1) * 0.1);
  const feeds: Record<string, ort.Tensor> = {
    [manifest.inputs.audio]: new ort.Tensor('float32', audio, [batch, samples]),
  };
  const { hotwords } = manifest.inputs;
  if (hotwords !== undefined) {
    const shape = [batch, manifest.hotwordEdges ?? 0, EDGE_INTS];
    const none = new Int32Array(shape.reduce((n, d) => n * d, 1));
    feeds[hotwords] = new ort.Tensor('int32', none, shape);
  }
  for (const tensor of manifest.state) {
    const count = batch * elements(tensor);
    const array = STATE_TYPES[tensor.type].make(
      new ArrayBuffer(count * STATE_TYPES[tensor.type].bytes),
      0,
      count,
    );
    feeds[tensor.input] = new ort.Tensor(tensor.type, array as Float32Array, [
      batch,
      ...tensor.shape,
    ]) as ort.Tensor;
  }
  return feeds;
}

const result: Record<string, number> = {};
for (const size of SIZES) {
  const feeds = feedsFor(size);
  for (let i = 0; i < 3; i++) await session.run(feeds);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  let steps = 0;
  while (performance.now() - startedMs < MEASURE_MS) {
    await session.run(feeds);
    steps++;
  }
  const { user, system } = process.cpuUsage(cpu);
  result[size] = (user + system) / 1000 / steps;
}
process.stdout.write(`${JSON.stringify(result)}\n`);
