import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  estimateCapacity,
  type Machine,
  stepsPerSecond,
  streamsLeft,
  targetMs,
} from '../../src/inference/capacity.js';
import { fakeManifest } from '../helpers/fake-model.js';

const CHUNK_MS = 100;
/** Two cores with a lane each. */
const TWO: Machine = { lanes: 2, coresPerLane: 1, cores: 2 };
/** Cores to spare beside the lanes. */
const SPARE: Machine = { lanes: 2, coresPerLane: 1, cores: 8 };
const rated = (times: Record<number, number>, machine = TWO, chunkMs = CHUNK_MS, targetMs = 100) =>
  estimateCapacity(
    Object.entries(times).map(([batch, ms]) => ({ batch: Number(batch), ms })),
    machine,
    1000 / chunkMs,
    targetMs,
  );

test('a stream costs its share of the steps, a fifth slower than the probes, and 2 ms of serving a second', () => {
  // 10 steps a second of 12 / 16 ms, and 2 ms, of two cores that may be busy for 95 %.
  const { streams, batch } = rated({ 16: 10 });
  assert.deepEqual([streams, batch], [Math.floor(1900 / (7.5 + 2)), 16]);
});

test('the end of an utterance costs steps as well: one every ten seconds is assumed', () => {
  const manifest = fakeManifest({ chunkSamples: 5_120, flushMs: 204, lookaheadMs: 136 });
  assert.equal(stepsPerSecond(manifest), (1_000 + 34) / 320);
  assert.equal(stepsPerSecond({ ...manifest, previewFlushMs: 64 }), (1_000 + 20) / 320, 'it may end earlier');
});

test('a small model is bound by serving, a large one by its steps', () => {
  const half = (times: Record<number, number>, chunkMs: number, targetMs: number) =>
    rated(Object.fromEntries(Object.entries(times).map(([b, ms]) => [b, ms / 2])), TWO, chunkMs, targetMs).streams /
    rated(times, TWO, chunkMs, targetMs).streams; // biome-ignore format: one ratio
  assert.ok(half({ 16: 1 }, 100, 100) < 1.2, 'half the step time hardly helps');
  assert.ok(half({ 16: 120 }, 320, 300) > 1.8, 'half the step time is nearly twice the streams');
});

test('between the measured batch sizes the time of a step is interpolated', () => {
  // A step may take 80 ms under load: 66.7 in a probe, which is 60 + 1.25 · 5.
  assert.equal(rated({ 1: 20, 32: 60, 64: 100 }, SPARE, 320).batch, 37);
});

test('twice the lanes and cores carry twice the streams', () => {
  const [one, two] = [1, 2].map((n) => rated({ 16: 10 }, { lanes: n, coresPerLane: 1, cores: n }).streams);
  assert.ok(Math.abs((two ?? 0) - 2 * (one ?? 0)) <= 1, `${one}, ${two}`);
});

test('a core beside the lanes serves: then the lanes alone are the bound', () => {
  assert.equal(rated({ 16: 10 }, SPARE).streams, Math.floor(1900 / 7.5));
});

test('on a device the main thread is the bound', () => {
  const device: Machine = { lanes: 1, coresPerLane: 0, cores: 64 };
  assert.equal(rated({ 1: 2, 1024: 20 }, device).streams, 950);
});

test('a batch whose step takes more than four fifths of the latency target does not count', () => {
  const times = { 8: 20, 32: 66.6, 33: 67 };
  assert.equal(rated(times, SPARE).batch, 32);
  assert.equal(rated(times, SPARE, CHUNK_MS, 101).batch, 33);
});

test('without a target of its own a model of long chunks may take half a chunk, and no less than 100 ms', () => {
  assert.deepEqual(
    [100, 320, 1_120].map((chunk) => targetMs(0, chunk)),
    [100, 160, 560],
  );
  assert.equal(targetMs(80, 1_120), 80, 'what is asked for holds');
});

test('a machine too slow for even one stream is rated for one', () => {
  assert.equal(rated({ 1: 900 }).streams, 1);
});

test('what is rated never keeps the cores busy for more than 95 % of the time', () => {
  const times = fc.array(
    fc.record({
      batch: fc.integer({ min: 1, max: 256 }),
      ms: fc.double({ min: 0.1, max: 200, noNaN: true }),
    }),
    { minLength: 1, maxLength: 10 },
  );
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 8 }), (unordered, lanes) => {
      const stepTimes = unordered
        .sort((a, b) => a.batch - b.batch)
        .filter(({ batch }, i, all) => batch !== all[i - 1]?.batch);
      const machine = { lanes, coresPerLane: 1, cores: lanes };
      const { streams, batch } = estimateCapacity(stepTimes, machine, 1000 / CHUNK_MS, 100);
      const at = stepTimes.find((time) => time.batch >= batch);
      assert.ok(at !== undefined && batch >= (stepTimes[0]?.batch ?? 0) || streams === 1); // biome-ignore format: short
      if (at?.batch !== batch || streams === 1) return;
      const busy = (streams * ((10 * 1.2 * at.ms) / batch + 2)) / 1000 / lanes;
      assert.ok(busy <= 0.95 + 1e-9, `${busy}`);
    }),
    { seed: 2 },
  );
});

test('a lane that is lost takes its share of the capacity along, the last one all of it', () => {
  const left = [8, 7, 4, 1, 0].map((live) => streamsLeft(209, live, 8));
  assert.deepEqual(left, [209, 182, 104, 26, 0]);
  assert.equal(streamsLeft(1, 1, 8), 1, 'a lane that works carries one stream at least');
});
