/**
 * Composes the step of NeMo's cache-aware streaming transducers (FastConformer), from the three files for sherpa-onnx
 * or the two files of NeMo's own `model.export()`.
 */
import type { Value } from '../builder.js';
import { rewriteConvolutions } from '../conv2d.js';
import { nemoFeatures } from '../features.js';
import { quantiseByRow } from '../int8.js';
import { unsupported } from '../meta.js';
import { dimsOf, graphInputs, metaOf, opsetOf, TYPE } from '../onnx.js';
import type { Search, Streaming } from '../options.js';
import { addLoopSearch, loopParts, type Recurrent, SYMBOLS_PER_FRAME } from '../search-loop.js';
import {
  type Composition,
  call,
  float,
  type Model,
  NAMES,
  type Source,
  StepGraph,
  type Typed,
} from '../step.js';
import { weightsToFloat } from '../to-float.js';
import { type NemoEncoder, readNemoEncoder } from './nemo-encoder.js';

export const NEMO_KIND = 'nemo-fastconformer';

/** GatherND with batch dimensions needs version 12. */
const LEAST_OPSET = 12;

/** Whether it is a NeMo model. NeMo's decoder also outputs states; icefall's outputs only the joiner's input. */
export const isNemo = ({ decoder }: Source): boolean => decoder.graph.outputs.length > 1;

/** @throws ServerError MODEL_UNSUPPORTED if the files cannot stream or do not match each other */
export function composeNemo(files: Source, search: Search, streaming: Streaming): Composition {
  if (search !== 'greedy') {
    throw unsupported('NeMo transducers support greedy search only.', 'Take --search greedy.');
  }
  if (opsetOf(files.encoder) < LEAST_OPSET) {
    throw unsupported(
      'It uses an operator version below 12.',
      `Export it with opset_version ${LEAST_OPSET} or higher.`,
    );
  }
  checkBuffered(files.decoder);
  const encoder = readNemoEncoder(files.encoder, streaming);
  const [encoderModel, decoder, joiner] = [files.encoder, files.decoder, files.joiner].map((it) =>
    quantiseByRow(weightsToFloat(it)),
  ) as [Model, Model, Model];
  const recurrent = readRecurrent({ ...files, encoder: encoderModel, decoder, joiner });
  const { window, shift, bands, frames, caches, prompts } = encoder;
  const parts = [...caches, ...loopParts(recurrent)];
  const step = new StepGraph(
    opsetOf(encoderModel),
    { frames: window, shift, features: nemoFeatures(bands) },
    parts,
  );
  const encoded = encode(step, encoder, encoderModel, recurrent.width);
  addLoopSearch(step, recurrent, encoded, frames);
  return {
    ...step.finish([encoderModel, decoder, joiner]),
    kind: NEMO_KIND,
    chunkSamples: step.chunkSamples,
    windowSamples: step.windowSamples,
    framesPerChunk: frames,
    symbolsPerFrame: SYMBOLS_PER_FRAME,
    blank: recurrent.blank,
    vocabulary: recurrent.blank + 1,
    ...(prompts === null ? {} : { prompts }),
  };
}

/** Detects buffered Parakeet, which sherpa-onnx runs repeatedly over the same seconds. */
function checkBuffered(decoder: Model): void {
  const { streaming_model_type: type } = metaOf(decoder);
  if (type === undefined) return;
  throw unsupported(
    `This model has no caches; it streams by processing the last seconds repeatedly (${type}).`,
    'Use a cache-aware streaming model.',
  );
}

/** (B, frames, width) float32 */
function encode(step: StepGraph, encoder: NemoEncoder, model: Model, width: number): Value {
  const { g } = step;
  const { window, frames, caches, prompts } = encoder;
  const inputs: Typed[] = [
    float(g.transpose(step.features, 0, 2, 1)),
    { value: g.repeat(g.int64(window), step.rows, []), element: TYPE.int64 },
    ...caches.map(({ name, element }) => ({ value: step.before(name), element })),
  ];
  if (prompts !== null) inputs.push({ value: step.input(NAMES.prompt, TYPE.int32), element: TYPE.int32 });
  const graph = rewriteConvolutions(model.graph, opsetOf(model));
  const [encoded = '', , ...next] = call(g, { ...model, graph }, 'encoder', inputs);
  caches.forEach(({ name }, i) => {
    step.after(name, next[i] ?? '');
  });
  return g.reshape(g.transpose(encoded, 0, 2, 1), -1, frames, width);
}

function readRecurrent({ encoder, decoder, joiner, tokens }: Source): Recurrent {
  const inputs = graphInputs(decoder.graph);
  const [, , h, c] = inputs.map(dimsOf);
  const [layers, , hidden] = h ?? [];
  const [heard, told] = graphInputs(joiner.graph).map(dimsOf);
  const [logits] = joiner.graph.outputs.map(dimsOf);
  const sound = inputs.length === 4 && decoder.graph.outputs.length === 4 && heard !== undefined;
  const [, width] = heard ?? [];
  if (!sound || typeof layers !== 'number' || typeof hidden !== 'number' || typeof width !== 'number') {
    throw unsupported(
      `The decoder takes ${inputs.length} inputs, its states (${h}) and (${c}), and the joiner (${heard}): this is not a NeMo transducer.`,
      'Use encoder, decoder and joiner from the same export.',
    );
  }
  const decoded = (told ?? []).slice(1).map((it) => (typeof it === 'number' ? it : 1));
  const [, given] = encoder.graph.outputs[0] === undefined ? [] : dimsOf(encoder.graph.outputs[0]);
  const { vocab_size: said } = metaOf(encoder);
  const size = logits?.at(-1);
  const vocabulary = said === undefined ? Number(size) : Number(said) + 1;
  if (typeof given === 'number' && given !== width) {
    throw unsupported(
      `The encoder gives frames of ${given}, but the joiner takes ${width}.`,
      'They belong to different models: use files from the same export.',
    );
  }
  const ids = said === undefined && !Number.isInteger(vocabulary) ? tokens.length : vocabulary;
  if (!(ids > 1) || (typeof size === 'number' && size !== ids)) {
    throw unsupported(
      `The joiner has ${size} outputs, but there are ${ids} tokens including the blank.`,
      'A model that also predicts durations (TDT) cannot be imported. Otherwise use files from the same export.',
    );
  }
  return { decoder, joiner, layers, hidden, decoded, width, blank: ids - 1 };
}
