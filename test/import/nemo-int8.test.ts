/** NeMo in int8: convolutions and LSTM back in float, products by rows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { graphInputs, nameOf, writeModel } from '../../src/import/onnx.js';
import type { Model } from '../../src/import/step.js';
import { weightsToFloat } from '../../src/import/to-float.js';
import { expected, hear, nemoDigits, openStep, recording } from '../helpers/foreign.js';
import { runGraph } from '../helpers/run-graph.js';

const WANTED = expected('nemo-560');
const opened = openStep(compose(nemoDigits(560, '.int8'), { search: 'greedy' }));

test('int8 gives the tokens of fp32 in six files of eight at least, and frames within one', async () => {
  const { said } = await hear(
    await opened,
    WANTED.map((it) => recording(it.f)),
  );
  const same = WANTED.filter(
    ({ tokens, frames }, i) =>
      String(said[i]?.map((it) => it.token)) === String(tokens) &&
      said[i]?.every((it, k) => Math.abs(it.frame - (frames[k] ?? 0)) <= 1),
  );
  assert.ok(same.length >= 6, `${same.length} of ${WANTED.length}`);
});

for (const size of [2, 16, 64]) {
  test(`int8: a stream is the same to the bit alone and beside ${size - 1} louder ones`, async () => {
    const session = await opened;
    const width = session.step.stateFloats;
    const audio = recording('digits-3.wav')
      .subarray(0, 24_000)
      .map((x) => x / 20);
    const alone = await hear(session, [audio]);
    for (const place of [0, size - 1]) {
      const audios = Array.from({ length: size }, (_, i) =>
        recording(`digits-${i % 8}.wav`).subarray(0, 24_000),
      );
      audios[place] = audio;
      const among = await hear(session, audios);
      assert.deepEqual(among.said[place], alone.said[0]);
      alone.states.forEach((state, k) => {
        assert.deepEqual(among.states[k]?.slice(place * width, (place + 1) * width), state, `step ${k}`);
      });
    }
  });
}

test('a decoder back in float is that of fp32, but for the rounding of its weights', async () => {
  const [whole, small] = [nemoDigits(560).decoder, weightsToFloat(nemoDigits(560, '.int8').decoder)];
  assert.ok(!small.graph.nodes.some((it) => it.op === 'DynamicQuantizeLSTM'));
  const [a, b] = [await decoded(whole), await decoded(small)];
  assert.ok(Math.max(...a.map(Math.abs)) > 0.1);
  const worst = Math.max(...a.map((it, i) => Math.abs(it - (b[i] ?? Number.NaN))));
  assert.ok(worst < 0.02, `differs by ${worst}`);
});

/** What a decoder says to a symbol, from states that are not zero. */
async function decoded(model: Model): Promise<number[]> {
  const [symbol, length, h, c] = graphInputs(model.graph).map(nameOf) as [string, string, string, string];
  const state = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
  const { [nameOf(model.graph.outputs[0] ?? {})]: answer } = await runGraph(writeModel(model), {
    [symbol]: { dims: [1, 1], data: Int32Array.of(3) },
    [length]: { dims: [1], data: Int32Array.of(1) },
    [h]: { dims: [1, 1, 64], data: state },
    [c]: { dims: [1, 1, 64], data: state },
  });
  return answer?.data ?? [];
}

test('a convolution that is followed by something unknown is refused', () => {
  const { encoder } = nemoDigits(560, '.int8');
  const { graph } = encoder;
  const nodes = graph.nodes.map((it) => (it.op === 'Cast' ? { ...it, op: 'CastLike' } : it));
  assert.throws(() => weightsToFloat({ ...encoder, graph: { ...graph, nodes } }), {
    code: 'MODEL_UNSUPPORTED',
    message: /int8 convolution.*--precision fp32/,
  });
});

test('a model without int8 stays as it is', () => {
  const { encoder } = nemoDigits(560);
  assert.equal(weightsToFloat(encoder), encoder);
});
