/** Runs a graph that a test built or composed, in this process. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { GraphBuilder, Value } from '../../src/import/builder.js';
import { type GraphProto, TYPE, value, writeModel } from '../../src/import/onnx.js';

export interface Feed {
  readonly dims: readonly number[];
  /** Int32Array: int32; anything else: float32. */
  readonly data: ArrayLike<number>;
}
export interface Answer {
  readonly dims: readonly number[];
  readonly data: number[];
}

export const bytesOfGraph = (graph: GraphProto, opset: number): Uint8Array =>
  writeModel({ ir: 8, opsets: [{ domain: '', version: opset }], graph, meta: [] });

/** The graph `x` (float32, any size) → `outputs`. */
export function graphOf(builder: GraphBuilder, outputs: Record<string, Value>): GraphProto {
  for (const [name, made] of Object.entries(outputs)) builder.output(made, name);
  const inputs = [value('x', TYPE.float, ['B', 'n'])];
  const told = Object.keys(outputs).map((name) => ({ name }));
  return builder.finish('test', inputs, told, { outermost: true });
}

export function openSession(bytes: Uint8Array): Promise<InferenceSession> {
  return InferenceSession.create(bytes, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
}

export async function runGraph(
  bytes: Uint8Array,
  feeds: Record<string, Feed>,
): Promise<Record<string, Answer>> {
  const session = await openSession(bytes);
  const tensors = Object.entries(feeds).map(([name, { dims, data }]) => [
    name,
    data instanceof Int32Array
      ? new Tensor('int32', data, dims)
      : new Tensor('float32', Float32Array.from(data), dims),
  ]);
  const answer = await session.run(Object.fromEntries(tensors));
  await session.release();
  const told = Object.entries(answer).map(([name, { dims, data }]) => [
    name,
    { dims: [...dims], data: Array.from(data as Float32Array, Number) },
  ]);
  return Object.fromEntries(told);
}
