/** Messages between the main thread and a lane. Audio and state are never in them; they are in the slab. */
import type { SlabLayout } from './layout.js';

export type Provider = 'cpu' | 'cuda';

/** Passed to a lane's thread when it starts. */
export interface LaneSetup {
  readonly slab: SharedArrayBuffer;
  readonly layout: SlabLayout;
  /** Int32: slot numbers of the batch being run. */
  readonly batch: SharedArrayBuffer;
  readonly graphPath: string;
  readonly provider: Provider;
  readonly maxBatch: number;
  /** Threads per step (intra-op). */
  readonly threads: number;
  /** Warm-up stops at the batch size whose step is expected to take longer than this. */
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
  /** Creates the session and runs it once at every batch size of `probeWhileShort`. */
  | { readonly kind: 'init' }
  /**
   * Runs the graph on silence `repeats` times at this batch size. The answer is the fastest step, since slower ones
   * include other load on the machine.
   */
  | { readonly kind: 'probe'; readonly batch: number; readonly repeats: number }
  /** Runs one step for the first `count` slots named in the batch buffer. */
  | { readonly kind: 'step'; readonly count: number };

export interface LaneAnswer {
  /** Milliseconds in session.run() alone. */
  readonly runMs: number;
  /** Total milliseconds in the lane: gather, run, scatter. */
  readonly stepMs: number;
}
