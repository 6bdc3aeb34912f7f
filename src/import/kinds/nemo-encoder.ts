/**
 * The properties of a cache-aware NeMo encoder. They come from the metadata of an export for sherpa-onnx. NeMo's own
 * `model.export()` writes none; there the graph shows the chunk, the left context and the cache widths.
 * https://github.com/k2-fsa/sherpa-onnx (scripts/nemo, online-transducer-nemo-model.cc)
 */
import { LIMITS } from '../../limits.js';
import { FRAME_SHIFT, windowOf } from '../features.js';
import { Metadata, unsupported } from '../meta.js';
import {
  dimsOf,
  type GraphProto,
  graphInputs,
  integersOf,
  isExternal,
  type NodeProto,
  nameOf,
  TYPE,
  type ValueProto,
} from '../onnx.js';
import type { Streaming } from '../options.js';
import { rowPart, type StatePart } from '../state.js';
import type { Model, Prompts } from '../step.js';

export interface NemoEncoder {
  readonly bands: number;
  /** Feature frames of 10 ms: the window, the frames by which it advances, and the frames of output. */
  readonly window: number;
  readonly shift: number;
  readonly frames: number;
  /** The caches over channels and over time, and the filled length of the first. */
  readonly caches: readonly [StatePart, StatePart, StatePart];
  /** For a multilingual encoder. */
  readonly prompts: Prompts | null;
}

const EXPORTER = 'sherpa-onnx’s script for streaming NeMo models';
const MS_PER_FRAME = 10;
/** Consecutive feature frames that NeMo's strided convolutions combine into one frame. */
const SUBSAMPLING = 8;
/** Feature frames before a chunk that these convolutions use. */
const PRE_ENCODE = SUBSAMPLING + 1;
/** Operators that keep the number of frames. */
const FRAMEWISE = ['Transpose', 'Concat', 'MatMul', 'Gemm', 'Add', 'Relu', 'Identity', 'Cast'];

const refuse = (why: string, advice = 'Download the model again, or export it again.') =>
  unsupported(why, advice);

/** @throws ServerError MODEL_UNSUPPORTED if it cannot stream or does not match its description */
export function readNemoEncoder(model: Model, given: Streaming): NemoEncoder {
  const [audio, length, channel, time, filled, prompt, ...others] = graphInputs(model.graph);
  if (audio === undefined || length === undefined || channel === undefined || time === undefined) {
    throw refuse(
      'This NeMo encoder has no caches: it takes whole recordings (Parakeet, Canary, or exported without cache_support).',
      'Use a cache-aware streaming model, exported with set_export_config({"cache_support": True}).',
    );
  }
  const outputs = model.graph.outputs.length;
  if (filled === undefined || others.length > 0 || outputs !== 5) {
    throw refuse(
      `The encoder has ${graphInputs(model.graph).length} inputs and ${outputs} outputs; a cache-aware NeMo encoder has 5 (6 with a prompt) and 5.`,
    );
  }
  for (const it of [audio, channel, time]) checkBatch(it);
  const [, bands, seen] = dimsOf(audio);
  if (typeof bands !== 'number') throw refuse('The encoder does not declare its number of mel bands.');
  const meta = new Metadata(model, 'encoder', EXPORTER);
  const isDescribed = meta.text('window_size') !== undefined;
  const sizes = isDescribed ? sizesOfMetadata(meta) : sizesOfGraph(model.graph, channel, time, given);
  const { window, shift, subsampling } = sizes;
  const isBounded =
    FRAME_SHIFT * shift <= LIMITS.maxChunkSamples && windowOf(window) <= LIMITS.maxWindowSamples;
  const fits = shift % subsampling === 0 && window >= shift && isBounded;
  if (!fits || (typeof seen === 'number' && seen !== window)) {
    throw refuse(
      `The encoder’s metadata says ${window} frames per window and a shift of ${shift}, but it takes (${dimsOf(audio)}).`,
    );
  }
  checkDims(channel, sizes.channel);
  checkDims(time, sizes.time);
  return {
    bands,
    window,
    shift,
    frames: shift / subsampling,
    caches: [
      rowPart(`cache/${nameOf(channel)}`, ...sizes.channel),
      rowPart(`cache/${nameOf(time)}`, ...sizes.time),
      { name: `cache/${nameOf(filled)}`, dims: [], axis: 0, element: TYPE.int64 },
    ],
    prompts: prompt === undefined ? null : promptsOf(model),
  };
}

function checkBatch(input: ValueProto): void {
  const [batch, ...dims] = dimsOf(input);
  if (typeof batch === 'string') return;
  throw refuse(
    `The encoder was exported for a fixed batch: its input ${nameOf(input)} is (${[batch, ...dims]}).`,
    'Files for parakeet-rs and onnxruntime-genai are like that: use those for sherpa-onnx, or NeMo’s own export.',
  );
}

interface Sizes {
  readonly window: number;
  readonly shift: number;
  readonly subsampling: number;
  /** (layers, left context, width) */
  readonly channel: readonly number[];
  /** (layers, width, kernel − 1) */
  readonly time: readonly number[];
}

function sizesOfMetadata(meta: Metadata): Sizes {
  const dims = (cache: string) => [1, 2, 3].map((i) => meta.int(`cache_last_${cache}_dim${i}`));
  return {
    window: meta.int('window_size'),
    shift: meta.int('chunk_shift'),
    subsampling: meta.int('subsampling_factor'),
    channel: dims('channel'),
    time: dims('time'),
  };
}

/** For NeMo's own export: sizes that the graph declares as variable but that are constants somewhere in it. */
function sizesOfGraph(graph: GraphProto, channel: ValueProto, time: ValueProto, given: Streaming): Sizes {
  const frames = chunkOf(graph, given.chunkMs);
  const left = given.leftFrames ?? leftOf(graph, frames);
  if (left === null) {
    throw refuse(
      'The encoder has no metadata, and its graph does not show its left context.',
      'Pass --left-frames: the first number of att_context_size in the model’s configuration.',
    );
  }
  const [, layers, , width] = dimsOf(channel);
  const kernel = depthwiseKernel(graph, width);
  if (typeof layers !== 'number' || typeof width !== 'number' || kernel === null) {
    throw refuse(
      `The encoder's caches are (${dimsOf(channel)}) and (${dimsOf(time)}): their sizes are unknown.`,
    );
  }
  return {
    window: SUBSAMPLING * frames + PRE_ENCODE,
    shift: SUBSAMPLING * frames,
    subsampling: SUBSAMPLING,
    channel: [layers, left, width],
    time: [layers, width, kernel - 1],
  };
}

/** Frames of a chunk: the length to which the output is cut. */
function chunkOf(graph: GraphProto, chunkMs: number | null): number {
  const cuts = cutsOf(graph).map((it) => wholeNumber(graph, it.inputs[2]));
  const shown = cuts.length === 1 ? (cuts[0] ?? null) : null;
  const told = chunkMs === null ? null : chunkMs / MS_PER_FRAME / SUBSAMPLING;
  if (told !== null && shown !== null && told !== shown) {
    throw refuse(
      `The encoder was exported for chunks of ${shown * MS_PER_FRAME * SUBSAMPLING} ms, not ${chunkMs}.`,
      'Omit --chunk-ms, or export it again after encoder.set_default_att_context_size.',
    );
  }
  const frames = told ?? shown;
  if (frames !== null && Number.isInteger(frames) && frames > 0) return frames;
  throw refuse(
    'The encoder has no metadata, and its graph does not show the length of a chunk.',
    'Pass --chunk-ms, a multiple of 80: 80 × (1 + the second number of att_context_size in the model’s configuration).',
  );
}

/** The slices that the output comes from. Between them and the output a language may be added to each frame. */
function cutsOf(graph: GraphProto): NodeProto[] {
  const maker = new Map(graph.nodes.flatMap((node) => node.outputs.map((it) => [it, node] as const)));
  const cuts: NodeProto[] = [];
  const open = graph.outputs.slice(0, 1).map(nameOf);
  const seen = new Set(open);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = maker.get(name);
    if (node?.op === 'Slice') cuts.push(node);
    if (!FRAMEWISE.includes(node?.op ?? '')) continue;
    const next = node?.inputs.filter((it) => !seen.has(it)) ?? [];
    for (const it of next) seen.add(it);
    open.push(...next);
  }
  return cuts;
}

/** Frames before a chunk: as many whole chunks as the mask allows. */
function leftOf(graph: GraphProto, frames: number): number | null {
  const bounds = graph.nodes
    .filter((it) => it.op === 'LessOrEqual')
    .flatMap((it) => wholeNumber(graph, it.inputs[1]) ?? []);
  const [chunks = 0] = bounds;
  return bounds.length === 1 && chunks > 0 ? chunks * frames : null;
}

/** Kernel width of the convolutions over time; all of the encoder's layers have the same. */
function depthwiseKernel(graph: GraphProto, width: number | string | undefined): number | null {
  const kernels = graph.initializers
    .filter(({ dims }) => dims.length === 3 && dims[0] === width && dims[1] === 1)
    .map(({ dims }) => dims[2] ?? 0);
  return new Set(kernels).size === 1 ? (kernels[0] ?? null) : null;
}

/** A constant of the graph, if it is a single integer. */
function wholeNumber(graph: GraphProto, name: string | undefined): number | null {
  const node = graph.nodes.find((it) => name !== undefined && it.outputs.includes(name));
  const held =
    graph.initializers.find((it) => nameOf(it) === name) ??
    (node?.op === 'Constant' ? node.attributes.find((it) => it.t)?.t : undefined);
  if (held === undefined || isExternal(held) || (held.type !== TYPE.int64 && held.type !== TYPE.int32)) {
    return null;
  }
  const [only, ...more] = integersOf(held);
  return only !== undefined && more.length === 0 ? only : null;
}

function checkDims(input: ValueProto, wanted: readonly number[]): void {
  const [, ...dims] = dimsOf(input);
  const fits =
    dims.length === wanted.length && dims.every((it, i) => typeof it === 'string' || it === wanted[i]);
  if (fits) return;
  throw refuse(`The encoder's input ${nameOf(input)} is (N,${dims}), but should be (N,${wanted}).`);
}

/** Languages that the model can be told to use. */
function promptsOf(model: Model): Prompts {
  const meta = new Metadata(model, 'encoder', EXPORTER);
  const languages = readJson(meta.text('prompt_dictionary') ?? '');
  const auto = Number(meta.text('auto_prompt_id') ?? languages?.auto ?? Number.NaN);
  if (languages !== null && Number.isInteger(auto) && auto >= 0) return { auto, languages };
  throw refuse(
    'The encoder takes a language, but its metadata (prompt_dictionary, auto_prompt_id) does not list them.',
    `Export it with ${EXPORTER}, which writes it.`,
  );
}

function readJson(text: string): Record<string, number> | null {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read !== 'object' || read === null) return null;
    const entries = Object.entries(read);
    const right = entries.length > 0 && entries.every(([, id]) => Number.isInteger(id) && id >= 0);
    return right ? Object.fromEntries(entries) : null;
  } catch {
    return null;
  }
}
