import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { duration, History } from '#static/status/history.js';

type Status = NonNullable<Parameters<InstanceType<typeof History>['push']>[1]>;

const percentiles = { p50: 1, p95: 2, p99: 3 };
function status(audioSeconds: number): Status {
  return {
    status: 'ready',
    uptime_s: 1,
    version: '0',
    model: { name: 'm', version: '0' },
    connections: 0,
    sessions: { idle: 0, recording: 2, flushing: 1, closed: 0, attached: 3, detached: 0 },
    admitted: 3,
    capacity: 10,
    batch_size: { mean: 1, p50: 1, p95: 2, max: 2, histogram: {} },
    latency_ms: { chunk: percentiles, step: percentiles, final: percentiles },
    audio_seconds_processed: audioSeconds,
    dropped_partials: 0,
    lanes: [
      { id: 0, provider: 'cpu', state: 'ready', steps: 1, busy_ratio: 0.2 },
      { id: 1, provider: 'cpu', state: 'ready', steps: 1, busy_ratio: 0.4 },
    ],
    memory: { rss_mb: 1, heap_mb: 1, slab_mb: 1 },
    event_loop_delay_ms: { p50: 1, p99: 2, max: 3 },
    uploads: { active: 0, waiting: 0 },
    totals: { connections: 0, recordings: 0, segments: 0, refused: 0, errors: 0 },
  };
}

describe('the status page’s memory', () => {
  it('works out the speed, leaves gaps where nobody answered and survives a restart', () => {
    const history = new History(10);
    history.push(0, status(0));
    history.push(2, status(20));
    history.push(4, null);
    history.push(6, status(30));
    history.push(8, status(5));
    assert.deepEqual(history.columns.speed, [null, 10, null, null, null]);
    assert.deepEqual(history.columns.chunk_p95, [2, 2, null, 2, 2]);
    assert.equal(history.columns.recording?.[0], 3);
    assert.equal(Math.round(history.columns.busy?.[0] ?? 0), 30);
  });

  it('is bounded', () => {
    const history = new History(3);
    for (let i = 0; i < 10; i += 1) history.push(i, status(i));
    assert.deepEqual(history.times, [7, 8, 9]);
    assert.ok(Object.values(history.columns).every((column) => column.length === 3));
  });

  it('says durations in two units', () => {
    assert.deepEqual([0.4, 65, 3_600, 90_061].map(duration), ['0 s', '1 min 5 s', '1 h 0 min', '1 d 1 h']);
  });
});
