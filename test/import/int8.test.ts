/** int8 by rows: batch-invariant, and as near to fp32 as sherpa-onnx's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tensor } from 'onnxruntime-node';
import { GraphBuilder } from '../../src/import/builder.js';
import { compose } from '../../src/import/compose.js';
import { quantiseByRow } from '../../src/import/int8.js';
import { attr, type NodeProto, nameOf, TYPE, value, writeModel } from '../../src/import/onnx.js';
import type { Model } from '../../src/import/step.js';
import { digits, expected, hear, openStep, recording } from '../helpers/foreign.js';
import { openSession } from '../helpers/run-graph.js';

const NAMES = expected('zip2-greedy').map((it) => it.f);
const opened = openStep(compose(digits('.int8'), { search: 'greedy' }));

test('digits in int8 give the tokens of fp32 in seven files of eight at least, and frames within one', async () => {
  const { said } = await hear(await opened, NAMES.map(recording));
  const same = expected('zip2-greedy').filter(
    ({ tokens, frames }, i) =>
      String(said[i]?.map((it) => it.token)) === String(tokens) &&
      said[i]?.every((it, k) => Math.abs(it.frame - (frames[k] ?? 0)) <= 1),
  );
  assert.ok(same.length >= 7, `${same.length} of ${NAMES.length}`);
});

test('log-probabilities of int8 are within 0.1 of those of fp32', async () => {
  const [said = []] = (await hear(await opened, [recording('digits-0.wav')])).said;
  const [wanted] = expected('zip2-greedy');
  assert.ok(said.length > 0);
  said.forEach((it, i) => {
    assert.ok(Math.abs(it.logp - (wanted?.logp[i] ?? Number.NaN)) < 0.1, `token ${i}: ${it.logp}`);
  });
});

for (const size of [2, 16, 64]) {
  test(`int8: a stream is the same to the bit alone and beside ${size - 1} louder ones`, async () => {
    const session = await opened;
    const width = session.step.stateFloats;
    const audio = recording('digits-3.wav').subarray(0, 24_000).map((x) => x / 20); // biome-ignore format: short
    const alone = await hear(session, [audio]);
    for (const place of [0, size - 1]) {
      const audios = Array.from({ length: size }, (_, i) =>
        recording(NAMES[i % 8] ?? '').subarray(0, 24_000),
      );
      audios[place] = audio;
      const among = await hear(session, audios);
      assert.deepEqual(among.said[place], alone.said[0]);
      alone.states.forEach((state, k) => {
        const row = among.states[k]?.slice(place * width, (place + 1) * width);
        assert.deepEqual(row, state, `step ${k}`);
      });
    }
  });
}

/** x (B, 4) times a weight of int8, as exported. */
function product(): Model {
  const g = new GraphBuilder(13);
  const outputs = ['q', 'scale', 'zero'];
  const weight = g.constant(TYPE.int8, [4, 2], [127, -50, 3, 90, -127, 0, 64, 20]);
  const factor = g.scalar(TYPE.float, 0.01);
  const node = (op: string, inputs: string[], outs: string[]): NodeProto => ({
    op, name: outs[0] ?? '', inputs, outputs: outs, attributes: op === 'Cast' ? [attr.int('to', TYPE.float)] : [],
  }); // biome-ignore format: short
  g.nodes.push(
    node('DynamicQuantizeLinear', ['x'], outputs),
    node('MatMulInteger', ['q', weight, 'zero', g.scalar(TYPE.int8, 0)], ['whole']),
    node('Cast', ['whole'], ['float']),
    node('Mul', ['scale', factor], ['both']),
    node('Mul', ['float', 'both'], ['y']),
  );
  return {
    ir: 8,
    producer: 'tests',
    opsets: [{ domain: '', version: 13 }],
    meta: [],
    graph: g.finish('product', [value('x', TYPE.float, ['N', 4])], [value('y', TYPE.float, ['N', 2])], { outermost: true }), // biome-ignore format: short
  };
}

test('a row of zeros gives zeros, and its neighbours what they give alone, within an int8 step of the float product', async () => {
  const session = await openSession(writeModel(quantiseByRow(product())));
  const rows = [0.5, -1, 0.25, 0.125, 0, 0, 0, 0, 800, 3, -2, 1];
  const run = async (values: number[]) =>
    (await session.run({ x: new Tensor('float32', Float32Array.from(values), [values.length / 4, 4]) })).y
      ?.data as Float32Array;
  const together = await run(rows);
  assert.deepEqual([...together.slice(2, 4)], [0, 0]);
  for (const row of [0, 1, 2]) {
    const alone = await run(rows.slice(4 * row, 4 * row + 4));
    assert.deepEqual(together.slice(2 * row, 2 * row + 2), alone, `row ${row}`);
  }
  const [first = 0, second = 0] = together;
  assert.ok(Math.abs(first - (0.5 * 1.27 - 0.03 - 0.25 * 1.27 + 0.125 * 0.64)) < 0.02, String(first));
  assert.ok(Math.abs(second - (0.5 * -0.5 - 0.9 + 0.125 * 0.2)) < 0.02, String(second));
});

test('an export without int8 stays as it is', () => {
  const { encoder } = digits();
  assert.equal(quantiseByRow(encoder), encoder);
});

test('int8 products of another shape are refused, not served with one scale for all', () => {
  const { encoder } = digits('.int8');
  const graph = encoder.graph;
  const product = graph.nodes.find((it) => it.op === 'MatMulInteger');
  const nodes = graph.nodes.map((it): NodeProto => (it === product ? { ...it, op: 'ConvInteger' } : it));
  assert.throws(() => quantiseByRow({ ...encoder, graph: { ...graph, nodes } }), {
    code: 'MODEL_UNSUPPORTED',
    message: new RegExp(`int8 product ${nameOf(product ?? {})} \\(ConvInteger.*--precision fp32`),
  });
});
