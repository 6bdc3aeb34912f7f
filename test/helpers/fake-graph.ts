/**
 * The fake model as an ONNX graph, for tests of a lane: written directly as ONNX's protobuf (onnx.proto3), so that no
 * tool is needed. One symbol per frame; otherwise it does the same as `fakeStep`.
 */
import { type Manifest, resultTokens } from '../../src/models/manifest.js';
import { CHUNK, FRAME, FRAMES, fakeManifest, WITH_PREVIEW } from './fake-model.js';

/** A manifest for `fakeGraph`. */
export const graphManifest = (changes: Partial<Manifest> = {}): Manifest =>
  fakeManifest({
    ...WITH_PREVIEW,
    symbolsPerFrame: 1,
    previewTokens: FRAMES,
    state: [{ input: 'delayed', output: 'delayed_next', type: 'int32', shape: [FRAMES] }],
    ...changes,
  });

/** Element types as onnx.proto3 numbers them. */
const TYPES = { float32: 1, int32: 6, int64: 7 } as const;
type Type = keyof typeof TYPES;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
const int = (field: number, value: number) => Buffer.concat([varint(field << 3), varint(value)]);
function part(field: number, ...content: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(content.map((it) => Buffer.from(it)));
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

function tensor(name: string, type: Type, dims: readonly number[], values: readonly number[]): Buffer {
  const arrays = {
    float32: () => Float32Array.from(values),
    int32: () => Int32Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
  };
  const { buffer } = arrays[type]();
  return Buffer.concat([
    ...dims.map((dim) => int(1, dim)),
    int(2, TYPES[type]),
    part(8, name),
    part(9, Buffer.from(buffer)),
  ]);
}

/** An input or output whose first axis is the batch. */
function value(name: string, type: Type, ...shape: number[]): Buffer {
  const dims = [part(1, part(2, 'batch')), ...shape.map((dim) => part(1, int(1, dim)))];
  return Buffer.concat([part(1, name), part(2, part(1, int(1, TYPES[type]), part(2, ...dims)))]);
}

const INT = 2;
const INTS = 7;
function node(
  op: string,
  inputs: string,
  output: string,
  attributes: Record<string, number | number[]> = {},
) {
  const said = Object.entries(attributes).map(([name, it]) =>
    typeof it === 'number'
      ? part(5, part(1, name), int(3, it), int(20, INT))
      : part(5, part(1, name), ...it.map((one) => int(8, one)), int(20, INTS)),
  );
  return Buffer.concat([
    ...inputs.split(' ').map((name) => part(1, name)),
    part(2, output),
    part(4, op),
    ...said,
  ]);
}

/** The graph of a window reads the end of the window. */
const WINDOW_NODES = [
  node('Slice', 'pcm chunk_from chunk_to time_axis', 'heard'),
  node('Reshape', 'heard by_frame', 'frames'),
];
const NODES = [
  node('ReduceMax', 'frames', 'vad', { axes: [2], keepdims: 0 }),
  node('Mul', 'vad scale', 'peak'),
  node('Sub', 'peak marker', 'above'),
  node('Relu', 'above', 'kept'),
  node('Cast', 'kept', 'delayed_next', { to: TYPES.int32 }),
  node('Sub', 'delayed one', 'tokens'),
  node('Cast', 'tokens', 'floats', { to: TYPES.float32 }),
  node('Mul', 'floats nought', 'noughts'),
  node('Sub', 'noughts tenth', 'logp'),
  node('Identity', 'logp', 'preview_logp'),
  node('Unsqueeze', 'tokens last_axis', 'columns'),
  node('Sub', 'columns columns', 'zeros'),
  node('Add', 'zeros chunk', 'said_ages'),
  node('Concat', 'said_ages zeros', 'times', { axis: 2 }),
  node('Sub', 'delayed_next one', 'next'),
  node('Unsqueeze', 'next last_axis', 'held'),
  node('Add', 'zeros to_last', 'held_ages'),
  node('Concat', 'held held_ages zeros', 'preview', { axis: 2 }),
  node('Flatten', 'preview', 'flat_preview'),
];

const CONSTANTS = [
  tensor('by_frame', 'int64', [3], [-1, FRAMES, FRAME]),
  tensor('scale', 'float32', [], [32_768]),
  tensor('marker', 'float32', [], [15_999]),
  tensor('nought', 'float32', [], [0]),
  tensor('tenth', 'float32', [], [0.1]),
  tensor('one', 'int32', [], [1]),
  tensor('chunk', 'int32', [], [FRAMES]),
  tensor('last_axis', 'int64', [1], [2]),
  tensor(
    'to_last',
    'int32',
    [FRAMES, 1],
    Array.from({ length: FRAMES }, (_, i) => FRAMES - 1 - i),
  ),
];

/**
 * The graph's bytes. `flat_preview` is the preview without its last axis.
 * @param window samples that a step sees
 */
export function fakeGraph(window = CHUNK): Buffer {
  const tokens = resultTokens(graphManifest());
  const inputs = [value('pcm', 'float32', window), value('delayed', 'int32', FRAMES)];
  const bounds = [
    tensor('chunk_from', 'int64', [1], [window - CHUNK]),
    tensor('chunk_to', 'int64', [1], [window]),
    tensor('time_axis', 'int64', [1], [1]),
  ];
  const outputs = [
    value('tokens', 'int32', tokens),
    value('logp', 'float32', tokens),
    value('vad', 'float32', FRAMES),
    value('times', 'int32', tokens, 2),
    value('preview', 'int32', FRAMES, 3),
    value('preview_logp', 'float32', FRAMES),
    value('flat_preview', 'int32', FRAMES * 3),
    value('delayed_next', 'int32', FRAMES),
  ];
  const graph = [
    ...[...WINDOW_NODES, ...NODES].map((it) => part(1, it)),
    part(2, 'fake'),
    ...[...CONSTANTS, ...bounds].map((it) => part(5, it)),
    ...inputs.map((it) => part(11, it)),
    ...outputs.map((it) => part(12, it)),
  ];
  const opset = part(8, part(1, ''), int(2, 13));
  return Buffer.concat([int(1, 8), part(7, ...graph), opset]);
}
