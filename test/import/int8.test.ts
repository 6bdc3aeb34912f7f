/** int8 by rows: batch-invariant, and as near to fp32 as sherpa-onnx's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { quantiseByRow } from '../../src/import/int8.js';
import { type NodeProto, nameOf } from '../../src/import/onnx.js';
import { digits, expected, hear, openStep, recording } from '../helpers/foreign.js';

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
