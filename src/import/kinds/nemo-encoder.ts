/**
 * What a cache-aware encoder of NeMo is like: from the metadata that its export for sherpa-onnx has, or, of NeMo's own
 * `model.export()`, from the graph, which shows the chunk, the left context and the widths of the caches.
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
  nameOf,
  TYPE,
  type ValueProto,
} from '../onnx.js';
import type { Streaming } from '../options.js';
import { rowPart, type StatePart } from '../state.js';
import type { Model, Prompts } from '../step.js';

export interface NemoEncoder {
  readonly bands: number;
  /** Feature frames of 10 ms that it takes, those that it advances by, and frames that come out. */
  readonly window: number;
  readonly shift: number;
  readonly frames: number;
  /** Caches over channels and over time, and how much of the first is filled. */
  readonly caches: readonly [StatePart, StatePart, StatePart];
  /** Of a multilingual encoder. */
  readonly prompts: Prompts | null;
}

const EXPORTER = 'sherpa-onnx’s script for streaming NeMo models';
const MS_PER_FRAME = 10;
/** Features behind each other that NeMo's strided convolutions fold into a frame. */
const SUBSAMPLING = 8;
/** Features that they see before a chunk. */
const PRE_ENCODE = SUBSAMPLING + 1;

const refuse = (why: string, advice = 'Fetch the model again, or export it anew.') =>
  unsupported(why, advice);

/** @throws ServerError MODEL_UNSUPPORTED where it does not stream, or is not what it says */
export function readNemoEncoder(model: Model, given: Streaming): NemoEncoder {
  const [audio, length, channel, time, filled, prompt, ...others] = graphInputs(model.graph);
  if (audio === undefined || length === undefined || channel === undefined || time === undefined) {
    throw refuse(
      'This NeMo encoder keeps no caches: it takes whole recordings (Parakeet, Canary, or exported without cache_support).',
      'Take a cache-aware streaming model, exported with set_export_config({"cache_support": True}).',
    );
  }
  const outputs = model.graph.outputs.length;
  if (filled === undefined || others.length > 0 || outputs !== 5) {
    throw refuse(
      `The encoder has ${graphInputs(model.graph).length} inputs and ${outputs} outputs, and a cache-aware one of NeMo has 5 (with a prompt 6) and 5.`,
    );
  }
  for (const it of [audio, channel, time]) checkBatch(it);
  const [, bands, seen] = dimsOf(audio);
  if (typeof bands !== 'number') throw refuse('The encoder does not say how many mel bands it takes.');
  const meta = new Metadata(model, 'encoder', EXPORTER);
  const isDescribed = meta.text('window_size') !== undefined;
  const sizes = isDescribed ? sizesOfMetadata(meta) : sizesOfGraph(model.graph, channel, time, given);
  const { window, shift, subsampling } = sizes;
  const isBounded =
    FRAME_SHIFT * shift <= LIMITS.maxChunkSamples && windowOf(window) <= LIMITS.maxWindowSamples;
  const fits = shift % subsampling === 0 && window >= shift && isBounded;
  if (!fits || (typeof seen === 'number' && seen !== window)) {
    throw refuse(
      `The encoder says that it sees ${window} frames and advances by ${shift}, and takes (${dimsOf(audio)}).`,
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
    'Files of parakeet-rs and of onnxruntime-genai are like that: take those for sherpa-onnx, or NeMo’s own export.',
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

/** NeMo's own export: sizes that vary there, but may not vary in use, are constants somewhere in the graph. */
function sizesOfGraph(graph: GraphProto, channel: ValueProto, time: ValueProto, given: Streaming): Sizes {
  const frames = chunkOf(graph, given.chunkMs);
  const left = given.leftFrames ?? leftOf(graph, frames);
  if (left === null) {
    throw refuse(
      'The encoder has no metadata, and its graph does not show its left context.',
      'Give it --left-frames: the first number of att_context_size in the model’s configuration.',
    );
  }
  const [, layers, , width] = dimsOf(channel);
  const kernel = depthwiseKernel(graph, width);
  if (typeof layers !== 'number' || typeof width !== 'number' || kernel === null) {
    throw refuse(
      `The encoder's caches are (${dimsOf(channel)}) and (${dimsOf(time)}): their sizes cannot be told.`,
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

/** Frames of a chunk: those to which the output is cut. */
function chunkOf(graph: GraphProto, chunkMs: number | null): number {
  const [out] = graph.outputs;
  const last = graph.nodes.find((it) => out !== undefined && it.outputs.includes(nameOf(out)));
  const shown = last?.op === 'Slice' ? wholeNumber(graph, last.inputs[2]) : null;
  const told = chunkMs === null ? null : chunkMs / MS_PER_FRAME / SUBSAMPLING;
  if (told !== null && shown !== null && told !== shown) {
    throw refuse(
      `The encoder was exported for chunks of ${shown * MS_PER_FRAME * SUBSAMPLING} ms, not ${chunkMs}.`,
      'Leave --chunk-ms out, or export it anew after encoder.set_default_att_context_size.',
    );
  }
  const frames = told ?? shown;
  if (frames !== null && Number.isInteger(frames) && frames > 0) return frames;
  throw refuse(
    'The encoder has no metadata, and its graph does not show the length of a chunk.',
    'Give it --chunk-ms, a multiple of 80: 80 × (1 + the second number of att_context_size in the model’s configuration).',
  );
}

/** Frames before a chunk: as many whole chunks as its mask allows. */
function leftOf(graph: GraphProto, frames: number): number | null {
  const bounds = graph.nodes
    .filter((it) => it.op === 'LessOrEqual')
    .flatMap((it) => wholeNumber(graph, it.inputs[1]) ?? []);
  const [chunks = 0] = bounds;
  return bounds.length === 1 && chunks > 0 ? chunks * frames : null;
}

/** Width of the convolutions over time, all of one width, that the encoder's layers have. */
function depthwiseKernel(graph: GraphProto, width: number | string | undefined): number | null {
  const kernels = graph.initializers
    .filter(({ dims }) => dims.length === 3 && dims[0] === width && dims[1] === 1)
    .map(({ dims }) => dims[2] ?? 0);
  return new Set(kernels).size === 1 ? (kernels[0] ?? null) : null;
}

/** A constant of the graph, if it is one whole number. */
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
  throw refuse(`The encoder's input ${nameOf(input)} is (N,${dims}), and should be (N,${wanted}).`);
}

/** Languages that it can be told. */
function promptsOf(model: Model): Prompts {
  const meta = new Metadata(model, 'encoder', EXPORTER);
  const languages = readJson(meta.text('prompt_dictionary') ?? '');
  const auto = Number(meta.text('auto_prompt_id') ?? languages?.auto ?? Number.NaN);
  if (languages !== null && Number.isInteger(auto) && auto >= 0) return { auto, languages };
  throw refuse(
    'The encoder takes a language, and its metadata (prompt_dictionary, auto_prompt_id) does not say which.',
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
