import assert from 'node:assert/strict';
import type { IntervalHistogram } from 'node:perf_hooks';
import { test } from 'node:test';
import { EventLoopMeter } from '../../src/server/event-loop.js';

/** A histogram that holds one delay, nanoseconds. */
function scripted() {
  const state = { delayNs: 0 };
  const histogram = {
    enable: () => true,
    disable: () => true,
    reset: () => {
      state.delayNs = 0;
    },
    percentile: () => state.delayNs,
    get max() {
      return state.delayNs;
    },
  } as unknown as IntervalHistogram;
  return { state, meter: new EventLoopMeter(histogram) };
}

test('a stall is seen at once, through the next window, and no longer', () => {
  const { state, meter } = scripted();
  state.delayNs = 60e6;
  assert.deepEqual(meter.delays(), { p50: 50, p99: 50, max: 50 });
  meter.rotate();
  state.delayNs = 12e6;
  assert.equal(meter.delays().p99, 50);
  meter.rotate();
  assert.equal(meter.delays().p99, 2);
  meter.rotate();
  assert.equal(meter.delays().p99, 0);
});

test('an event loop that was never measured is on time', () => {
  assert.deepEqual(new EventLoopMeter().delays(), { p50: 0, p99: 0, max: 0 });
});
