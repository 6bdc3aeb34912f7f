/**
 * Transducers of a few kilobytes with the inputs, outputs and metadata of icefall's exports, and seeded weights. They
 * recognise nothing, but every cache and every frame affects their output, so mix-ups are visible.
 */
import { GraphBuilder, type Value } from '../../src/import/builder.js';
import { type ModelProto, TYPE, value, writeModel } from '../../src/import/onnx.js';

export const TINY_KINDS = ['zipformer2', 'zipformer', 'conformer', 'lstm'] as const;
export type TinyKind = (typeof TINY_KINDS)[number];

const BANDS = 80;
const JOINER = 24;
const VOCABULARY = 12;
const CONTEXT = 2;
const EMBEDDING = 8;
const SUBSAMPLING = 4;

/** Numbers in −1…1 from a seed (a linear congruential generator, Numerical Recipes). */
function numbers(seed: number): (count: number, scale?: number) => Float32Array {
  let state = seed >>> 0;
  return (count, scale = 1) =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return scale * (state / 2 ** 31 - 1);
    });
}

interface Cache {
  readonly name: string;
  /** `N` is the batch; a counter is int64. */
  readonly shape: readonly (number | 'N')[];
  readonly counter?: boolean;
}

interface Design {
  readonly meta: Record<string, string>;
  readonly caches: readonly Cache[];
  /** The last cache is an input alone. */
  readonly countsFrames?: boolean;
}

const N = 'N';
const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const DESIGNS: Record<TinyKind, Design> = {
  zipformer2: {
    meta: {
      T: '45', decode_chunk_len: '32', num_encoder_layers: '1,2', encoder_dims: '8,12', query_head_dims: '4,4',
      value_head_dims: '3,3', num_heads: '2,2', cnn_module_kernels: '5,7', left_context_len: '8,4',
    },
    caches: [
      ...[0, 1, 2].flatMap((i): Cache[] => {
        const [left, dim, pad] = i === 0 ? [8, 8, 2] : [4, 12, 3];
        return [
          { name: `cached_key_${i}`, shape: [left, N, 8] },
          { name: `cached_nonlin_attn_${i}`, shape: [1, N, left, (3 * dim) / 4] },
          { name: `cached_val1_${i}`, shape: [left, N, 6] },
          { name: `cached_val2_${i}`, shape: [left, N, 6] },
          { name: `cached_conv1_${i}`, shape: [N, dim, pad] },
          { name: `cached_conv2_${i}`, shape: [N, dim, pad] },
        ];
      }),
      { name: 'embed_states', shape: [N, 128, 3, 19] },
      { name: 'processed_lens', shape: [N], counter: true },
    ],
  },
  zipformer: {
    meta: {
      T: '39', decode_chunk_len: '32', num_encoder_layers: '2,1', encoder_dims: '8,12', attention_dims: '6,8',
      cnn_module_kernels: '5,3', left_context_len: '8,4',
    },
    caches: ['len', 'avg', 'key', 'val', 'val2', 'conv1', 'conv2'].flatMap((what) =>
      count(2).map((s): Cache => {
        const [n, dim, attention, left, kernel] = s === 0 ? [2, 8, 6, 8, 5] : [1, 12, 8, 4, 3];
        const shapes: Record<string, Cache['shape']> = {
          len: [n, N],
          avg: [n, N, dim],
          key: [n, left, N, attention],
          val: [n, left, N, attention / 2],
          val2: [n, left, N, attention / 2],
          conv1: [n, N, dim, kernel - 1],
          conv2: [n, N, dim, kernel - 1],
        };
        return { name: `cached_${what}_${s}`, shape: shapes[what] ?? [], counter: what === 'len' };
      }),
    ),
  },
  conformer: {
    meta: {
      T: '75', decode_chunk_len: '64', num_encoder_layers: '2', encoder_dim: '6', left_context: '5', pad_length: '11',
      cnn_module_kernel: '7',
    },
    caches: [
      { name: 'cached_attn', shape: [2, 5, N, 6] },
      { name: 'cached_conv', shape: [2, 6, N, 6] },
      { name: 'processed_lens', shape: [N], counter: true },
    ],
    countsFrames: true,
  },
  lstm: {
    meta: { T: '9', decode_chunk_len: '4', num_encoder_layers: '3', d_model: '6', rnn_hidden_size: '10' },
    caches: [
      { name: 'state0', shape: [3, N, 6] },
      { name: 'state1', shape: [3, N, 10] },
    ],
  },
}; // biome-ignore format: tables

const sizeOf = (shape: Cache['shape']): number => shape.reduce<number>((n, it) => (it === N ? n : n * it), 1);

/** How many numbers of a cache affect the output. */
const PICKED = 6;

/**
 * (B, size) → (B, 1): a sum of some numbers across the row. Added one by one, since the order of a reduction depends on
 * the number of rows.
 */
function weightedSum(g: GraphBuilder, rows: Value, size: number, weights: Float32Array): Value {
  const places = count(weights.length).map((i) => Math.floor(((i + 0.5) * size) / weights.length));
  const picked = g.gather(rows, g.constant(TYPE.int64, [places.length], places), 1);
  const columns = g.split(g.mul(picked, g.floats([1, weights.length], weights)), places.map(() => 1), 1); // biome-ignore format: short
  return columns.reduce((sum, column) => g.add(sum, column));
}

/** A cache with the batch in front and everything else behind it: (B, size). */
function rowsFirst(g: GraphBuilder, cache: Value, shape: Cache['shape']): Value {
  const axis = shape.indexOf(N);
  const others = count(shape.length).filter((it) => it !== axis);
  return g.reshape(axis === 0 ? cache : g.transpose(cache, axis, ...others), -1, sizeOf(shape));
}

export interface TinyOptions {
  readonly opset?: number;
  /** What the batch axis is called; a number: fixed. */
  readonly batch?: string | number;
  /** Changes to the encoder's metadata; undefined: left out. */
  readonly meta?: Record<string, string | undefined>;
}

/** The three files and tokens.txt. */
export function tinyTransducer(kind: TinyKind, options: TinyOptions = {}): Record<string, Uint8Array> {
  const tokens = ['<blk>', '<unk>', ...count(VOCABULARY - 2).map((i) => `▁${String.fromCharCode(97 + i)}`)];
  return {
    'encoder.onnx': writeModel(tinyEncoder(kind, options)),
    'decoder.onnx': writeModel(tinyDecoder(options)),
    'joiner.onnx': writeModel(tinyJoiner(options)),
    'tokens.txt': Buffer.from(tokens.map((it, id) => `${it} ${id}\n`).join('')),
  };
}

const modelOf = (
  g: GraphBuilder,
  inputs: ReturnType<typeof value>[],
  outputs: ReturnType<typeof value>[],
  meta: Record<string, string | undefined>,
): ModelProto => ({
  ir: 8,
  producer: 'tests',
  opsets: [{ domain: '', version: g.opset }],
  meta: Object.entries(meta).flatMap(([key, text]) => (text === undefined ? [] : [{ key, value: text }])),
  graph: g.finish('tiny', inputs, outputs, { outermost: true }),
});

export function tinyEncoder(
  kind: TinyKind,
  { opset = 13, batch = N, meta = {} }: TinyOptions = {},
): ModelProto {
  const design = DESIGNS[kind];
  const [frames, shift] = [Number(design.meta.T), Number(design.meta.decode_chunk_len)];
  const out = shift / SUBSAMPLING;
  const random = numbers(TINY_KINDS.indexOf(kind) + 1);
  const g = new GraphBuilder(opset);
  const every = g.constant(TYPE.int64, [out], count(out).map((t) => SUBSAMPLING * t + 3)); // biome-ignore format: short
  const picked = g.gather('x', every, 1);
  const level = weightedSum(g, g.reshape(picked, -1, out * BANDS), out * BANDS, random(PICKED, 0.2));
  let sum = g.op('MatMul', [picked, g.floats([BANDS, JOINER], random(BANDS * JOINER, 0.1))]);
  const next: Value[] = [];
  for (const { name, shape, counter } of design.caches) {
    // The largest cache gets the same weights everywhere on its last axes, so that the file stays small.
    const dims = shape.map((it, axis) => (it === N || (shape[1] === 128 && axis > 1) ? 1 : it));
    const size = dims.reduce((a, b) => a * b, 1);
    const pattern = g.floats(dims, random(size));
    const old = counter ? g.op('Sin', [g.mul(g.cast(name, TYPE.float), g.scalar(TYPE.float, 0.01))]) : name;
    const told = weightedSum(g, rowsFirst(g, old, shape), sizeOf(shape), random(PICKED));
    sum = g.add(sum, g.mul(g.unsqueeze(told, 2), g.floats([1, 1, JOINER], random(JOINER, 2))));
    const perRow = g.reshape(level, ...shape.map((it) => (it === N ? -1 : 1)));
    next.push(
      counter
        ? g.add(name, g.scalar(TYPE.int64, shift))
        : g.add(g.mul(name, g.scalar(TYPE.float, 0.5)), g.mul(pattern, perRow)),
    );
  }
  g.output(g.op('Sin', [sum]), 'encoder_out');
  const kept = design.countsFrames ? design.caches.slice(0, -1) : design.caches;
  kept.forEach(({ name }, i) => {
    g.output(next[i] ?? '', `new_${name}`);
  });
  const named = ({ name, shape, counter }: Cache, prefix = '') =>
    value(`${prefix}${name}`, counter ? TYPE.int64 : TYPE.float, shape.map((it) => (it === N ? batch : it))); // biome-ignore format: short
  return modelOf(
    g,
    [value('x', TYPE.float, [batch, frames, BANDS]), ...design.caches.map((it) => named(it))],
    [value('encoder_out', TYPE.float, [batch, out, JOINER]), ...kept.map((it) => named(it, 'new_'))],
    {
      model_type: kind,
      version: '1',
      model_author: 'tests',
      comment: `streaming ${kind}`,
      ...design.meta,
      ...meta,
    },
  );
}

export function tinyDecoder({ opset = 13, batch = N }: TinyOptions = {}): ModelProto {
  const random = numbers(77);
  const g = new GraphBuilder(opset);
  const known = g.op('Max', ['y', g.scalar(TYPE.int64, 0)]);
  const table = g.floats([VOCABULARY, EMBEDDING], random(VOCABULARY * EMBEDDING));
  const mask = g.cast(g.not(g.less('y', g.scalar(TYPE.int64, 0))), TYPE.float);
  const embedded = g.mul(g.gather(table, known, 0), g.unsqueeze(mask, 2));
  const flat = g.reshape(embedded, 0, CONTEXT * EMBEDDING);
  g.output(
    g.op('MatMul', [flat, g.floats([CONTEXT * EMBEDDING, JOINER], random(CONTEXT * EMBEDDING * JOINER))]),
    'decoder_out',
  );
  return modelOf(
    g,
    [value('y', TYPE.int64, [batch, CONTEXT])],
    [value('decoder_out', TYPE.float, [batch, JOINER])],
    { context_size: String(CONTEXT), vocab_size: String(VOCABULARY) },
  );
}

export function tinyJoiner({ opset = 13, batch = N }: TinyOptions = {}): ModelProto {
  const random = numbers(99);
  const g = new GraphBuilder(opset);
  const joined = g.op('Tanh', [g.add('encoder_out', 'decoder_out')]);
  const bias = random(VOCABULARY);
  bias[0] = 2;
  const logits = g.op('MatMul', [joined, g.floats([JOINER, VOCABULARY], random(JOINER * VOCABULARY, 1.2))]);
  g.output(g.add(logits, g.floats([VOCABULARY], bias)), 'logit');
  return modelOf(
    g,
    [value('encoder_out', TYPE.float, [batch, JOINER]), value('decoder_out', TYPE.float, [batch, JOINER])],
    [value('logit', TYPE.float, [batch, VOCABULARY])],
    { joiner_dim: String(JOINER) },
  );
}
