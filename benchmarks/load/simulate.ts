/**
 * Simulates the server's batcher and stream table with a simulated clock, and lanes that take the measured time of a
 * batch.
 */
import { BATCHER_DEFAULTS, Batcher, type BatchLane } from '../../src/inference/batcher.js';
import type { StepTime } from '../../src/inference/capacity.js';
import { slabLayout } from '../../src/inference/layout.js';
import type { LaneAnswer } from '../../src/inference/messages.js';
import { type Slot, type SlotOwner, StreamTable } from '../../src/inference/stream-table.js';
import { waitPolicy } from '../../src/inference/wait.js';
import { percentiles } from '../../src/load/generator.js';
import { fakeManifest } from '../../test/helpers/fake-model.js';

export const SIMULATED_MS = 60_000;
const FRAME_MS = 100;
const FRAME_SAMPLES = 1_600;
/** Default interval at which each stream requests a flush. */
const FLUSH_EVERY_MS = 7_000;
/** As with imported models of 320 ms chunks: 342 ms. */
const FLUSH_SAMPLES = 5_480;
const MAX_BATCH = 64;

/** Milliseconds of a step, by linear interpolation between the measured ones and extrapolation beyond them. */
function stepMs(stepTimes: readonly StepTime[], batch: number): number {
  const only = stepTimes.length === 1 ? stepTimes[0] : undefined;
  if (only !== undefined) return (only.ms * batch) / only.batch;
  const upper = Math.max(1, stepTimes.findIndex((time) => time.batch >= batch)); // biome-ignore format: short
  const at = stepTimes[upper] === undefined || stepTimes.at(-1)!.batch < batch ? stepTimes.length - 1 : upper;
  const [low, high] = [stepTimes[at - 1]!, stepTimes[at]!]; // two are given at least
  return low.ms + ((high.ms - low.ms) * (batch - low.batch)) / (high.batch - low.batch);
}

/** Runs callbacks at their simulated times, in order. */
class Clock {
  now = 0;
  private readonly due: { at: number; run: () => void }[] = [];
  after(ms: number, run: () => void): void {
    const at = this.now + ms;
    const place = this.due.findLastIndex((it) => it.at <= at) + 1;
    this.due.splice(place, 0, { at, run });
  }
  async runUntil(end: number): Promise<void> {
    for (let next = this.due.shift(); next !== undefined && next.at <= end; next = this.due.shift()) {
      this.now = next.at;
      next.run();
      for (let i = 0; i < 8; i++) await Promise.resolve();
    }
  }
}

/** Records how late each of its chunks and flushes was. */
class Client implements SlotOwner {
  readonly chunkMs: number[];
  readonly flushMs: number[];
  private askedAt = 0;
  private readonly clock: Clock;
  private readonly flushEvery: number;
  /** @param flushEvery in frames */
  constructor(clock: Clock, flushEvery: number, chunkMs: number[], flushMs: number[]) {
    this.clock = clock;
    this.flushEvery = flushEvery;
    this.chunkMs = chunkMs;
    this.flushMs = flushMs;
  }
  start(slot: Slot, phaseMs: number): void {
    let sent = 0;
    const send = () => {
      slot.commit(Math.min(FRAME_SAMPLES, slot.free()));
      if (++sent % this.flushEvery === 0 && !slot.flushing) {
        this.askedAt = this.clock.now;
        slot.flush(FLUSH_SAMPLES);
      }
      this.clock.after(FRAME_MS, send);
    };
    this.clock.after(phaseMs, send);
  }
  onStep(slot: Slot): void {
    if (!slot.flushing) this.chunkMs.push(this.clock.now - slot.arrivedMs);
  }
  onFlushed(): void {
    this.flushMs.push(this.clock.now - this.askedAt);
  }
  onFault(): void {
    throw new Error('a stream failed');
  }
}

export interface Setting {
  readonly stepTimes: readonly StepTime[];
  readonly lanes: number;
  readonly chunkMs: number;
  /** Look-ahead of a step, beyond its chunk. */
  readonly aheadMs: number;
  readonly wait: number | 'auto';
  readonly flushEveryMs?: number;
}

/** What `streams` streams experience within a minute, and what they cost: milliseconds, except for counts. */
export async function simulate(streams: number, setting: Setting) {
  const { stepTimes, lanes, chunkMs, aheadMs, wait, flushEveryMs = FLUSH_EVERY_MS } = setting;
  const clock = new Clock();
  const samples = (ms: number) => Math.round(ms * 16);
  const manifest = fakeManifest({
    chunkSamples: samples(chunkMs),
    windowSamples: samples(chunkMs + aheadMs),
  });
  let batcher: Batcher | null = null;
  const now = () => clock.now;
  const table = new StreamTable(slabLayout(manifest, streams, 10), (slot) => batcher?.onReady(slot), now);
  let steps = 0;
  let taken = 0;
  let busyMs = 0;
  const never = () => {};
  const lanesNever = { onLaneFailed: never, onLaneHung: never, onReturnedLate: never, onLaneLost: never };
  const quiet = { ...lanesNever, onStuck: never, onStreamFailed: never };
  const observer = {
    ...quiet,
    onBatch(_lane: BatchLane, count: number) {
      steps++;
      taken += count;
    },
  };
  batcher = new Batcher(table, observer, {
    ...BATCHER_DEFAULTS,
    maxBatch: MAX_BATCH,
    wait: waitPolicy(stepTimes, lanes, chunkMs, wait),
    now,
    defer: (pump) => clock.after(0, pump),
    delay: (pump, ms) => clock.after(ms, pump),
  });
  const ok = async () => {};
  for (let id = 0; id < lanes; id++) {
    const step = (count: number) =>
      new Promise<LaneAnswer>((resolve) => {
        const ms = stepMs(stepTimes, count);
        busyMs += ms;
        clock.after(ms, () => resolve({ runMs: ms, stepMs: ms }));
      });
    batcher.addLane({ id, batch: new Int32Array(MAX_BATCH), step, recover: ok, abandon: never, replace: ok });
  }
  const chunks: number[] = [];
  const flushes: number[] = [];
  for (let i = 0; i < streams; i++) {
    const client = new Client(clock, flushEveryMs / FRAME_MS, chunks, flushes);
    client.start(table.lease(client)!, (i * 197.7) % 1_000); // a slot for each: the table has `streams`
  }
  await clock.runUntil(SIMULATED_MS);
  return { steps, taken, busyMs, chunk: percentiles(chunks), flush: percentiles(flushes) };
}
