/** What passes between the main thread and a lane. Audio and state never do: they lie in the slab. */
import type { SlabLayout } from './layout.js';

export type Provider = 'cpu' | 'cuda';

/** Handed to a lane's thread when it starts. */
export interface LaneSetup {
  readonly slab: SharedArrayBuffer;
  readonly layout: SlabLayout;
  /** Int32: slot numbers of the batch being run. */
  readonly batch: SharedArrayBuffer;
  readonly graphPath: string;
  readonly provider: Provider;
  readonly maxBatch: number;
  /** Threads that work on one step (intra-op). */
  readonly threads: number;
  /** No larger batch is tried beforehand than the first whose step takes longer. */
  readonly longestStepMs: number;
  readonly names: {
    audio: string;
    tokens: string;
    logp: string;
    vad: string | null;
    times: string | null;
    preview: string | null;
    previewLogp: string | null;
    hotwords: string | null;
    prompt: string | null;
  };
}

export type LaneTask =
  /** Makes the session and runs it once at every batch size of `probeSizes`, up to the longest step. */
  | { readonly kind: 'init' }
  /** Runs the graph on silence `repeats` times at this batch size; the answer is the fastest step,
   * because whatever else ran on the machine meanwhile is not the model's cost. */
  | { readonly kind: 'probe'; readonly batch: number; readonly repeats: number }
  /** Runs one step for the first `count` slots named in the batch buffer. */
  | { readonly kind: 'step'; readonly count: number };

export interface LaneAnswer {
  /** Milliseconds in session.run() alone. */
  readonly runMs: number;
  /** Milliseconds in the lane altogether: gather, run, scatter. */
  readonly stepMs: number;
}

/** Batch sizes that are run once before a lane is ready, and that the capacity measurement uses. */
export function probeSizes(maxBatch: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < maxBatch; size *= 2) sizes.push(size);
  return [...sizes, maxBatch];
}
