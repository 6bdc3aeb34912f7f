/**
 * A lane: one thread with one ONNX session. It gathers the batch from the slab, runs one step, and scatters the result
 * back. Its buffers are created once, at the size of the largest batch. Per step and slot it creates only small view
 * objects; bulk data is copied between existing buffers.
 */
import { createRequire } from 'node:module';
import { workerData } from 'node:worker_threads';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EDGE_INTS } from '../src/inference/hotwords.js';
import {
  BANK,
  bankAt,
  FRESH,
  HEADER_INTS,
  PREVIEW_INTS,
  PROMPT,
  READ,
  type ResultPart,
  RING,
  type TensorLayout,
  TIME_INTS,
  VALID,
} from '../src/inference/layout.js';
import type { LaneAnswer, LaneSetup, LaneTask } from '../src/inference/messages.js';
import { probeWhileShort } from '../src/inference/probe.js';
import { STATE_TYPES } from '../src/models/manifest.js';

// Loaded with require, to distinguish a failing native library from a failing graph.
const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node');

type Arrays = Float32Array | Uint16Array | Int32Array | BigInt64Array | Int8Array | Uint8Array;

/** One state tensor's gathered batch, with the same memory as bytes. */
interface Gathered {
  readonly layout: TensorLayout;
  readonly array: Arrays;
  readonly bytes: Uint8Array;
}

const setup = (Array.isArray(workerData) ? workerData[1] : workerData) as LaneSetup;
const { layout, slab, maxBatch, names } = setup;
const { chunkSamples, windowSamples, frames, hotwordInts, result, ringSamples } = layout;

// Views of parts, since the whole slab may be larger than a typed array can be.
const slabInt16 = new Int16Array(slab, layout.ringAt, layout.slots * ringSamples);
const header = new Int32Array(slab, layout.headerAt, layout.slots * HEADER_INTS);
const resultElements = layout.resultBytes / 4;
const results = new Int32Array(slab, layout.resultAt, layout.slots * resultElements);
const resultsFloat = new Float32Array(slab, layout.resultAt, layout.slots * resultElements);
/** Two per slot, created when first needed. */
const banks: (Uint8Array | undefined)[] = [];
const batch = new Int32Array(setup.batch);

const audio = new Float32Array(maxBatch * windowSamples);
const hotwords = new Int32Array(maxBatch * hotwordInts);
const prompts = new Int32Array(maxBatch).fill(layout.autoPrompt);
const slabHotwords = new Int32Array(slab, layout.hotwordsAt, layout.slots * hotwordInts);
const state: Gathered[] = layout.state.map((tensor) => {
  const buffer = new ArrayBuffer(maxBatch * tensor.bytes);
  const array = STATE_TYPES[tensor.type].make(buffer, 0, maxBatch * tensor.elements);
  return { layout: tensor, array, bytes: new Uint8Array(buffer) };
});

/** An output of the graph that is copied to the slots' results. */
interface Told {
  readonly name: string;
  readonly type: 'int32' | 'float32';
  /** Without the batch axis. */
  readonly shape: readonly number[];
  readonly part: ResultPart;
}
const toldAs = (name: string | null, type: Told['type'], part: ResultPart, shape = [part.count]): Told[] =>
  name === null ? [] : [{ name, type, shape, part }];
const told = [
  ...toldAs(names.tokens, 'int32', result.tokens),
  ...toldAs(names.logp, 'float32', result.logp),
  ...toldAs(names.vad, 'float32', result.vad),
  ...toldAs(names.times, 'int32', result.times, [result.tokens.count, TIME_INTS]),
  ...toldAs(names.preview, 'int32', result.preview, [result.previewLogp.count, PREVIEW_INTS]),
  ...toldAs(names.previewLogp, 'float32', result.previewLogp),
];

let session: InferenceSession | null = null;
/** Feeds by batch size: tensors over the first rows of the gathered arrays. Bounded by maxBatch. */
const feedsBySize: (Record<string, Tensor> | undefined)[] = [];

function feedsFor(size: number): Record<string, Tensor> {
  const known = feedsBySize[size];
  if (known) return known;
  const feeds: Record<string, Tensor> = {
    [names.audio]: new ort.Tensor('float32', audio.subarray(0, size * windowSamples), [size, windowSamples]),
  };
  for (const { layout: tensor, array } of state) {
    const rows = array.subarray(0, size * tensor.elements);
    feeds[tensor.input] = new ort.Tensor(tensor.type, rows as Float32Array, [
      size,
      ...tensor.shape,
    ]) as Tensor;
  }
  if (names.hotwords !== null) {
    const rows = hotwords.subarray(0, size * hotwordInts);
    feeds[names.hotwords] = new ort.Tensor('int32', rows, [size, hotwordInts / EDGE_INTS, EDGE_INTS]);
  }
  if (names.prompt !== null) {
    feeds[names.prompt] = new ort.Tensor('int32', prompts.subarray(0, size), [size]);
  }
  feedsBySize[size] = feeds;
  return feeds;
}

/** Start of a slot's result among the results, in elements. */
const resultAt = (slot: number): number => slot * resultElements;

function bankOf(slot: number, bank: number): Uint8Array {
  const known = banks[2 * slot + bank];
  if (known) return known;
  const made = new Uint8Array(slab, bankAt(layout, slot, bank), layout.stateBytes);
  banks[2 * slot + bank] = made;
  return made;
}

/** Gathers one slot's window as float32 −1…1, padded with silence, and the RMS level of each frame of its chunk. */
function gatherAudio(slot: number, row: number): void {
  const read = header[slot * HEADER_INTS + READ]!;
  const valid = header[slot * HEADER_INTS + VALID]!;
  const ring = header[slot * HEADER_INTS + RING]! * ringSamples;
  const to = row * windowSamples;
  const untilWrap = Math.min(valid, ringSamples - read);
  for (let i = 0; i < untilWrap; i++) audio[to + i] = slabInt16[ring + read + i]! / 32768;
  for (let i = untilWrap; i < valid; i++) audio[to + i] = slabInt16[ring + i - untilWrap]! / 32768;
  audio.fill(0, to + valid, to + windowSamples);

  const frameSamples = chunkSamples / frames;
  const rmsAt = resultAt(slot) + result.rms.at;
  for (let frame = 0; frame < frames; frame++) {
    let energy = 0;
    const end = to + Math.round((frame + 1) * frameSamples);
    for (let i = to + Math.round(frame * frameSamples); i < end; i++) energy += audio[i]! * audio[i]!;
    resultsFloat[rmsAt + frame] = Math.sqrt(energy / frameSamples);
  }
}

function gather(count: number): void {
  for (let row = 0; row < count; row++) {
    const slot = batch[row]!;
    gatherAudio(slot, row);
    hotwords.set(slabHotwords.subarray(slot * hotwordInts, (slot + 1) * hotwordInts), row * hotwordInts);
    prompts[row] = header[slot * HEADER_INTS + PROMPT]!;
    const fresh = header[slot * HEADER_INTS + FRESH] === 1;
    const from = bankOf(slot, header[slot * HEADER_INTS + BANK]!);
    for (const { layout: tensor, bytes } of state) {
      const to = row * tensor.bytes;
      if (fresh) bytes.fill(0, to, to + tensor.bytes);
      else bytes.set(from.subarray(tensor.offset, tensor.offset + tensor.bytes), to);
    }
  }
}

function scatter(count: number, answer: InferenceSession.OnnxValueMapType): void {
  for (const { name, type, part } of told) {
    const data = answer[name]!.data as Int32Array | Float32Array;
    const to = type === 'int32' ? results : resultsFloat;
    for (let row = 0; row < count; row++) {
      const at = resultAt(batch[row]!) + part.at;
      for (let i = 0; i < part.count; i++) to[at + i] = data[row * part.count + i]!;
    }
  }
  if (names.vad === null) {
    for (let row = 0; row < count; row++) {
      const at = resultAt(batch[row]!) + result.vad.at;
      resultsFloat.fill(-1, at, at + frames);
    }
  }
  for (const { layout: tensor } of state) {
    const data = answer[tensor.output]!.data as Float32Array;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (let row = 0; row < count; row++) {
      const slot = batch[row]!;
      const next = bankOf(slot, 1 - header[slot * HEADER_INTS + BANK]!);
      next.set(bytes.subarray(row * tensor.bytes, (row + 1) * tensor.bytes), tensor.offset);
    }
  }
}

async function init(): Promise<LaneAnswer> {
  const started = performance.now();
  session = await ort.InferenceSession.create(setup.graphPath, {
    executionProviders: setup.provider === 'cuda' ? ['cuda'] : ['cpu'],
    intraOpNumThreads: setup.threads,
    interOpNumThreads: 1,
    // Threads that spin while waiting would take the cores from the other lanes.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  checkNames(session);
  checkOutputs(await session.run(feedsFor(1)));
  const warming = session;
  await probeWhileShort(maxBatch, setup.longestStepMs, async (size) => {
    const running = performance.now();
    await warming.run(feedsFor(size));
    return performance.now() - running;
  });
  const stepMs = performance.now() - started;
  return { runMs: stepMs, stepMs };
}

function checkNames(made: InferenceSession): void {
  const inputs = [names.audio, ...layout.state.map((tensor) => tensor.input)];
  const outputs = [...told.map(({ name }) => name), ...layout.state.map((tensor) => tensor.output)];
  if (names.hotwords !== null) inputs.push(names.hotwords);
  if (names.prompt !== null) inputs.push(names.prompt);
  const missing = [
    ...inputs.filter((name) => !made.inputNames.includes(name)).map((name) => `input ${name}`),
    ...outputs.filter((name) => !made.outputNames.includes(name)).map((name) => `output ${name}`),
    ...made.inputNames.filter((name) => !inputs.includes(name)).map((name) => `a value for input ${name}`),
  ];
  if (missing.length > 0) {
    throw new Error(`the graph and its manifest disagree: missing ${missing.join(', ')}`);
  }
}

/** Checks the types and sizes that scatter relies on: a wrong one would give garbage instead of an error. */
function checkOutputs(answer: InferenceSession.OnnxValueMapType): void {
  const check = (name: string, type: string, shape: readonly number[]): void => {
    const output = answer[name]!;
    const count = shape.reduce((n, d) => n * d, 1);
    if (output.type === type && output.size === count) return;
    throw new Error(
      `output ${name} is ${output.type} × ${output.size}, but the manifest says ${type} × ${count}`,
    );
  };
  for (const { name, type, shape } of told) {
    check(name, type, shape);
    const dims = answer[name]!.dims;
    if (shape.length < 2 || dims.join() === [1, ...shape].join()) continue;
    throw new Error(`output ${name} is (${dims.join(', ')}), but the manifest says (1, ${shape.join(', ')})`);
  }
  for (const tensor of layout.state) check(tensor.output, tensor.type, tensor.shape);
}

async function probe(size: number, repeats: number): Promise<LaneAnswer> {
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    await ready().run(feedsFor(size));
    times.push(performance.now() - started);
  }
  const fastest = Math.min(...times);
  return { runMs: fastest, stepMs: fastest };
}

async function step(count: number): Promise<LaneAnswer> {
  const started = performance.now();
  gather(count);
  const running = performance.now();
  const answer = await ready().run(feedsFor(count));
  const ran = performance.now();
  scatter(count, answer);
  return { runMs: ran - running, stepMs: performance.now() - started };
}

function ready(): InferenceSession {
  if (session === null) throw new Error('the lane has no session yet');
  return session;
}

export default function lane(task: LaneTask): Promise<LaneAnswer> {
  switch (task.kind) {
    case 'init':
      return init();
    case 'probe':
      return probe(task.batch, task.repeats);
    case 'step':
      return step(task.count);
  }
}
