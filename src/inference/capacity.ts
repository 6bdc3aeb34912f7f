/**
 * Rated capacity: the number of streams that this machine can hold, estimated from step times measured at the start.
 *
 * Each second of speech of a stream has two costs:
 *   steps    1000 / chunk of them and some more at the end of each utterance, each T(b) / b of a lane's time when b
 *            streams share it; nearly all the cost of a large model
 *   serving  sockets, conversion, transcripts, JSON, moving states: about the same for every model, and the larger part for
 *            a small one. So no single share of the step time fits both
 *
 * Lanes and serving threads share the cores. The estimate uses the batch size that carries the most streams, provided
 * that its step, on the part of a core that serving leaves to a lane, fits the latency target. Streams return chunk by
 * chunk in the same order, so a chunk waits for little more than its own step.
 */
import { chunkMs, type Manifest } from '../models/manifest.js';

export interface StepTime {
  readonly batch: number;
  readonly ms: number;
}

/**
 * Steps under load are slower than probes, which take the fastest of a few: serving shares the caches, and states are
 * copied.
 */
const SLOWER = 1.2;
/**
 * Milliseconds of CPU to serve one second of a stream: measured 1.5 to 2.5, for every model (`npm run bench:rating`).
 */
export const SERVING_MS = 2;
/** The part of it on the main thread. */
const MAIN_THREAD_MS = 1;
/** Assumed seconds of speech per utterance: `finalize` and the end of a recording flush the model, which costs steps. */
const UTTERANCE_S = 10;
/** Highest utilisation of lanes and cores; above it, a backlog is never worked off. */
const BUSY = 0.95;
/** The part of the latency target that a step may take. */
const STEP_SHARE = 0.8;

export interface Capacity {
  /** Streams at the batch size that carries the most within the latency target. */
  readonly streams: number;
  readonly batch: number;
  readonly stepTimes: readonly StepTime[];
}

/** The machine's computing resources. */
export interface Machine {
  readonly lanes: number;
  /** Cores that a lane keeps busy during a step; 0 if it computes on another device. */
  readonly coresPerLane: number;
  readonly cores: number;
}

/** Steps for one second of a stream, its share of the flushes included. */
export function stepsPerSecond(manifest: Manifest): number {
  const silenceMs = (manifest.previewFlushMs ?? manifest.flushMs) + manifest.lookaheadMs;
  return (1000 + silenceMs / UTTERANCE_S) / chunkMs(manifest);
}

/** The default chunk latency for the rated capacity: longer chunks allow more. */
export const targetMs = (asked: number, chunk: number): number =>
  asked > 0 ? asked : Math.max(100, chunk / 2);

/**
 * The rest of a capacity measured on `lanes` lanes when `live` of them still work: each carries its share; 0 if none is
 * left.
 */
export function streamsLeft(streams: number, live: number, lanes: number): number {
  return live === 0 ? 0 : Math.max(1, Math.floor((streams * live) / lanes));
}

/** Milliseconds of a step by linear interpolation between the measured ones, at each batch size up to the largest of them. */
function timesByBatch(stepTimes: readonly StepTime[]): StepTime[] {
  const times: StepTime[] = [];
  for (const [i, upper] of stepTimes.entries()) {
    const lower = stepTimes[i - 1];
    if (lower === undefined) times.push(upper);
    else {
      const slope = (upper.ms - lower.ms) / (upper.batch - lower.batch);
      for (let batch = lower.batch + 1; batch <= upper.batch; batch++) {
        times.push({ batch, ms: lower.ms + slope * (batch - lower.batch) });
      }
    }
  }
  return times;
}

/**
 * @param stepTimes of all lanes busy at once, by growing batch size
 * @param steps for one second of a stream
 */
export function estimateCapacity(
  stepTimes: readonly StepTime[],
  { lanes, coresPerLane, cores }: Machine,
  steps: number,
  latencyTargetMs: number,
): Capacity {
  let best = { streams: 1, batch: 1 };
  for (const { batch, ms } of timesByBatch(stepTimes)) {
    const stepMs = ms * SLOWER;
    /** Lane time for one second of a stream. */
    const laneMs = (stepMs / batch) * steps;
    const streams = Math.floor(
      BUSY *
        1000 *
        Math.min(lanes / laneMs, cores / (laneMs * coresPerLane + SERVING_MS), 1 / MAIN_THREAD_MS),
    );
    const left = cores - (streams * SERVING_MS) / 1000;
    const ofACore = coresPerLane === 0 ? 1 : Math.min(1, left / (lanes * coresPerLane));
    if (stepMs / ofACore > latencyTargetMs * STEP_SHARE) continue;
    if (streams > best.streams) best = { streams, batch };
  }
  return { ...best, stepTimes };
}
