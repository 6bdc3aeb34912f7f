/**
 * Cost of the session machine: an actor per connection, an event per control message, and the tag that is read for
 * every audio frame. Run: `node dist/benchmarks/machines.bench.js`.
 */
import { Bench } from 'tinybench';
import { createActor } from 'xstate';
import { type SessionEffects, sessionMachine } from '../machines/session.js';
import { recordingConfig } from '../test/helpers/recording-config.js';

const effects: SessionEffects = {
  beginRecording() {},
  beginFlush() {},
  finishRecording() {},
  finalizeSegment() {},
  refuse() {},
  detach() {},
  attach() {},
  close() {},
  effectFailed() {},
};
const input = { effects, resumeWindowMs: 30_000 };
const config = recordingConfig();
const START = { type: 'START', config } as const;
const STOP = { type: 'STOP' } as const;
const FLUSHED = { type: 'FLUSHED' } as const;
const FINALIZE = { type: 'FINALIZE' } as const;

const actor = createActor(sessionMachine, { input }).start();
const recording = createActor(sessionMachine, { input }).start();
recording.send(START);
const tags = { accepting: 0 };

const bench = new Bench({ name: 'session machine', time: 500, warmupTime: 200 });
bench
  .add('create and start an actor', () => {
    createActor(sessionMachine, { input }).start().stop();
  })
  .add('START, STOP, FLUSHED (3 events)', () => {
    actor.send(START);
    actor.send(STOP);
    actor.send(FLUSHED);
  })
  .add('FINALIZE (1 event, no change of state)', () => {
    recording.send(FINALIZE);
  })
  .add("getSnapshot().hasTag('accepting-audio') ×1000", () => {
    for (let i = 0; i < 1_000; i++) {
      if (recording.getSnapshot().hasTag('accepting-audio')) tags.accepting++;
    }
  });
await bench.run();

console.table(
  bench.tasks.map((task) => {
    const { result } = task;
    if (result.state !== 'completed') throw new Error(`${task.name}: ${result.state}`);
    return {
      task: task.name,
      'mean µs': Number((result.latency.mean * 1_000).toFixed(3)),
      'p50 µs': Number((result.latency.p50 * 1_000).toFixed(3)),
      'p99 µs': Number((result.latency.p99 * 1_000).toFixed(3)),
    };
  }),
);

/** Heap per connection, with --expose-gc. */
if (globalThis.gc !== undefined) {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  const actors = Array.from({ length: 5_000 }, () => createActor(sessionMachine, { input }).start());
  globalThis.gc();
  const bytes = (process.memoryUsage().heapUsed - before) / actors.length;
  console.log(`${(bytes / 1024).toFixed(1)} KiB of heap per actor (${actors.length} actors)`);
}
