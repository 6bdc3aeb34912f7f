import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.js';
import {
  attr, dimsOf, elementOf, floatsOf, type GraphProto, graphInputs, integersOf, metaOf, nameOf, opsetOf, readModel, TYPE,
  tensor, value, writeModel,
} from '../../src/import/onnx.js'; // biome-ignore format: one source
import { LIMITS } from '../../src/limits.js';
import { fixture } from '../helpers/foreign.js';

const FILES = ['encoder', 'encoder.int8', 'decoder', 'joiner', 'joiner.int8'];
const read = (name: string) => readFileSync(fixture('zipformer2-digits', `${name}.onnx`));

const corrupt = (pattern: RegExp) => (error: unknown) =>
  error instanceof ServerError && error.code === 'MODEL_CORRUPT' && pattern.test(error.message);

for (const name of FILES) {
  test(`${name}.onnx is written as it was read, byte by byte`, () => {
    const bytes = read(name);
    assert.ok(bytes.equals(writeModel(readModel(bytes))));
  });
}

test('weights are views of the file, not copies', () => {
  const bytes = read('encoder');
  const largest = readModel(bytes).graph.initializers.reduce((a, b) =>
    (a.raw?.length ?? 0) > (b.raw?.length ?? 0) ? a : b,
  );
  assert.ok((largest.raw?.length ?? 0) > 10_000);
  assert.equal(largest.raw?.buffer, bytes.buffer);
});

test('a file tells its metadata, operators, inputs and outputs', () => {
  const model = readModel(read('encoder'));
  assert.equal(metaOf(model).model_type, 'zipformer2');
  assert.equal(opsetOf(model), 13);
  const [x] = graphInputs(model.graph);
  assert.ok(x);
  assert.deepEqual([nameOf(x), elementOf(x), dimsOf(x)], ['x', TYPE.float, ['N', 45, 80]]);
});

test('a file cut anywhere is refused as damaged, whatever the cut leaves', () => {
  const bytes = read('joiner');
  for (let length = 0; length < bytes.length; length += 1 + (length % 7)) {
    assert.throws(() => readModel(bytes.subarray(0, length)), corrupt(/Not an ONNX file/), `${length} bytes`);
  }
});

test('bytes that are no ONNX file are refused', () => {
  const texts = [
    '',
    'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n',
    '<!doctype html><html>',
  ];
  for (const text of texts)
    assert.throws(() => readModel(Buffer.from(text)), corrupt(/Not an ONNX file/), text);
});

test('a number of more than ten bytes is refused', () => {
  assert.throws(
    () => readModel(Buffer.from([8, ...new Array(11).fill(255), 1])),
    corrupt(/more than ten bytes/),
  );
});

test('parts nested beyond the bound are refused', () => {
  let graph: GraphProto = { nodes: [], initializers: [], inputs: [], outputs: [], values: [] };
  for (let depth = 0; depth < LIMITS.maxOnnxDepth; depth++) {
    const node = { op: 'If', inputs: [], outputs: [], attributes: [attr.graph('then_branch', graph)] };
    graph = { ...graph, nodes: [node] };
  }
  const bytes = writeModel({ graph, opsets: [{ version: 13 }], meta: [] });
  assert.throws(() => readModel(bytes), corrupt(/nested too deeply/));
});

test('more parts than the bound are refused', () => {
  const empties = Buffer.alloc(2 * (LIMITS.maxOnnxMessages + 1));
  for (let i = 0; i < empties.length; i += 2) empties[i] = (8 << 3) | 2;
  assert.throws(() => readModel(empties), corrupt(/too many parts/));
});

test('fields that nobody knows stay where they were, packed numbers packed', () => {
  const head = [8, 8, 18, 1, 65, 26, 2, 120, 121, 0x28, 7];
  const dim = [10, 3, 3, 0x80, 1];
  const raw = [74, 2, 5, 6];
  const tensorBytes = [...dim, 16, 2, 66, 1, 119, ...raw, 98, 1, 33];
  const node = [10, 3, 34, 1, 65];
  const graph = [...node, 42, tensorBytes.length, ...tensorBytes];
  const bytes = Buffer.from([...head, 58, graph.length, ...graph, 66, 2, 16, 13, 200, 1, 5]);
  const model = readModel(bytes);
  assert.deepEqual(model.graph.initializers[0]?.dims, [3, 128]);
  assert.ok(Buffer.from(writeModel(model)).equals(bytes));
});

test('whole numbers of 64 bits come through', () => {
  const most = 2n ** 63n - 1n;
  const graph: GraphProto = {
    nodes: [{ op: 'X', inputs: [], outputs: [], attributes: [attr.ints('ends', [-1, 2 ** 40])] }],
    initializers: [tensor('w', TYPE.int64, [2], [-5, 2 ** 40])],
    inputs: [value('x', TYPE.float, ['N', 3])],
    outputs: [],
    values: [],
  };
  graph.nodes[0]?.attributes[0]?.ints.push(most);
  const again = readModel(writeModel({ graph, opsets: [{ version: 13 }], meta: [] })).graph;
  assert.deepEqual(again.nodes[0]?.attributes[0]?.ints, [-1, 2 ** 40, most]);
  assert.deepEqual(again.initializers.map(integersOf), [[-5, 2 ** 40]]);
  assert.deepEqual(again.inputs.map(dimsOf), [['N', 3]]);
});

test('values lie in raw bytes or in lists of their own', () => {
  const raw = tensor('w', TYPE.float, [2], [0.5, -2]);
  const { raw: floats, ...rest } = raw;
  assert.ok(floats);
  assert.deepEqual([...floatsOf(raw)], [0.5, -2]);
  assert.deepEqual([...floatsOf({ ...rest, floats })], [0.5, -2]);
  const minusOne = Uint8Array.of(...new Array(9).fill(255), 1);
  const listed = {
    name: 'z',
    type: TYPE.int8,
    dims: [2],
    external: [],
    int32s: Uint8Array.of(3, ...minusOne),
  };
  assert.deepEqual(integersOf(listed), [3, -1]);
});

test('a tensor with fewer values than its dimensions say is refused', () => {
  const short = { ...tensor('w', TYPE.float, [2], [0.5, -2]), dims: [3] };
  assert.throws(() => floatsOf(short), corrupt(/tensor w do not match/));
  const whole = { ...tensor('z', TYPE.int8, [2], [1, 2]), dims: [1] };
  assert.throws(() => integersOf(whole), corrupt(/tensor z do not match/));
});
