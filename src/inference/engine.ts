/** The recogniser: combines stream table, batcher and lanes. */
import { availableParallelism } from 'node:os';
import type { Config } from '../config.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { chunkMs } from '../models/manifest.js';
import type { Model } from '../models/store.js';
import { BATCHER_DEFAULTS, Batcher } from './batcher.js';
import {
  type Capacity,
  estimateCapacity,
  type StepTime,
  stepsPerSecond,
  streamsLeft,
  targetMs,
} from './capacity.js';
import { EDGE_INTS, HotwordCompiler } from './hotwords.js';
import { cudaProblem, Lane, type LaneOptions, type LaneState } from './lane.js';
import { laneCount } from './lane-count.js';
import { slabLayout } from './layout.js';
import { planStreams } from './memory.js';
import type { Provider } from './messages.js';
import { probeWhileShort } from './probe.js';
import { type EngineStats, newStats, observe } from './stats.js';
import { type Slot, type SlotOwner, StreamTable } from './stream-table.js';

import { waitPolicy } from './wait.js';
import { hangLimitMs, Watchdog } from './watchdog.js';

const PROBE_REPEATS = 5;
/** If a stream ends during a step, its slot is free only after the step: spare slots for those. */
const SPARE_SLOTS = 4;

/** Figures of a lane for status pages. */
export interface LaneFigures {
  readonly id: number;
  readonly provider: Provider;
  readonly state: LaneState;
  readonly steps: number;
  readonly busyMs: number;
  readonly restarts: number;
  /** Its abandoned threads that still hang. */
  readonly hungThreads: number;
}

export interface Engine {
  readonly model: Model;
  readonly provider: Provider;
  /** As measured at the start, less the share of lanes lost since. */
  readonly capacity: Capacity;
  readonly table: StreamTable;
  readonly stats: EngineStats;
  readonly lanes: readonly LaneFigures[];
  /**
   * Growth of the process per lane, bytes, when the lanes started and ran their largest batches: weights and runtime
   * memory.
   */
  readonly laneBytes: number;
  /** Compiles phrases for the graph; null: the model does not support hotwords. */
  readonly hotwords: HotwordCompiler | null;
  /**
   * Resolves with the reason when this process cannot continue: every lane is lost, or a step hangs whose streams
   * cannot be moved. The owner of the engine then saves its sessions and ends the process.
   */
  readonly lost: Promise<unknown>;
  readonly waiting: number;
  /** Places of the slab reserved until the hanging steps on them return. */
  readonly quarantined: number;
  lease(owner: SlotOwner, bulk?: boolean): Slot | null;
  release(slot: Slot): void;
  close(): Promise<void>;
}

async function startLanes(
  model: Model,
  table: StreamTable,
  count: number,
  options: LaneOptions,
  log: Logger,
): Promise<Lane[]> {
  const lanes: Lane[] = [];
  return closingLanesOnFailure(lanes, async () => {
    for (let id = 0; id < count; id++) lanes.push(new Lane(id, model, table, options, log));
    const results = await Promise.allSettled(lanes.map((lane) => lane.init()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    return lanes;
  });
}

/**
 * Runs a part of the start. If it fails, the lanes are closed, since a remaining thread would keep the process alive.
 */
async function closingLanesOnFailure<T>(lanes: readonly Lane[], run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    await Promise.allSettled(lanes.map((lane) => lane.close()));
    throw error;
  }
}

/** Measures step times with every lane busy, as under load. */
const measureSteps = (lanes: readonly Lane[], maxBatch: number, longestMs: number): Promise<StepTime[]> =>
  probeWhileShort(maxBatch, longestMs, async (batch) => {
    const answers = await Promise.all(lanes.map((lane) => lane.probe(batch, PROBE_REPEATS)));
    return answers.reduce((sum, answer) => sum + answer.runMs, 0) / answers.length;
  });

function resolveProvider(config: Config, log: Logger): Provider {
  if (config.provider === 'cpu') return 'cpu';
  const problem = cudaProblem();
  if (problem === null) return 'cuda';
  if (config.provider === 'cuda') throw new ServerError('PROVIDER_UNAVAILABLE', problem);
  log.debug({ problem }, 'CUDA is not available; using the CPU');
  return 'cpu';
}

/**
 * With several threads per lane, rounding depends on the batch size (see docs/MODELS.md); not so in the embedded model.
 */
function warnOfRounding({ manifest: { kind } }: Model, { laneThreads }: Config, log: Logger): void {
  if (kind === undefined || laneThreads <= 1) return;
  log.warn(
    { kind, laneThreads },
    "with --lane-threads above 1 an imported model's results may differ in the last digits between batches",
  );
}

/** Settings that are not options of the server. */
export interface EngineTestOptions {
  /** The file that the lanes' threads run: a worker whose steps fail as the test says. */
  readonly worker?: string;
  /** Time limit of a step. */
  readonly hangLimitMs?: number;
}

/**
 * Starts the lanes, warms them up and measures their capacity. Nothing is ready before this returns; if it throws, no
 * lane remains.
 * @throws ServerError PROVIDER_UNAVAILABLE, MODEL_INVALID
 */
export async function startEngine(
  model: Model,
  config: Config,
  log: Logger,
  test: EngineTestOptions = {},
): Promise<Engine> {
  let provider = resolveProvider(config, log);
  // The slab is allocated before the lanes exist, so an automatic size is what fits in memory. The capacity is measured
  // afterwards.
  const layoutFor = (slots: number) => slabLayout(model.manifest, slots, config.ringSeconds);
  const spareSlots = config.maxUploads + SPARE_SLOTS;
  const streams = planStreams({ ...config, slotBytes: layoutFor(1).bytes, spareSlots });
  const slots = streams + spareSlots;
  const maxBatch = Math.min(config.maxBatch, slots);
  let batcher: Batcher | null = null;
  const table = new StreamTable(layoutFor(slots), (slot) => batcher?.onReady(slot));

  const stepEveryMs = chunkMs(model.manifest);
  const latencyMs = targetMs(config.latencyTargetMs, stepEveryMs);
  const start = (chosen: Provider) => {
    const { laneThreads: threads } = config;
    const worker = test.worker === undefined ? {} : { worker: test.worker };
    const options: LaneOptions = { provider: chosen, maxBatch, threads, longestStepMs: latencyMs, ...worker };
    return startLanes(model, table, laneCount(config, chosen), options, log);
  };
  warnOfRounding(model, config, log);
  const bytesBefore = process.memoryUsage.rss();
  const lanes = await start(provider).catch((error: unknown) => {
    if (config.provider !== 'auto' || provider === 'cpu') throw error;
    log.warn({ err: error }, 'CUDA cannot be used; falling back to the CPU');
    provider = 'cpu';
    return start('cpu');
  });

  return closingLanesOnFailure(lanes, async () => {
    const stepTimes = await measureSteps(lanes, maxBatch, latencyMs);
    const laneBytes = Math.max(0, process.memoryUsage.rss() - bytesBefore) / lanes.length;
    const machine = {
      lanes: lanes.length,
      coresPerLane: provider === 'cpu' ? config.laneThreads : 0,
      cores: availableParallelism(),
    };
    const measured = estimateCapacity(stepTimes, machine, stepsPerSecond(model.manifest), latencyMs);
    const stats = newStats(maxBatch);
    let tellLost: (error: unknown) => void = () => {};
    const lost = new Promise<unknown>((resolve) => {
      tellLost = resolve;
    });
    const wait = waitPolicy(stepTimes, lanes.length, stepEveryMs, config.batchWaitMs);
    const limitMs = test.hangLimitMs ?? hangLimitMs(stepTimes, maxBatch);
    const rules = { ...BATCHER_DEFAULTS, maxBatch, wait, hangLimitMs: limitMs };
    let grace: NodeJS.Timeout | undefined;
    const onLost = (error: unknown) => {
      tellLost(error);
      // Time for the owner of the engine to save its streams; after that, they are given up.
      grace ??= setTimeout(() => made.giveUp(), LIMITS.rescueMs);
    };
    const made = new Batcher(table, observe(stats, log, onLost), rules);
    batcher = made;
    for (const lane of lanes) made.addLane(lane);
    const watch = setInterval(() => made.lookForHung(), Watchdog.periodMs(limitMs)).unref();
    const edges = table.layout.hotwordInts / EDGE_INTS;
    const hotwords = edges > 0 ? new HotwordCompiler(model.tokens, edges, model.manifest) : null;
    const admits = { measured, most: streams, slots: config.admission === 'slots' };
    const end = () => {
      clearInterval(watch);
      clearTimeout(grace);
    };
    return engineOf({ model, hotwords, provider, table, stats, lanes, laneBytes, lost }, admits, made, end);
  });
}

/** The constant part of a running engine. */
type Fixed = Pick<Engine, 'model' | 'hotwords' | 'provider' | 'table' | 'stats' | 'laneBytes' | 'lost'> & {
  readonly lanes: readonly Lane[];
};

interface Admits {
  readonly measured: Capacity;
  readonly most: number;
  /** Admit by slots alone, whatever was measured. */
  readonly slots: boolean;
}

function engineOf(
  fixed: Fixed,
  { measured, slots, most }: Admits,
  batcher: Batcher,
  endWatch: () => void,
): Engine {
  const { lanes, table } = fixed;
  return {
    ...fixed,
    get capacity() {
      const live = lanes.filter(({ state }) => state !== 'lost' && state !== 'hung').length;
      const rated = slots && live > 0 ? most : streamsLeft(measured.streams, live, lanes.length);
      const left = Math.min(rated, most);
      return { ...measured, streams: left };
    },
    get waiting() {
      return batcher.waiting;
    },
    get quarantined() {
      return batcher.quarantined;
    },
    lease: (owner, bulk = false) => table.lease(owner, bulk),
    release: (slot) => {
      batcher.forget(slot);
      table.release(slot);
    },
    close: async () => {
      await Promise.all(lanes.map((lane) => lane.close()));
      endWatch(); // not earlier, since a step may hang while its lane closes
    },
  };
}
