/**
 * How many streams this machine holds, from step times measured at start.
 *
 * In the steady state a lane with batch b takes T(b) for a step, and each stream needs one step a chunk, so a lane
 * carries b · chunk / T(b) streams. A chunk waits for at most the step under way and then for its own, so T(b) may be
 * at most half the latency target.
 */
export interface StepTime {
  readonly batch: number;
  readonly ms: number;
}

/**
 * How much of that is rated. Probes are the fastest of a few steps with nothing else to do. Under load a step takes a quarter
 * longer on average, gathering, scattering and sockets add a fifth, batches are smaller than the best, and bursts want
 * room: on two cores probes promised 209 streams, 80 held the target beside their load generator, and 96 did not. (With a
 * faster step they promise 198 to 220 there, and 112 hold: the share is on the safe side.)
 */
const RATED = 0.42;

export interface Capacity {
  /** Streams at the batch size that carries the most within the latency target. */
  readonly streams: number;
  readonly batch: number;
  readonly stepTimes: readonly StepTime[];
}

/** The chunk latency that capacity must hold when nobody says: a longer chunk may take longer. */
export const targetMs = (asked: number, chunkMs: number): number =>
  asked > 0 ? asked : Math.max(100, chunkMs / 2);

/**
 * What is left of a capacity measured on `lanes` lanes when `live` of them still work: each carries its share. With
 * none left nobody is admitted.
 */
export function streamsLeft(streams: number, live: number, lanes: number): number {
  return live === 0 ? 0 : Math.max(1, Math.floor((streams * live) / lanes));
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
    const streams = Math.floor((RATED * lanes * batch * chunkMs) / ms);
    if (streams > best.streams) best = { streams, batch };
  }
  return { ...best, stepTimes };
}
