/** Files damaged at random: whatever is wrong with them, the import says so with a code and a reason, and nothing else happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.js';
import { compose } from '../../src/import/compose.js';
import { encodeModel } from '../../src/import/onnx.js';
import { sourceOf } from '../helpers/foreign.js';
import { TINY_KINDS, tinyTransducer } from '../helpers/tiny-transducer.js';

/** Whole numbers below `most` from a seed (a linear congruential generator, Numerical Recipes). */
function seeded(seed: number): (most: number) => number {
  let state = seed >>> 0;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

type Damage = (bytes: Uint8Array, random: (most: number) => number) => Uint8Array;
const DAMAGES: Record<string, Damage> = {
  'bytes that changed': (bytes, random) => {
    const copy = Uint8Array.from(bytes);
    for (let i = 0; i < 4; i++) copy[random(copy.length)] = random(256);
    return copy;
  },
  'a piece that is missing': (bytes, random) => {
    const at = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(64))]);
  },
  'a piece that is there twice': (bytes, random) => {
    const at = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random(64)))]);
  },
};

for (const kind of TINY_KINDS) {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    test(`${kind} with ${name}: composed, or refused with a reason`, () => {
      const files = tinyTransducer(kind);
      const random = seeded(kind.length + name.length);
      let refused = 0;
      for (let round = 0; round < 150; round++) {
        const part = ['encoder.onnx', 'decoder.onnx', 'joiner.onnx'][random(3)] ?? '';
        const damaged = { ...files, [part]: damage(files[part] ?? new Uint8Array(), random) };
        try {
          const { model } = compose(sourceOf(damaged), { search: random(2) === 0 ? 'greedy' : 'beam' });
          assert.ok(encodeModel(model).size > 0);
        } catch (error) {
          assert.ok(
            error instanceof ServerError,
            `round ${round}, ${part}: ${error instanceof Error ? error.stack : error}`,
          );
          assert.ok(['MODEL_CORRUPT', 'MODEL_UNSUPPORTED'].includes(error.code), error.message);
          refused++;
        }
      }
      assert.ok(refused > 0);
    });
  }
}
