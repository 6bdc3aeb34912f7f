/** The layers of the encoders in shapes.ts: the operators, widths and caches of zipformer2 and FastConformer. All (B, T, D). */
import type { GraphBuilder, Value } from '../../src/import/builder.js';
import { attr, TYPE } from '../../src/import/onnx.js';

export interface Cache {
  readonly name: string;
  /** `N` is the batch. */
  readonly shape: readonly (number | 'N')[];
  /** Of int64. */
  readonly counter?: boolean;
}

export interface Encoder {
  readonly frames: number;
  readonly outFrames: number;
  readonly meta: Record<string, string>;
  readonly caches: readonly Cache[];
  /** The last cache has no output. */
  readonly countsFrames: boolean;
  readonly kind: string;
}

type Random = (count: number, fan: number) => Float32Array;
const N = 'N';
const BANDS = 80;

/** What the layers of one encoder share. */
class Layers {
  readonly caches: Cache[] = [];
  constructor(
    readonly g: GraphBuilder,
    readonly random: Random,
  ) {}

  cache(name: string): Cache {
    const found = this.caches.find((it) => it.name === name);
    if (found === undefined) throw new Error(`no layer has ${name}`);
    return found;
  }

  linear(x: Value, from: number, to: number): Value {
    return this.g.op('MatMul', [x, this.g.floats([from, to], this.random(from * to, from))]);
  }

  norm(x: Value, dim: number): Value {
    const scale = this.g.floats([dim], new Float32Array(dim).fill(1));
    const bias = this.g.floats([dim], this.random(dim, 100));
    return this.g.op('LayerNormalization', [x, scale, bias], [attr.int('axis', -1)]);
  }

  swish(x: Value): Value {
    return this.g.mul(x, this.g.op('Sigmoid', [x]));
  }

  feedForward(x: Value, dim: number, width: number): Value {
    const inner = this.swish(this.linear(this.norm(x, dim), dim, width));
    return this.g.add(x, this.g.mul(this.linear(inner, width, dim), this.g.scalar(TYPE.float, 0.5)));
  }

  /** (B, T, heads · d) → (B, heads, T, d) */
  heads(x: Value, heads: number, dim: number): Value {
    return this.g.transpose(this.g.reshape(x, 0, -1, heads, dim), 0, 2, 1, 3);
  }

  /** (B, heads, T, d) → (B, T, heads · d) */
  together(x: Value, width: number): Value {
    return this.g.reshape(this.g.transpose(x, 0, 2, 1, 3), 0, -1, width);
  }

  /** Behind what is kept of the frames before; the new last ones are kept. Both (B, T, D). */
  after(kept: Value, x: Value, frames: number): { all: Value; next: Value } {
    const all = this.g.concat([kept, x], 1);
    return { all, next: this.g.slice(all, -frames, Number.MAX_SAFE_INTEGER, 1) };
  }

  /** Depthwise over time: (B, D, T + pad) → (B, D, T) */
  depthwise(x: Value, dim: number, kernel: number): Value {
    const weight = this.g.floats([dim, 1, kernel], this.random(dim * kernel, kernel));
    return this.g.op('Conv', [x, weight], [attr.int('group', dim), attr.ints('kernel_shape', [kernel])]);
  }

  gated(x: Value, dim: number): Value {
    const [a = '', b = ''] = this.g.split(this.linear(x, dim, 2 * dim), [dim, dim], 2);
    return this.g.mul(a, this.g.op('Sigmoid', [b]));
  }

  softmax(scores: Value, dim: number): Value {
    const scaled = this.g.mul(scores, this.g.scalar(TYPE.float, 1 / Math.sqrt(dim)));
    return this.g.op('Softmax', [scaled], [attr.int('axis', -1)]);
  }
}

/** What tells one zipformer2 from another, stack by stack. */
export interface Stacks {
  readonly layers: readonly number[];
  readonly dims: readonly number[];
  /** Width of the feed-forward layers. */
  readonly wide: readonly number[];
}

/** What all of icefall's recipes have in common. */
const HEADS = [4, 4, 4, 8, 4, 4];
const SLOWER = [1, 2, 4, 8, 4, 2];
const KERNELS = [31, 31, 15, 15, 15, 31];
const CACHE_ORDER = ['key', 'nonlin_attn', 'val1', 'val2', 'conv1', 'conv2'].map((name) => `cached_${name}`);
const QUERY = 32;
const VALUE = 12;
const POSITION = 4;
const LEFT = 128;
const CHUNK_FRAMES = 16;

export function zipformer2(g: GraphBuilder, random: Random, stacks: Stacks, out: number): Encoder {
  const it = new Layers(g, random);
  const grouped = g.reshape(g.slice('x', 6, 6 + 2 * CHUNK_FRAMES, 1), 0, CHUNK_FRAMES, 2 * BANDS);
  let x = it.linear(grouped, 2 * BANDS, stacks.dims[0] ?? 0);
  let width = stacks.dims[0] ?? 0;
  let layer = 0;
  for (const [stack, dim] of stacks.dims.entries()) {
    const at = (of: readonly number[]): number => of[stack] ?? 0;
    const slower = at(SLOWER);
    if (width !== dim) x = it.linear(x, width, dim);
    width = dim;
    const before = x;
    x = g.op(
      'ReduceMean',
      [g.reshape(x, 0, -1, slower, dim)],
      [attr.ints('axes', [2]), attr.int('keepdims', 0)],
    );
    for (let i = 0; i < at(stacks.layers); i++) {
      x = zipformerLayer(it, x, layer++, {
        dim,
        wide: at(stacks.wide),
        heads: at(HEADS),
        left: LEFT / slower,
        pad: Math.floor(at(KERNELS) / 2),
      });
    }
    const again = g.concat(
      Array.from({ length: slower }, () => g.unsqueeze(x, 2)),
      2,
    );
    x = g.add(before, g.reshape(again, 0, -1, dim));
  }
  const halved = g.op(
    'ReduceMean',
    [g.reshape(x, 0, -1, 2, width)],
    [attr.ints('axes', [2]), attr.int('keepdims', 0)],
  );
  g.output(it.norm(it.linear(halved, width, out), out), 'encoder_out');
  g.output(g.mul('embed_states', g.scalar(TYPE.float, 0.5)), 'new_embed_states');
  g.output(g.add('processed_lens', g.scalar(TYPE.int64, 2 * CHUNK_FRAMES)), 'new_processed_lens');
  const list = (of: readonly number[]) => of.join();
  const same = (value: number) => stacks.dims.map(() => value).join();
  return {
    kind: 'zipformer2',
    frames: 45,
    outFrames: CHUNK_FRAMES / 2,
    caches: [
      // By layer, in the contract's order: a layer has used them in another.
      ...Array.from({ length: layer }, (_, i) => CACHE_ORDER.map((name) => it.cache(`${name}_${i}`))).flat(),
      { name: 'embed_states', shape: [N, 128, 3, 19] },
      { name: 'processed_lens', shape: [N], counter: true },
    ],
    countsFrames: false,
    meta: {
      T: '45', decode_chunk_len: '32', num_encoder_layers: list(stacks.layers), encoder_dims: list(stacks.dims),
      query_head_dims: same(QUERY), value_head_dims: same(VALUE), num_heads: list(HEADS),
      cnn_module_kernels: list(KERNELS), left_context_len: list(SLOWER.map((slower) => LEFT / slower)),
    },
  }; // biome-ignore format: metadata as it stands in the file
}

interface ZipformerLayer {
  readonly dim: number;
  readonly wide: number;
  readonly heads: number;
  readonly left: number;
  readonly pad: number;
}

function zipformerLayer(it: Layers, input: Value, layer: number, shape: ZipformerLayer): Value {
  const { g } = it;
  const { dim, wide, heads, left, pad } = shape;
  const keys = heads * QUERY;
  /** A cache (left, B, width), read and written with the batch in front. */
  const behind = (name: string, x: Value, size: number): Value => {
    const { all, next } = it.after(g.transpose(`${name}_${layer}`, 1, 0, 2), x, left);
    it.caches.push({ name: `${name}_${layer}`, shape: [left, N, size] });
    g.output(g.transpose(next, 1, 0, 2), `new_${name}_${layer}`);
    return all;
  };
  let x = it.feedForward(input, dim, (3 * wide) / 4);
  const [query = '', key = ''] = g.split(
    it.linear(x, dim, 2 * keys + heads * POSITION),
    [keys, keys, heads * POSITION],
    2,
  );
  const all = it.heads(behind('cached_key', key, keys), heads, QUERY);
  const scores = g.op('MatMul', [it.heads(query, heads, QUERY), g.transpose(all, 0, 1, 3, 2)]);
  const attention = it.softmax(scores, QUERY);
  // The second kind of attention has weights of one head and a cache (1, B, left, 3/4 D).
  const inner = (3 * dim) / 4;
  const [s = '', y = '', z = ''] = g.split(it.linear(x, dim, 3 * inner), [inner, inner, inner], 2);
  const name = `cached_nonlin_attn_${layer}`;
  const kept = it.after(g.squeeze(name, 0), g.mul(g.op('Tanh', [s]), y), left);
  it.caches.push({ name, shape: [1, N, left, inner] });
  g.output(g.unsqueeze(kept.next, 0), `new_${name}`);
  const one = g.squeeze(g.slice(attention, 0, 1, 1), 1);
  x = g.add(x, it.linear(g.mul(g.op('MatMul', [one, kept.all]), z), inner, dim));
  for (const which of [1, 2]) {
    const values = behind(`cached_val${which}`, it.linear(x, dim, heads * VALUE), heads * VALUE);
    const mixed = g.op('MatMul', [attention, it.heads(values, heads, VALUE)]);
    x = g.add(x, it.linear(it.together(mixed, heads * VALUE), heads * VALUE, dim));
    x = convolution(it, x, `cached_conv${which}_${layer}`, dim, pad);
    x = it.feedForward(x, dim, which === 1 ? wide : (5 * wide) / 4);
  }
  return it.norm(x, dim);
}

/** A cache (B, D, pad) */
function convolution(it: Layers, x: Value, name: string, dim: number, pad: number): Value {
  const { g } = it;
  const channels = g.transpose(it.gated(x, dim), 0, 2, 1);
  const all = g.concat([name, channels], 2);
  it.caches.push({ name, shape: [N, dim, pad] });
  g.output(g.slice(all, -pad, Number.MAX_SAFE_INTEGER, 2), `new_${name}`);
  const mixed = g.transpose(it.depthwise(all, dim, pad + 1), 0, 2, 1);
  return g.add(x, it.linear(it.swish(mixed), dim, dim));
}

const FRAMES = 7;
const LEFT_FRAMES = 70;
const KERNEL = 9;

export function fastConformer(
  g: GraphBuilder,
  random: Random,
  { layers, dim, heads }: { layers: number; dim: number; heads: number },
  out: number,
): Encoder {
  const it = new Layers(g, random);
  let x = it.linear(g.reshape(g.slice('x', 5, 5 + 4 * FRAMES, 1), 0, FRAMES, 4 * BANDS), 4 * BANDS, dim);
  const each = Array.from({ length: layers }, () => 1);
  const attention = g.split('cached_attn', each, 0);
  const convolutions = g.split('cached_conv', each, 0);
  const next: [Value[], Value[]] = [[], []];
  for (let layer = 0; layer < layers; layer++) {
    x = it.feedForward(x, dim, 4 * dim);
    const normed = it.norm(x, dim);
    const past = g.transpose(g.squeeze(attention[layer] ?? '', 0), 1, 0, 2);
    const seen = it.after(past, normed, LEFT_FRAMES);
    next[0].push(g.unsqueeze(g.transpose(seen.next, 1, 0, 2), 0));
    const size = dim / heads;
    const query = it.heads(it.linear(normed, dim, dim), heads, size);
    const key = it.heads(it.linear(seen.all, dim, dim), heads, size);
    const values = it.heads(it.linear(seen.all, dim, dim), heads, size);
    const length = LEFT_FRAMES + FRAMES;
    const positions = g.floats([1, heads, size, length], random(dim * length, size));
    const scores = g.add(
      g.op('MatMul', [query, g.transpose(key, 0, 1, 3, 2)]),
      g.op('MatMul', [query, positions]),
    );
    const mixed = g.op('MatMul', [it.softmax(scores, size), values]);
    x = g.add(x, it.linear(it.together(mixed, dim), dim, dim));
    const before = g.transpose(g.squeeze(convolutions[layer] ?? '', 0), 1, 0, 2);
    const kept = it.after(before, it.gated(it.norm(x, dim), dim), KERNEL - 1);
    next[1].push(g.unsqueeze(g.transpose(kept.next, 1, 0, 2), 0));
    const channels = it.depthwise(g.transpose(kept.all, 0, 2, 1), dim, KERNEL);
    x = g.add(x, it.linear(it.swish(it.norm(g.transpose(channels, 0, 2, 1), dim)), dim, dim));
    x = it.norm(it.feedForward(x, dim, 4 * dim), dim);
  }
  g.output(it.linear(x, dim, out), 'encoder_out');
  g.output(g.concat(next[0], 0), 'new_cached_attn');
  g.output(g.concat(next[1], 0), 'new_cached_conv');
  return {
    kind: 'conformer',
    frames: 39,
    outFrames: FRAMES,
    countsFrames: true,
    caches: [
      { name: 'cached_attn', shape: [layers, LEFT_FRAMES, N, dim] },
      { name: 'cached_conv', shape: [layers, KERNEL - 1, N, dim] },
      { name: 'processed_lens', shape: [N], counter: true },
    ],
    meta: {
      T: '39', decode_chunk_len: String(4 * FRAMES), num_encoder_layers: String(layers), encoder_dim: String(dim),
      left_context: String(LEFT_FRAMES), pad_length: '11', cnn_module_kernel: String(KERNEL),
    },
  }; // biome-ignore format: metadata as it stands in the file
}
