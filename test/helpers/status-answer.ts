/** Answers of `/ws/status` for tests of pages. */

const percentiles = { p50: 12.3, p95: 45.6, p99: 78.9 };

/** A server that is ready. @param fields in place of its own */
export function statusAnswer(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    status: 'ready',
    uptime_s: 3_725,
    version: '0.1.0',
    model: { name: 'tiny', version: '1' },
    connections: 3,
    sessions: { idle: 1, recording: 2, flushing: 0, closed: 0, attached: 3, detached: 0 },
    admitted: 3,
    capacity: 50,
    batch_size: { mean: 1.5, p50: 1, p95: 2, max: 2, histogram: { '1': 10, '2': 10 } },
    latency_ms: { chunk: percentiles, step: percentiles, final: percentiles },
    audio_seconds_processed: 61,
    dropped_partials: 0,
    lanes: [{ id: 0, provider: 'cpu', state: 'ready', steps: 1_234, busy_ratio: 0.25 }],
    memory: { rss_mb: 300, heap_mb: 30, slab_mb: 100 },
    event_loop_delay_ms: { p50: 1, p99: 9, max: 12 },
    uploads: { active: 1, waiting: 2 },
    totals: { connections: 5, recordings: 7, segments: 11, refused: 2, errors: 1 },
    ...fields,
  };
}

/** A fleet with that many nodes; of the last one hardly anything is known. */
export function fleetOf(count: number) {
  const nodes = Array.from({ length: count }, (_, i) =>
    i === count - 1
      ? { id: `node-${i}`, streams: 1 }
      : {
          id: `node-${i}`,
          address: `speech-${i}.internal.example:8000`,
          version: '0.1.0',
          model: 'tiny',
          fingerprint: 'a1b2',
          capacity: 50,
          streams: 10 * i,
          status: i === 0 ? 'ready' : 'draining',
          started_at: new Date(Date.now() - 3_725_000).toISOString(),
        },
  );
  return { name: 'speech', available: true, nodes };
}
