/** Measured steps of growing batch size. */
import type { StepTime } from './capacity.js';

/** Batch sizes that are run once before a lane is ready, and that are used to measure capacity. */
function probeSizes(maxBatch: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < maxBatch; size *= 2) sizes.push(size);
  return [...sizes, maxBatch];
}

/**
 * Runs steps of growing size, as long as the next one is expected to take at most `longestMs`, on the line through the
 * last two. A longer step would never be used on time, but the runtime would keep its memory: 115 MB per lane for 32
 * streams of 66 M parameters.
 * @param run returns the milliseconds of a step of this batch size
 */
export async function probeWhileShort(
  maxBatch: number,
  longestMs: number,
  run: (batch: number) => Promise<number>,
): Promise<StepTime[]> {
  const times: StepTime[] = [];
  for (const batch of probeSizes(maxBatch)) {
    const [before, last] = [times.at(-2), times.at(-1)];
    const perStream =
      before === undefined || last === undefined ? 0 : (last.ms - before.ms) / (last.batch - before.batch);
    if (last !== undefined && last.ms + perStream * (batch - last.batch) > longestMs) break;
    times.push({ batch, ms: await run(batch) });
  }
  return times;
}
