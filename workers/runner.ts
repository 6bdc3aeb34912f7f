/** Runs one graph for src/inference/runner.ts. The session of the last graph is kept. */
import { createRequire } from 'node:module';
import type { InferenceSession } from 'onnxruntime-node';
import type { GraphTensor, RunnerAnswer, RunnerTask } from '../src/inference/runner.js';

const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node');

let open: { graph: RunnerTask['graph']; session: InferenceSession } | null = null;

const SILENT = 4;

async function sessionOf(graph: RunnerTask['graph']): Promise<InferenceSession> {
  // Only a path identifies a graph; bytes are a new copy each time.
  if (typeof graph === 'string' && open?.graph === graph) return open.session;
  await open?.session.release();
  open = null;
  const options: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Errors are thrown and reported by the caller.
    logSeverityLevel: SILENT,
  };
  const session =
    typeof graph === 'string'
      ? await ort.InferenceSession.create(graph, options)
      : await ort.InferenceSession.create(graph, options);
  open = { graph, session };
  return session;
}

export default async function run({ graph, feeds }: RunnerTask): Promise<RunnerAnswer> {
  const session = await sessionOf(graph);
  const tensors = Object.entries(feeds).map(([name, { type, data, dims }]) => [
    name,
    new ort.Tensor(type, data, dims),
  ]);
  const started = performance.now();
  const answer = await session.run(Object.fromEntries(tensors));
  const runMs = performance.now() - started;
  const outputs: Record<string, GraphTensor> = {};
  for (const [name, { type, dims, data }] of Object.entries(answer)) {
    outputs[name] = { type, dims, data } as GraphTensor;
  }
  return { outputs, runMs };
}
