import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { estimateCapacity, streamsLeft, targetMs } from '../../src/inference/capacity.js';

const CHUNK_MS = 100;

test('a lane that takes 10 ms for 16 streams is rated for 42 % of 160', () => {
  const capacity = estimateCapacity([{ batch: 16, ms: 10 }], 1, CHUNK_MS, 100);
  assert.deepEqual([capacity.streams, capacity.batch], [67, 16]);
});

test('twice the lanes carry twice the streams', () => {
  const times = [{ batch: 16, ms: 10 }];
  assert.equal(estimateCapacity(times, 2, CHUNK_MS, 100).streams, 134);
});

test('a batch whose step takes more than half the latency target does not count', () => {
  const times = [
    { batch: 8, ms: 20 },
    { batch: 64, ms: 51 },
  ];
  assert.equal(estimateCapacity(times, 1, CHUNK_MS, 100).batch, 8);
  assert.equal(estimateCapacity(times, 1, CHUNK_MS, 200).batch, 64);
});

test('without a target of its own a model of long chunks may take half a chunk, and no less than 100 ms', () => {
  assert.deepEqual(
    [100, 320, 1_120].map((chunk) => targetMs(0, chunk)),
    [100, 160, 560],
  );
  assert.equal(targetMs(80, 1_120), 80, 'what is asked for holds');
});

test('a machine too slow for even one stream is rated for one', () => {
  assert.equal(estimateCapacity([{ batch: 1, ms: 900 }], 1, CHUNK_MS, 100).streams, 1);
});

test('what is rated keeps the lanes busy for at most 42 % of the time', () => {
  const times = fc.array(
    fc.record({
      batch: fc.integer({ min: 1, max: 256 }),
      ms: fc.double({ min: 0.1, max: 200, noNaN: true }),
    }),
    { minLength: 1, maxLength: 10 },
  );
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 8 }), (stepTimes, lanes) => {
      const { streams, batch } = estimateCapacity(stepTimes, lanes, CHUNK_MS, 100);
      const used = stepTimes.filter((time) => time.batch === batch && time.ms <= 50);
      const busy = (ms: number) => (streams * ms) / (batch * lanes * CHUNK_MS);
      assert.ok(streams === 1 || used.some(({ ms }) => busy(ms) <= 0.42 + 1e-9));
    }),
    { seed: 2 },
  );
});

test('a lane that is lost takes its share of the capacity along, the last one all of it', () => {
  const left = [8, 7, 4, 1, 0].map((live) => streamsLeft(209, live, 8));
  assert.deepEqual(left, [209, 182, 104, 26, 0]);
  assert.equal(streamsLeft(1, 1, 8), 1, 'a lane that works carries one stream at least');
});
