import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../src/import/check.js';
import { rewriteConvolutions } from '../../src/import/conv2d.js';
import {
  type AttributeProto,
  attr,
  type GraphProto,
  type NodeProto,
  nameOf,
  TYPE,
  tensor,
  value,
} from '../../src/import/onnx.js';
import { digits } from '../helpers/foreign.js';
import { bytesOfGraph, runGraph } from '../helpers/run-graph.js';

const CHANNELS = 6;
const TIME = 20;

/** Depthwise over time, and one over all channels behind it. */
function graphWith(attributes: AttributeProto[], width: number): GraphProto {
  const node = (inputs: string[], output: string, more: AttributeProto[]): NodeProto => ({
    op: 'Conv', name: output, inputs, outputs: [output], attributes: more,
  }); // biome-ignore format: a plain list
  return {
    name: 'convolutions',
    nodes: [
      node(['x', 'deep', 'bias'], 'middle', [attr.int('group', CHANNELS), ...attributes]),
      node(['middle', 'full'], 'y', []),
    ],
    initializers: [
      tensor('deep', TYPE.float, [CHANNELS, 1, width], noise(CHANNELS * width, 1)),
      tensor('bias', TYPE.float, [CHANNELS], noise(CHANNELS, 2)),
      tensor('full', TYPE.float, [CHANNELS, CHANNELS, 1], noise(CHANNELS * CHANNELS, 3)),
    ],
    inputs: [value('x', TYPE.float, ['N', CHANNELS, TIME])],
    outputs: [value('y', TYPE.float, ['N', CHANNELS, 'T'])],
    values: [],
  };
}

const CASES: Record<string, AttributeProto[]> = {
  'nothing else said': [],
  'padding at both ends': [attr.ints('pads', [3, 1]), attr.ints('kernel_shape', [5])],
  'strides and dilations': [
    attr.ints('strides', [2]),
    attr.ints('dilations', [3]),
    attr.ints('pads', [0, 4]),
  ],
};

for (const [name, attributes] of Object.entries(CASES)) {
  for (const opset of [11, 13, 17]) {
    test(`a depthwise convolution with ${name} gives the same in two dimensions (opset ${opset})`, async () => {
      const graph = graphWith(attributes, 5);
      const flat = rewriteConvolutions(graph, opset);
      assert.deepEqual(flat.nodes.map((it) => it.op), ['Unsqueeze', 'Conv', 'Squeeze', 'Conv']); // biome-ignore format: short
      assert.deepEqual(graph, graphWith(attributes, 5), 'the source is not changed');
      const feeds = { x: { dims: [2, CHANNELS, TIME], data: noise(2 * CHANNELS * TIME, 4) } };
      const [before, after] = await Promise.all(
        [graph, flat].map((it) => runGraph(bytesOfGraph(it, opset), feeds)),
      );
      assert.deepEqual(after?.y?.dims, before?.y?.dims);
      const worst = Math.max(
        ...(before?.y?.data ?? []).map((it, i) => Math.abs(it - (after?.y?.data[i] ?? 0))),
      );
      assert.ok(worst < 5e-7, `${worst}`);
    });
  }
}

test('padding that ONNX Runtime is to find itself stays as it is', () => {
  const graph = graphWith([attr.string('auto_pad', 'SAME_UPPER')], 5);
  assert.deepEqual(rewriteConvolutions(graph, 13).nodes, graph.nodes);
});

test('the digits recogniser has its depthwise convolutions rewritten, and their old weights left out', () => {
  const { graph } = digits().encoder;
  const flat = rewriteConvolutions(graph, 13);
  const squeezed = flat.nodes.filter((it) => it.inputs.includes('conv2d/axis') && it.op === 'Squeeze');
  assert.ok(squeezed.length >= 3, `${squeezed.length}`);
  const names = new Set(flat.initializers.map(nameOf));
  for (const name of names) if (name.endsWith('/2d')) assert.ok(!names.has(name.replace(/\/2d$/, '')));
});
