/**
 * Transducers of the size of real ones, with fresh weights, made here so that nothing has to be fetched: the right parameters,
 * caches and operators, so the right cost; what they say is noise.
 *
 *   3m     zipformer2 in the size of icefall's keyword spotters; 320 ms chunks
 *   23m    zipformer2 in the size of its small recognisers, likewise
 *   66m    zipformer2 as icefall trains it by default: its stacks, widths, caches, likewise
 *   114m   FastConformer's 17 layers of 512, 7 frames a step, under icefall's conformer contract
 *   0.6b   FastConformer's 24 layers of 1,024, likewise
 *
 * The contract of the last two subsamples by 4 where FastConformer does by 8, so their chunk is 280 ms; a step costs what one of
 * FastConformer with chunks of 560 ms costs, and has as much state.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphBuilder, type Value } from '../../src/import/builder.js';
import { encodeModel, type ModelProto, type TensorProto, TYPE, value } from '../../src/import/onnx.js';
import { type Encoder, fastConformer, type Stacks, zipformer2 } from './layers.js';
import { quantised } from './quantise.js';

export const SHAPES = ['3m', '23m', '66m', '114m', '0.6b'] as const;
export type ShapeName = (typeof SHAPES)[number];

/** zipformer2 by the recipes' --num-encoder-layers, --encoder-dim, --feedforward-dim. */
const ZIPFORMERS: Partial<Record<ShapeName, Stacks>> = {
  '3m': { layers: [1, 1, 1, 1, 1, 1], dims: [128, 128, 128, 128, 128, 128], wide: [192, 192, 192, 192, 192, 192] },
  '23m': { layers: [2, 2, 2, 2, 2, 2], dims: [192, 256, 256, 256, 256, 256], wide: [512, 768, 768, 768, 768, 768] },
  '66m': { layers: [2, 2, 3, 4, 3, 2], dims: [192, 256, 384, 512, 384, 256], wide: [512, 768, 1024, 1536, 1024, 768] },
}; // biome-ignore format: a table

const OPSET = 17;
const JOINER = 512;
const VOCABULARY = 500;
const CONTEXT = 2;
/** Protobuf ends at 2 GB: weights beyond this go to a file beside the graph. */
const MOST_INLINE_BYTES = 1.5e9;

/** Weights from a seed, uniform, as large as keeps a signal's level through a product of `fan` numbers. */
function weights(seed: number): (count: number, fan: number) => Float32Array {
  let state = seed | 1;
  return (count, fan) => {
    const scale = Math.sqrt(3 / fan) / 2 ** 31;
    const made = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      // xorshift32
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      made[i] = state * scale;
    }
    return made;
  };
}

function encoderModel(shape: ShapeName): ModelProto {
  const g = new GraphBuilder(OPSET);
  const random = weights(7);
  const stacks = ZIPFORMERS[shape];
  const made =
    stacks !== undefined
      ? zipformer2(g, random, stacks, JOINER)
      : fastConformer(
          g,
          random,
          shape === '114m' ? { layers: 17, dim: 512, heads: 8 } : { layers: 24, dim: 1024, heads: 8 },
          JOINER,
        );
  const named = ({ name, shape: dims, counter }: Encoder['caches'][number], prefix = '') =>
    value(`${prefix}${name}`, counter ? TYPE.int64 : TYPE.float, dims);
  const kept = made.countsFrames ? made.caches.slice(0, -1) : made.caches;
  return modelOf(
    g,
    [value('x', TYPE.float, ['N', made.frames, 80]), ...made.caches.map((it) => named(it))],
    [value('encoder_out', TYPE.float, ['N', made.outFrames, JOINER]), ...kept.map((it) => named(it, 'new_'))],
    { model_type: made.kind, version: '1', model_author: 'gpu-check', ...made.meta },
  );
}

function modelOf(
  g: GraphBuilder,
  inputs: ReturnType<typeof value>[],
  outputs: ReturnType<typeof value>[],
  meta: Record<string, string>,
): ModelProto {
  return {
    ir: 8,
    producer: 'gpu-check',
    opsets: [{ domain: '', version: OPSET }],
    meta: Object.entries(meta).map(([key, text]) => ({ key, value: text })),
    graph: g.finish('fresh', inputs, outputs, { outermost: true }),
  };
}

function linear(g: GraphBuilder, x: Value, weight: Float32Array, from: number, to: number): Value {
  return g.op('MatMul', [x, g.floats([from, to], weight)]);
}

function decoderModel(): ModelProto {
  const g = new GraphBuilder(OPSET);
  const random = weights(11);
  const known = g.op('Max', ['y', g.scalar(TYPE.int64, 0)]);
  const embedded = g.gather(g.floats([VOCABULARY, JOINER], random(VOCABULARY * JOINER, 1)), known, 0);
  const flat = g.reshape(embedded, 0, CONTEXT * JOINER);
  const fan = CONTEXT * JOINER;
  g.output(g.op('Relu', [linear(g, flat, random(fan * JOINER, fan), fan, JOINER)]), 'decoder_out');
  return modelOf(
    g,
    [value('y', TYPE.int64, ['N', CONTEXT])],
    [value('decoder_out', TYPE.float, ['N', JOINER])],
    { context_size: String(CONTEXT), vocab_size: String(VOCABULARY) },
  );
}

function joinerModel(): ModelProto {
  const g = new GraphBuilder(OPSET);
  const random = weights(13);
  const joined = g.op('Tanh', [g.add('encoder_out', 'decoder_out')]);
  const logits = linear(g, joined, random(JOINER * VOCABULARY, JOINER / 4), JOINER, VOCABULARY);
  g.output(logits, 'logit');
  const input = (name: string) => value(name, TYPE.float, ['N', JOINER]);
  return modelOf(
    g,
    [input('encoder_out'), input('decoder_out')],
    [value('logit', TYPE.float, ['N', VOCABULARY])],
    { joiner_dim: String(JOINER) },
  );
}

function write(folder: string, name: string, model: ModelProto): void {
  const initializers = model.graph?.initializers ?? [];
  const bytes = initializers.reduce((sum, it) => sum + (it.raw?.length ?? 0), 0);
  const whole = bytes > MOST_INLINE_BYTES ? withDataFile(folder, `${name}.data`, model) : model;
  writeFileSync(join(folder, name), Buffer.concat(encodeModel(whole).parts));
}

/** The model with its large weights in a file of their own. */
function withDataFile(folder: string, name: string, model: ModelProto): ModelProto {
  const { graph } = model;
  if (graph === undefined) throw new Error('a model without a graph');
  const path = join(folder, name);
  writeFileSync(path, '');
  let offset = 0;
  const initializers = graph.initializers.map((it): TensorProto => {
    const { raw } = it;
    if (raw === undefined || raw.length < 1024) return it;
    writeFileSync(path, raw, { flag: 'a' });
    const entries = { location: name, offset: String(offset), length: String(raw.length) };
    offset += raw.length;
    const { raw: _, ...rest } = it;
    const external = Object.entries(entries).map(([key, text]) => ({ key, value: text }));
    return { ...rest, external, location: 1 };
  });
  return { ...model, graph: { ...graph, initializers } };
}

/**
 * Writes encoder, decoder, joiner and tokens.txt into a folder, as sherpa-onnx's models have them.
 * @param precision int8: the products of encoder and joiner, as exported by ONNX Runtime's own tool
 */
export function writeShape(folder: string, shape: ShapeName, precision: 'fp32' | 'int8' = 'fp32'): void {
  const [suffix, finish] =
    precision === 'int8' ? ['.int8.onnx', quantised] : ['.onnx', (it: ModelProto) => it];
  write(folder, `encoder${suffix}`, finish(encoderModel(shape)));
  write(folder, 'decoder.onnx', decoderModel());
  write(folder, `joiner${suffix}`, finish(joinerModel()));
  const pieces = Array.from({ length: VOCABULARY }, (_, i) => (i === 0 ? '<blk>' : `▁w${i}`));
  writeFileSync(join(folder, 'tokens.txt'), pieces.map((piece, id) => `${piece} ${id}\n`).join(''));
}
