/** Composes the step of icefall's streaming transducers: zipformer2, zipformer, conformer, LSTM, with a stateless decoder. */
import { LIMITS } from '../../limits.js';
import type { Value } from '../builder.js';
import { rewriteConvolutions } from '../conv2d.js';
import { FRAME_SHIFT, icefallFeatures, windowOf } from '../features.js';
import { quantiseByRow } from '../int8.js';
import { Metadata, unsupported } from '../meta.js';
import { dimsOf, elementOf, graphInputs, nameOf, opsetOf, TYPE, type ValueProto } from '../onnx.js';
import type { Search } from '../options.js';
import type { Stateless } from '../search-greedy.js';
import { addSearch, searchParts } from '../search-stateless.js';
import type { StatePart } from '../state.js';
import { type Composition, call, float, type Model, type Source, StepGraph, type Typed } from '../step.js';
import { CACHES, type Shape } from './caches.js';

export const ICEFALL_KINDS = Object.keys(CACHES);

/** The encoder halves the frame rate twice. */
const SUBSAMPLING = 4;
const COUNTER = 'frames_before';
const UNKNOWN = '<unk>';

interface Encoder {
  readonly kind: string;
  /** Feature frames the encoder takes, and frames by which it advances. */
  readonly frames: number;
  readonly shift: number;
  readonly bands: number;
  readonly caches: readonly StatePart[];
  readonly countsFrames: boolean;
}

/** @throws ServerError MODEL_UNSUPPORTED if the files do not match each other or their metadata */
export function composeIcefall(
  files: Source,
  kind: string,
  options: { readonly search: Search },
): Composition {
  const source = {
    encoder: quantiseByRow(files.encoder),
    decoder: quantiseByRow(files.decoder),
    joiner: quantiseByRow(files.joiner),
    tokens: files.tokens,
  };
  const encoder = readEncoder(source.encoder, kind);
  const search = readStateless(source, encoder);
  const opset = opsetOf(source.encoder);
  const framesPerChunk = encoder.shift / SUBSAMPLING;
  const parts = [...encoder.caches, ...searchParts(search, options.search, framesPerChunk)];
  if (encoder.countsFrames) parts.push({ name: COUNTER, dims: [], axis: 0, element: TYPE.int64 });
  const window = { frames: encoder.frames, shift: encoder.shift, features: icefallFeatures(encoder.bands) };
  const step = new StepGraph(opset, window, parts);

  const encoded = encode(step, encoder, source.encoder);
  const told = addSearch(step, search, options.search, encoded, framesPerChunk);
  return {
    ...step.finish([source.encoder, source.decoder, source.joiner]),
    kind,
    chunkSamples: step.chunkSamples,
    windowSamples: step.windowSamples,
    framesPerChunk,
    ...told,
    blank: 0,
    vocabulary: search.vocabulary,
  };
}

/** (B, frames, joiner width) float32 */
function encode(step: StepGraph, { caches, countsFrames, shift }: Encoder, model: Model): Value {
  const { g } = step;
  const inputs: Typed[] = [float(step.features)];
  for (const { name, element } of caches) inputs.push({ value: step.before(name), element });
  if (countsFrames) {
    inputs.push({ value: step.before(COUNTER), element: TYPE.int64 });
    step.after(COUNTER, g.add(step.before(COUNTER), g.int64(shift)));
  }
  const graph = rewriteConvolutions(model.graph, opsetOf(model));
  const [encoded = '', ...next] = call(g, { ...model, graph }, 'encoder', inputs);
  caches.forEach(({ name }, i) => {
    step.after(name, next[i] ?? '');
  });
  return encoded;
}

function readEncoder(model: Model, kind: string): Encoder {
  const meta = new Metadata(model, 'encoder');
  const [frames, shift] = [meta.int('T'), meta.int('decode_chunk_len')];
  const layout = CACHES[kind];
  if (
    layout === undefined ||
    frames < shift ||
    shift % SUBSAMPLING !== 0 ||
    FRAME_SHIFT * shift > LIMITS.maxChunkSamples ||
    windowOf(frames) > LIMITS.maxWindowSamples
  ) {
    throw unsupported(
      `The encoder’s metadata says ${frames} frames per window and a shift of ${shift}, which is impossible.`,
      'Export it again.',
    );
  }
  const { floats, countsFrames } = layout(meta);
  const [x, ...others] = graphInputs(model.graph);
  const states = countsFrames ? others.slice(0, -1) : others;
  const wanted = floats.length + (countsFrames ? 1 : 0);
  if (x === undefined || others.length !== wanted || model.graph.outputs.length !== floats.length + 1) {
    throw unsupported(
      `The encoder has ${others.length} state tensors, but its metadata says ${wanted}.`,
      'Its metadata belongs to another model: download or export the encoder again.',
    );
  }
  const [, seen, bands] = dimsOf(x);
  if (seen !== frames || typeof bands !== 'number') {
    throw unsupported(
      `The encoder takes features (${dimsOf(x)}), but its metadata says T=${frames}.`,
      'Export it again with a fixed number of frames.',
    );
  }
  checkBatchAxis(x, 0);
  return {
    kind,
    frames,
    shift,
    bands,
    countsFrames,
    caches: states.map((it, i) => cacheOf(it, floats[i] ?? [])),
  };
}

/** A state tensor as a part of the packed row, if it matches the metadata. */
function cacheOf(input: ValueProto, shape: Shape): StatePart {
  const axis = shape.indexOf('N');
  const dims = dimsOf(input);
  const fits =
    dims.length === shape.length &&
    dims.every((dim, i) => i === axis || typeof dim === 'string' || dim === shape[i]);
  if (!fits) {
    throw unsupported(
      `The encoder's input ${nameOf(input)} is (${dims}), but its metadata says (${shape}).`,
      'Its metadata belongs to another model: download or export the encoder again.',
    );
  }
  checkBatchAxis(input, axis);
  const rest = shape.filter((_, i) => i !== axis) as number[];
  const declared = elementOf(input);
  // If the encoder uses half precision, `call` converts at its inputs and outputs.
  const element = declared === TYPE.float16 ? TYPE.float : declared;
  return { name: `cache/${nameOf(input)}`, dims: rest, axis, element };
}

function checkBatchAxis(input: ValueProto, axis: number): void {
  const size = dimsOf(input)[axis];
  if (typeof size === 'string') return;
  throw unsupported(
    `The encoder was exported for batches of exactly ${size}: its input ${nameOf(input)} is (${dimsOf(input)}).`,
    'Export it with a dynamic batch axis (icefall: --dynamic-batch 1).',
  );
}

function readStateless({ decoder, joiner, tokens, encoder }: Source, { shift }: Encoder): Stateless {
  const meta = new Metadata(decoder, 'decoder');
  const [context, vocabulary] = [meta.int('context_size'), meta.int('vocab_size')];
  const joinerWidth = new Metadata(joiner, 'joiner').int('joiner_dim');
  const [out] = encoder.graph.outputs;
  const [, frames, width] = out === undefined ? [] : dimsOf(out);
  const differs = (said: unknown, wanted: number) => typeof said === 'number' && said !== wanted;
  if (differs(width, joinerWidth) || differs(frames, shift / SUBSAMPLING)) {
    throw unsupported(
      `The encoder gives (N, ${frames}, ${width}), but the joiner takes ${shift / SUBSAMPLING} frames of ${joinerWidth}.`,
      'They belong to different models: use three files from the same export.',
    );
  }
  return { decoder, joiner, context, vocabulary, joinerWidth, unk: tokens.indexOf(UNKNOWN) };
}
