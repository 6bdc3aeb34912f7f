import assert from 'node:assert/strict';
import { test } from 'node:test';
import { probeWhileShort } from '../../src/inference/probe.js';

const sizesRun = async (maxBatch: number, longestMs: number, ms: (batch: number) => number) =>
  (await probeWhileShort(maxBatch, longestMs, async (batch) => ms(batch))).map(({ batch }) => batch);

test('steps are measured at powers of two, and at the largest batch', async () => {
  const times = await probeWhileShort(12, 1_000, async (batch) => 2 + batch);
  assert.deepEqual(times, [
    { batch: 1, ms: 3 },
    { batch: 2, ms: 4 },
    { batch: 4, ms: 6 },
    { batch: 8, ms: 10 },
    { batch: 12, ms: 14 },
  ]);
});

test('a step that is expected to be too long is not run, since the runtime would keep its memory', async () => {
  assert.deepEqual(await sizesRun(64, 160, (batch) => 21 + 7 * batch), [1, 2, 4, 8, 16]);
  assert.deepEqual(await sizesRun(64, 245, (batch) => 21 + 7 * batch), [1, 2, 4, 8, 16, 32]);
});

test('one stream is always measured, however long its step takes', async () => {
  assert.deepEqual(await sizesRun(64, 100, () => 500), [1]);
});
