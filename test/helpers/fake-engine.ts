/**
 * An engine without ONNX: the real stream table and batcher over lanes that run the fake model. Nothing happens until
 * the test pumps the batcher and finishes or fails a lane's step, unless `auto` is set.
 */
import { BATCHER_DEFAULTS, Batcher, type BatcherOptions } from '../../src/inference/batcher.js';
import { type Capacity, streamsLeft } from '../../src/inference/capacity.js';
import type { Engine } from '../../src/inference/engine.js';
import { HotwordCompiler } from '../../src/inference/hotwords.js';
import { slabLayout } from '../../src/inference/layout.js';
import { newStats } from '../../src/inference/stats.js';
import { type Slot, StreamTable } from '../../src/inference/stream-table.js';
import type { Manifest } from '../../src/models/manifest.js';
import { FakeLane } from './fake-lane.js';
import { fakeModel } from './fake-model.js';

export interface FakeEngineOptions extends Partial<BatcherOptions> {
  slots?: number;
  lanes?: number;
  ringSeconds?: number;
  /** Streams that admission accepts; default: the number of slots. */
  capacity?: number;
  manifest?: Partial<Manifest>;
  /** Whether streams are given up as soon as the last lane is lost (default), or when the test does so. */
  givesUp?: boolean;
  /** Runs by itself, for tests of the server; otherwise the test drives it. */
  auto?: boolean;
}

/** Most rounds until an engine settles; more means an endless loop. */
const MOST_ROUNDS = 100_000;

export class FakeEngine implements Engine {
  readonly model;
  readonly provider = 'cpu';
  readonly table: StreamTable;
  readonly stats;
  readonly lanes: readonly FakeLane[];
  readonly laneBytes = 5 << 20;
  readonly hotwords: HotwordCompiler | null;
  readonly batcher: Batcher;
  readonly lost: Promise<unknown>;
  /** Events reported to the observer: `failed 0`, `lost 1`. */
  readonly events: string[] = [];
  /** The batcher's clock, milliseconds. */
  nowMs = 0;
  private pumps: (() => void)[] = [];
  private timers: { atMs: number; look: () => void }[] = [];
  private readonly rated: number;
  private readonly maxBatch: number;

  constructor(options: FakeEngineOptions = {}) {
    const { slots = 4, lanes = 1, ringSeconds = 3, maxBatch = 8, manifest = {}, ...rest } = options;
    this.model = fakeModel(manifest);
    this.rated = options.capacity ?? slots;
    this.maxBatch = maxBatch;
    this.stats = newStats(maxBatch);
    const { hotwordEdges } = this.model.manifest;
    this.hotwords = hotwordEdges === undefined ? null : new HotwordCompiler(this.model.tokens, hotwordEdges);
    const layout = slabLayout(this.model.manifest, slots, ringSeconds);
    this.table = new StreamTable(
      layout,
      (slot) => this.batcher.onReady(slot),
      () => this.nowMs,
    );
    let tellLost: (error: unknown) => void = () => {};
    this.lost = new Promise((resolve) => {
      tellLost = resolve;
    });
    this.batcher = new Batcher(
      this.table,
      {
        onBatch: (_lane, count) => {
          this.stats.steps++;
          this.stats.streamSteps += count;
          this.stats.batchSizes[count]!++;
        },
        onLaneHung: (lane, count) => {
          this.stats.hungSteps++;
          this.events.push(`hung ${lane.id} ${count}`);
        },
        onReturnedLate: (lane) => void this.events.push(`late ${lane.id}`),
        onStuck: (error) => {
          this.events.push('stuck');
          tellLost(error);
        },
        onLaneFailed: (lane) => void this.events.push(`failed ${lane.id}`),
        onLaneLost: (lane, error, lanesLeft) => {
          this.events.push(`lost ${lane.id}`);
          if (lanesLeft > 0) return;
          tellLost(error);
          if (options.givesUp ?? true) this.batcher.giveUp();
        },
        onStreamFailed: (slot) => void this.events.push(`stream failed ${slot.index}`),
      },
      {
        ...BATCHER_DEFAULTS,
        now: () => this.nowMs,
        defer: (pump) => void (options.auto ? setImmediate(pump) : this.pumps.push(pump)),
        delay: (look, ms) => void this.timers.push({ atMs: this.nowMs + ms, look }),
        ...rest,
        maxBatch,
      },
    );
    const fleet: FakeLane[] = [];
    for (let id = 0; id < lanes; id++) fleet.push(new FakeLane(id, this.table, maxBatch, fleet));
    this.lanes = fleet;
    for (const lane of fleet) {
      lane.auto = options.auto ?? false;
      this.batcher.addLane(lane);
    }
  }

  get capacity(): Capacity {
    const live = this.lanes.filter((lane) => lane.state !== 'lost').length;
    const streams = streamsLeft(this.rated, live, this.lanes.length);
    return { streams, batch: this.maxBatch, stepTimes: [{ batch: 1, ms: 1 }] };
  }

  get waiting(): number {
    return this.batcher.waiting;
  }

  get quarantined(): number {
    return this.batcher.quarantined;
  }

  lease: Engine['lease'] = (owner, bulk = false) => this.table.lease(owner, bulk);
  release = (slot: Slot): void => {
    this.batcher.forget(slot);
    this.table.release(slot);
  };
  /** Like the real one, waits for the steps that run by themselves, which hold slots. */
  async close(): Promise<void> {
    const runs = (lane: FakeLane) => lane.auto && lane.slots.length > 0 && !lane.hangs;
    while (this.lanes.some(runs)) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends the event loop's turn: the batcher hands out what is ready. False: nothing was ready. */
  pump(): boolean {
    const { pumps } = this;
    this.pumps = [];
    for (const pump of pumps) pump();
    return pumps.length > 0;
  }

  /** Lets the batcher's clock go on. */
  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.timers.filter(({ atMs }) => atMs <= this.nowMs);
    this.timers = this.timers.filter(({ atMs }) => atMs > this.nowMs);
    for (const { look } of due) look();
  }

  /**
   * One round: hands out what is ready and finishes every running step; otherwise advances the clock if streams wait.
   * False: there was nothing to do.
   */
  async round(): Promise<boolean> {
    const pumped = this.pump();
    const finished = this.lanes.filter((lane) => lane.finish()).length > 0;
    await microtasks();
    const next = Math.min(...this.timers.map(({ atMs }) => atMs));
    const waits = !pumped && !finished && Number.isFinite(next);
    if (waits) this.pass(next - this.nowMs);
    return pumped || finished || waits;
  }

  /** Runs until nothing is left to do. */
  async settle(): Promise<void> {
    await microtasks();
    for (let i = 0; i < MOST_ROUNDS; i++) if (!(await this.round())) return;
    throw new Error('The engine does not come to rest.');
  }
}

/** Lets pending promises settle; timers do not run. */
export async function microtasks(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
