import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exactPosition } from '../../src/session/position.js';

test('is every frame at 16 kHz, every 3rd at 48 kHz, every 441st at 44.1 kHz', () => {
  assert.deepEqual(exactPosition(1_001, 16_000), { frames: 1_001, samples: 1_001 });
  assert.deepEqual(exactPosition(1_001, 48_000), { frames: 999, samples: 333 });
  assert.deepEqual(exactPosition(1_001, 44_100), { frames: 882, samples: 320 });
  assert.deepEqual(exactPosition(1_001, 8_000), { frames: 1_001, samples: 2_002 });
});

test('means the same at both rates, is never ahead and never more than a second behind', () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.integer({ min: 8_000, max: 48_000 }), (received, rateHz) => {
      const { frames, samples } = exactPosition(received, rateHz);
      assert.equal(frames * 16_000, samples * rateHz);
      assert.ok(frames <= received && received - frames < rateHz);
    }),
  );
});
