import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LevelMeter, SessionMetrics } from '../../src/session/meters.js';

test('full scale is 0 dBFS, a tenth of it -20', () => {
  const meter = new LevelMeter();
  meter.add(Float32Array.of(1, 1));
  assert.equal(meter.takeDbfs(), 0);
  meter.add(Float32Array.of(0.1, 0.1));
  assert.equal(meter.takeDbfs(), -20);
});

test('silence, and nothing at all, are -100 dBFS', () => {
  const meter = new LevelMeter();
  assert.equal(meter.takeDbfs(), -100);
  meter.add(Float32Array.of(0, 0));
  assert.equal(meter.takeDbfs(), -100);
});

test('levels add up as energy, and begin anew when taken', () => {
  const meter = new LevelMeter();
  meter.add(Float32Array.of(1, 0));
  assert.equal(meter.takeDbfs(), -3);
  meter.add(Float32Array.of(0.1));
  assert.equal(meter.takeDbfs(), -20);
});

test('chunks are counted as audio and timed, here and in whatever else listens', () => {
  const metrics = new SessionMetrics();
  const seconds: number[] = [];
  metrics.chunkHistogram = { observe: (value) => void seconds.push(value) };
  metrics.finalHistogram = { observe: (value) => void seconds.push(value) };
  metrics.recordChunk(40, 1_600);
  metrics.recordFinal(100);
  assert.equal(metrics.audioSamples, 1_600);
  assert.deepEqual(seconds, [0.04, 0.1]);
  assert.equal(Math.round(metrics.chunk.percentiles().p50), 40);
});

test('errors are counted by code and together', () => {
  const metrics = new SessionMetrics();
  for (const code of ['INVALID_JSON', 'INVALID_JSON', 'RATE_LIMITED'] as const) metrics.countError(code);
  assert.deepEqual([...metrics.errors], [['INVALID_JSON', 2], ['RATE_LIMITED', 1]]); // biome-ignore format: short
  assert.equal(metrics.errorCount, 3);
});

test('addresses that are not there are counted by code and not as errors of the server', () => {
  const metrics = new SessionMetrics();
  for (const code of ['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'INTERNAL'] as const) metrics.countError(code);
  assert.equal(metrics.errors.get('NOT_FOUND'), 1);
  assert.equal(metrics.errorCount, 1);
});
