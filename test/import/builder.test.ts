import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder, OPSETS } from '../../src/import/builder.js';
import { attr, type GraphProto, nameOf, TYPE, tensor, value } from '../../src/import/onnx.js';
import { bytesOfGraph, graphOf, runGraph } from '../helpers/run-graph.js';

const X = { dims: [2, 3], data: [1, 2, 3, 4, 5, 6] };

for (const opset of [OPSETS.least, 13, 17, 18, OPSETS.most]) {
  test(`helpers write what version ${opset} of the operators wants`, async () => {
    const g = new GraphBuilder(opset);
    const [left, right] = g.split('x', [1, 2], 1) as [string, string];
    const deep = g.unsqueeze(right, 1);
    const graph = graphOf(g, {
      left,
      top: g.reduce('ReduceMax', 'x', 1),
      low: g.reduce('ReduceMin', 'x', 1, { keep: true }),
      sum: g.reduce('ReduceSum', 'x', 0),
      deep,
      flat: g.squeeze(deep, 1),
      rows: g.repeat(g.floats([1, 1], [7]), g.rowsOf('x'), [2]),
      middle: g.slice('x', 1, 2, 1),
      chosen: g.where(g.greater('x', g.scalar(TYPE.float, 3)), 'x', g.scalar(TYPE.float, 0)),
    });
    const answer = await runGraph(bytesOfGraph(graph, opset), { x: X });
    assert.deepEqual(answer, {
      left: { dims: [2, 1], data: [1, 4] },
      top: { dims: [2], data: [3, 6] },
      low: { dims: [2, 1], data: [1, 4] },
      sum: { dims: [3], data: [5, 7, 9] },
      deep: { dims: [2, 1, 2], data: [2, 3, 5, 6] },
      flat: { dims: [2, 2], data: [2, 3, 5, 6] },
      rows: { dims: [2, 2], data: [7, 7, 7, 7] },
      middle: { dims: [2, 1], data: [2, 5] },
      chosen: { dims: [2, 3], data: [0, 0, 0, 4, 5, 6] },
    });
  });
}

test('a small constant is there once, whoever asks for it', () => {
  const g = new GraphBuilder(13);
  assert.equal(g.int64(1, 2), g.body().int64(1, 2));
  assert.notEqual(g.int64(1), g.constant(TYPE.int64, [], [1]));
  assert.equal(g.initializers.length, 3);
});

/** y = (x + w) · 2, with a body of its own that reads the graph around it. */
function model(): GraphProto {
  const branch = (factor: string): GraphProto => ({
    nodes: [{ op: 'Mul', inputs: ['sum', factor], outputs: ['made'], attributes: [] }],
    initializers: [],
    inputs: [],
    outputs: [value('made', TYPE.float, ['N', 3])],
    values: [],
  });
  const attributes = [attr.graph('then_branch', branch('two')), attr.graph('else_branch', branch('w'))];
  return {
    nodes: [
      { op: 'Add', inputs: ['x', 'w'], outputs: ['sum'], attributes: [] },
      { op: 'If', inputs: ['yes'], outputs: ['y'], attributes },
    ],
    initializers: [
      tensor('w', TYPE.float, [3], [10, 20, 30]),
      tensor('two', TYPE.float, [], [2]),
      tensor('yes', TYPE.bool, [], [1]),
    ],
    inputs: [value('x', TYPE.float, ['N', 3]), value('w', TYPE.float, [3])],
    outputs: [value('y', TYPE.float, ['N', 3])],
    values: [],
  };
}

test('a model put in twice computes twice and has its weights once', async () => {
  const g = new GraphBuilder(13);
  const [once = ''] = g.inline(model(), 'a', ['x'], 'm');
  const [twice = ''] = g.inline(model(), 'b', [once], 'm');
  assert.deepEqual(g.initializers.map(nameOf), ['m/w', 'm/two', 'm/yes']);
  const answer = await runGraph(bytesOfGraph(graphOf(g, { twice }), 13), {
    x: { dims: [1, 3], data: [0, 0, 0] },
  });
  assert.deepEqual(answer.twice, { dims: [1, 3], data: [60, 120, 180] });
});

test('the body of a Scan takes the weights of the graph around it', async () => {
  const g = new GraphBuilder(13);
  const body = g.body();
  const [made = ''] = body.inline(model(), 'm', ['b/row']);
  const sum = body.add('b/sum', made);
  const graph = body.finish(
    'row',
    [value('b/sum', TYPE.float, [1, 3]), value('b/row', TYPE.float, [1, 3])],
    [value(sum, TYPE.float, [1, 3])],
  );
  const rows = g.unsqueeze('x', 1);
  const total = g.op(
    'Scan',
    [g.floats([1, 3], [0, 0, 0]), rows],
    [attr.graph('body', graph), attr.int('num_scan_inputs', 1)],
  );
  const answer = await runGraph(bytesOfGraph(graphOf(g, { total }), 13), { x: X });
  assert.deepEqual(answer.total, { dims: [1, 3], data: [50, 94, 138] });
});
