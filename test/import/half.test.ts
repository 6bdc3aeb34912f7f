/** Exports in half precision: with float16 weights, and with float16 inputs, outputs and caches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { expected, hear, openStep, recording, sourceOf } from '../helpers/foreign.js';
import { halfBits, inHalf } from '../helpers/half.js';
import { fixtureFiles } from '../helpers/sherpa.js';
import { TINY_KINDS, tinyTransducer } from '../helpers/tiny-transducer.js';

const PARTS = ['encoder.onnx', 'decoder.onnx', 'joiner.onnx', 'tokens.txt'];
const halved = (files: Record<string, Uint8Array>, edges: boolean): Record<string, Uint8Array> =>
  Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [
      name,
      name.endsWith('.onnx') ? inHalf(bytes, { edges }) : bytes,
    ]),
  );

test('numbers in half precision have the bits that IEEE 754 gives them', () => {
  const known = [0, 1, -2, 0.5, 65_504, 2 ** -24, 1 / 3, -0.1];
  assert.deepEqual(known.map(halfBits), [0, 0x3c00, 0xc000, 0x3800, 0x7bff, 1, 0x3555, 0xae66]);
});

for (const edges of [false, true]) {
  const what = edges ? 'float16 weights, inputs, outputs and caches' : 'float16 weights';
  test(`the digits recogniser with ${what} gives the tokens of float32`, async () => {
    const files = halved(fixtureFiles('zipformer2-digits', PARTS), edges);
    const step = await openStep(compose(sourceOf(files), { search: 'greedy' }));
    const wanted = expected('zip2-greedy').slice(0, 4);
    const { said } = await hear(step, wanted.map((it) => recording(it.f))); // biome-ignore format: short
    wanted.forEach(({ f, tokens, logp }, i) => {
      assert.deepEqual(said[i]?.map((it) => it.token), tokens, f); // biome-ignore format: short
      said[i]?.forEach((it, k) => {
        assert.ok(Math.abs(it.logp - (logp[k] ?? Number.NaN)) < 0.05, `${f}, token ${k}: ${it.logp}`);
      });
    });
  });
}

for (const kind of TINY_KINDS) {
  test(`${kind} with float16 at its edges is the same to the bit alone and in a batch`, async () => {
    const step = await openStep(compose(sourceOf(halved(tinyTransducer(kind), true)), { search: 'beam' }));
    const audios = [0, 1, 2].map((i) => recording(`digits-${i}.wav`).subarray(0, 16_000));
    const together = await hear(step, audios);
    for (const [i, audio] of audios.entries()) {
      const alone = await hear(step, [audio]);
      assert.deepEqual(alone.said[0], together.said[i]);
      assert.deepEqual(alone.previews[0], together.previews[i]);
    }
  });
}
