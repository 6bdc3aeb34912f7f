/**
 * How many streams this machine holds, from step times measured at start.
 *
 * In the steady state a lane with batch b takes T(b) for a step, and each stream needs one step a chunk, so a lane
 * carries b · chunk / T(b) streams. A chunk waits for at most the step under way and then for its own, so T(b) may be
 * at most half the latency target. The rest of `UTILISATION` is left for the sockets and for bursts.
 */
export interface StepTime {
  readonly batch: number;
  readonly ms: number;
}

const UTILISATION = 0.8;

export interface Capacity {
  /** Streams at the batch size that carries the most within the latency target. */
  readonly streams: number;
  readonly batch: number;
  readonly stepTimes: readonly StepTime[];
}

export function estimateCapacity(
  stepTimes: readonly StepTime[],
  lanes: number,
  chunkMs: number,
  latencyTargetMs: number,
): Capacity {
  let best = { streams: 1, batch: 1 };
  for (const { batch, ms } of stepTimes) {
    if (ms > latencyTargetMs / 2) continue;
    const streams = Math.floor((UTILISATION * lanes * batch * chunkMs) / ms);
    if (streams > best.streams) best = { streams, batch };
  }
  return { ...best, stepTimes };
}
