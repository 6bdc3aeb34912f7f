import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RollingHistogram } from '../src/histogram.js';

test('an empty histogram is all zeros', () => {
  assert.deepEqual(new RollingHistogram().percentiles(), { p50: 0, p95: 0, p99: 0 });
});

test('percentiles are in milliseconds, to the hundredth', () => {
  const histogram = new RollingHistogram();
  for (let i = 1; i <= 100; i++) histogram.record(i / 10);
  const { p50, p95, p99 } = histogram.percentiles();
  assert.ok(
    Math.abs(p50 - 5) < 0.1 && Math.abs(p95 - 9.5) < 0.1 && Math.abs(p99 - 9.9) < 0.1,
    `${p50} ${p95} ${p99}`,
  );
});

test('a window is remembered through one rotation and forgotten with the second', () => {
  const histogram = new RollingHistogram();
  histogram.record(10);
  histogram.rotate();
  assert.equal(Math.round(histogram.percentiles().p50), 10);
  histogram.rotate();
  assert.equal(histogram.percentiles().p50, 0);
});

test('count and sum never go back', () => {
  const histogram = new RollingHistogram();
  histogram.record(10);
  histogram.rotate();
  histogram.rotate();
  histogram.record(5);
  assert.deepEqual([histogram.count, histogram.sumMs], [2, 15]);
});

test('zero and less is recorded as the shortest time there is', () => {
  const histogram = new RollingHistogram();
  histogram.record(0);
  histogram.record(-3);
  assert.equal(histogram.count, 2);
  assert.equal(histogram.percentiles().p99, 0);
});
