/**
 * Simulates the effect of a wait in the batcher: the server's batcher and stream table, lanes that take the measured
 * time of their batch, and clients that send 100 ms of audio every 100 ms, all on a simulated clock. It shows the
 * effect of batching alone, without sockets or noise, with the same figures on every machine.
 *
 *   node dist/benchmarks/load/wait.js [--chunk-ms 320] [--ahead-ms 137.5] [--lanes 2] [--streams 4,8,16] [--waits 0,auto]
 *     [--steps '{"1":20.7,"4":44.7,"16":120.9}']
 */
import { parseArgs } from 'node:util';
import type { StepTime } from '../../src/inference/capacity.js';
import { SIMULATED_MS, simulate } from './simulate.js';

const { values } = parseArgs({
  options: {
    'chunk-ms': { type: 'string', default: '320' },
    'ahead-ms': { type: 'string', default: '137.5' },
    lanes: { type: 'string', default: '2' },
    streams: { type: 'string', default: '1,4,8,16,24,32,40,48,64,80' },
    waits: { type: 'string', default: '0,20,40,80,auto' },
    steps: { type: 'string', default: '{"1":20.7,"4":44.7,"16":120.9}' },
  },
});
const chunkMs = Number(values['chunk-ms']);
const laneCount = Number(values.lanes);
const stepTimes: StepTime[] = Object.entries(JSON.parse(values.steps) as Record<string, number>)
  .map(([batch, ms]) => ({ batch: Number(batch), ms }))
  .sort((a, b) => a.batch - b.batch);

const rows: Record<string, string | number>[] = [];
for (const streams of values.streams.split(',').map(Number)) {
  for (const asked of values.waits.split(',')) {
    const { steps, taken, busyMs, chunk, flush } = await simulate(streams, {
      stepTimes,
      lanes: laneCount,
      chunkMs,
      aheadMs: Number(values['ahead-ms']),
      wait: asked === 'auto' ? asked : Number(asked),
    });
    rows.push({
      streams,
      'wait, ms': asked,
      'mean batch': Math.round((taken / steps) * 100) / 100,
      'lanes busy, %': Math.round((busyMs / (laneCount * SIMULATED_MS)) * 100),
      'CPU, ms per stream-second': Math.round((busyMs * 10_000) / (streams * SIMULATED_MS)) / 10,
      'chunk p50': chunk.p50,
      'chunk p95': chunk.p95,
      'flush p50': flush.p50,
      'flush p95': flush.p95,
    });
  }
}
console.table(rows);
