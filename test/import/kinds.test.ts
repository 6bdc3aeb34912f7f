/** Every kind of icefall's encoders, a few kilobytes each, against what sherpa-onnx gave for the same files (recorded). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import {
  type Expected,
  expected,
  hear,
  openStep,
  recording,
  type Said,
  SHERPA_WAITS,
  sourceOf,
} from '../helpers/foreign.js';
import { TINY_KINDS, tinyTransducer } from '../helpers/tiny-transducer.js';

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

function assertHeard(said: readonly Said[], wanted: Expected): void {
  assert.deepEqual(said.map((it) => it.token), wanted.tokens); // biome-ignore format: short
  assert.deepEqual(said.map((it) => it.frame), wanted.frames); // biome-ignore format: short
  const worst = Math.max(...said.map((it, i) => Math.abs(it.logp - (wanted.logp[i] ?? Number.NaN))));
  assert.ok(worst < 1e-3, `log-probabilities differ by ${worst}`);
}

for (const kind of TINY_KINDS) {
  const opened = openStep(compose(sourceOf(tinyTransducer(kind)), { search: 'greedy' }));

  for (const wanted of expected(`tiny-${kind}`)) {
    test(`${kind} says of ${wanted.f} what sherpa-onnx says, in the same frames`, async () => {
      const [said = []] = (await hear(await opened, [recording(wanted.f)], { waits: SHERPA_WAITS })).said;
      assert.ok(wanted.tokens.length > 20);
      assertHeard(said, wanted);
    });
  }

  for (const size of [2, 16, 64]) {
    test(`${kind}: a stream is the same to the bit alone and in a batch of ${size}`, async () => {
      const session = await opened;
      const width = session.step.stateFloats;
      const cut = (i: number) => recording(`digits-${i % 8}.wav`).subarray(0, 16_000);
      const alone = await hear(session, [cut(0)]);
      for (const place of [0, size - 1]) {
        const audios = Array.from({ length: size }, (_, i) => cut(i === place ? 0 : 1 + (i % 7)));
        const among = await hear(session, audios);
        assert.deepEqual(among.said[place], alone.said[0]);
        alone.states.forEach((state, k) => {
          const row = among.states[k]?.subarray(place * width, (place + 1) * width) ?? new Float32Array();
          assert.ok(sameBits(state, row), `step ${k}, place ${place}`);
        });
      }
    });
  }
}
