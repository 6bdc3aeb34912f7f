/**
 * An engine without a model: the real stream table and batcher, over a lane that plays a script. All layers above are
 * unchanged, so sessions, files and dialects behave as with a model.
 */
import type { Config } from '../config.js';
import { BATCHER_DEFAULTS, Batcher, type BatchLane } from '../inference/batcher.js';
import type { Engine, LaneFigures } from '../inference/engine.js';
import type { LaneState } from '../inference/lane.js';
import { BANK, bankAt, FRESH, HEADER_INTS, READ, slabLayout, VALID } from '../inference/layout.js';
import type { LaneAnswer } from '../inference/messages.js';
import { newStats } from '../inference/stats.js';
import { type Slot, StreamTable } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import { audioIn, mockModel, STATE } from './model.js';
import type { Script } from './script.js';
import { ScriptPlayer } from './step.js';

class ScriptedLane implements BatchLane, LaneFigures {
  readonly id = 0;
  readonly provider = 'cpu';
  readonly restarts = 0;
  readonly hungThreads = 0;
  readonly batch: Int32Array;
  state: LaneState = 'ready';
  steps = 0;
  busyMs = 0;
  private readonly table: StreamTable;
  private readonly player: ScriptPlayer;
  private readonly stepMs: number;
  private readonly onTaken: (slot: number, before: number, after: number) => void;

  /** @param onTaken samples of a slot's recording that were recognised before this step, and are with it */
  constructor(
    table: StreamTable,
    player: ScriptPlayer,
    { maxBatch, stepMs }: { maxBatch: number; stepMs: number },
    onTaken: (slot: number, before: number, after: number) => void,
  ) {
    this.table = table;
    this.player = player;
    this.stepMs = stepMs;
    this.batch = new Int32Array(maxBatch);
    this.onTaken = onTaken;
  }

  async step(count: number): Promise<LaneAnswer> {
    const started = performance.now();
    for (const slot of this.batch.subarray(0, count)) this.play(slot);
    if (this.stepMs > 0) await new Promise((resolve) => setTimeout(resolve, this.stepMs));
    const stepMs = performance.now() - started;
    this.steps++;
    this.busyMs += stepMs;
    return { runMs: stepMs, stepMs };
  }

  /** Its steps neither fail nor hang. */
  async recover(error: unknown): Promise<void> {
    throw error;
  }
  abandon(): void {}
  async replace(): Promise<void> {}

  private play(index: number): void {
    const { slab, layout, slots } = this.table;
    const slot = slots[index];
    if (slot === undefined) return;
    const header = new Int32Array(slab, layout.headerAt + index * HEADER_INTS * 4, HEADER_INTS);
    const [read = 0, seen = 0, bank = 0] = [header[READ], header[VALID], header[BANK]];
    const valid = Math.min(layout.chunkSamples, seen);
    const now = new Int32Array(slab, bankAt(layout, index, bank), STATE.length);
    const place = header[FRESH] === 1 ? new Int32Array(STATE.length) : now.slice();
    const next = this.player.step(place, valid, slot.result);
    new Int32Array(slab, bankAt(layout, index, 1 - bank), STATE.length).set(next);
    this.measureLevel(slot, read, valid);
    this.onTaken(index, audioIn(place), audioIn(next));
  }

  /** RMS 0–1 of each frame, which is the one thing that the audio itself decides. */
  private measureLevel({ ring, result: { rms } }: Slot, read: number, valid: number): void {
    const frame = this.table.layout.chunkSamples / rms.length;
    for (let i = 0; i < rms.length; i++) {
      let energy = 0;
      for (let at = i * frame; at < Math.min((i + 1) * frame, valid); at++) {
        energy += ((ring[(read + at) % ring.length] ?? 0) / 32_768) ** 2;
      }
      rms[i] = Math.sqrt(energy / frame);
    }
  }
}

/** What the faults of a script need to know of the streams. */
export interface MockObserver {
  /** After every step. */
  onStep(): void;
}

type MockConfig = Pick<Config, 'maxBatch' | 'maxUploads' | 'ringSeconds'>;

/** A slot whose tenant left in the middle of a step is not free until the step returns. */
const SPARE_SLOTS = 4;

export function mockEngine(script: Script, config: MockConfig, observer: MockObserver): Engine {
  const model = mockModel(script);
  const slots = Math.max(1, script.capacity) + config.maxUploads * LIMITS.maxFileChannels + SPARE_SLOTS;
  const maxBatch = Math.min(config.maxBatch, slots);
  const table = new StreamTable(slabLayout(model.manifest, slots, config.ringSeconds), (slot) =>
    batcher.onReady(slot),
  );
  const stats = newStats(maxBatch);
  const batcher = new Batcher(
    table,
    {
      onBatch: (_lane, count, answer, waitMs) => {
        stats.steps++;
        stats.streamSteps += count;
        stats.batchSizes[count] = (stats.batchSizes[count] ?? 0) + 1;
        stats.step.record(answer.stepMs);
        stats.run.record(answer.runMs);
        stats.wait.record(waitMs);
        observer.onStep();
        if (faulty.length > 0) setImmediate(giveUp); // the step's own results are told first
      },
      onLaneFailed: () => {},
      onLaneHung: () => {},
      onReturnedLate: () => {},
      onStuck: () => {},
      onLaneLost: () => {},
      onStreamFailed: () => {
        stats.laneFailures++;
      },
    },
    { ...BATCHER_DEFAULTS, maxBatch },
  );
  const failAt = script.faults.failAfter * LIMITS.sampleRateHz;
  const faulty: { slot: Slot; generation: number }[] = [];
  const onTaken = (index: number, before: number, after: number): void => {
    const slot = table.slots[index];
    if (slot === undefined || before >= failAt || after < failAt) return;
    faulty.push({ slot, generation: slot.generation });
  };
  const giveUp = (): void => {
    for (const { slot, generation } of faulty.splice(0)) {
      if (slot.generation === generation) slot.owner?.onFault(slot, 'ENGINE_FAILED');
    }
  };
  const lane = new ScriptedLane(table, new ScriptPlayer(script, model), { maxBatch, ...script }, onTaken);
  batcher.addLane(lane);
  let refusals = script.faults.refuseStarts;
  return {
    ...{ model, provider: 'cpu', table, stats, lanes: [lane], hotwords: null },
    lost: new Promise(() => {}),
    laneBytes: 0,
    quarantined: 0,
    capacity: { streams: script.capacity, batch: maxBatch, stepTimes: [{ batch: 1, ms: script.stepMs }] },
    get waiting() {
      return batcher.waiting;
    },
    lease: (owner, bulk = false) => {
      if (!bulk && refusals > 0) {
        refusals--;
        return null;
      }
      return table.lease(owner, bulk);
    },
    release: (slot) => {
      batcher.forget(slot);
      table.release(slot);
    },
    close: async () => {
      lane.state = 'closed';
    },
  };
}
