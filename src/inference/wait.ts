/**
 * Decides whether ready streams wait briefly for others to share their batch.
 *
 * A step of a large model is expensive for one stream and cheap for each further one: with 66 M parameters it takes 21
 * ms for one stream, but 7.5 ms per stream in a batch of 16. Free lanes that run every stream at once waste that
 * difference. So if single-stream steps would keep the lanes busy for a fifth of the time, a batch waits until it is
 * large enough or its oldest stream has waited long enough. With few streams nothing waits, since no others would come.
 */
import type { StepTime } from './capacity.js';

export interface WaitPolicy {
  /** Longest time that a stream waits, milliseconds; 0: never. */
  readonly maxMs: number;
  /** Batch size at which a batch no longer waits. */
  readonly enough: number;
  /** Number of streams from which waiting pays. */
  readonly fromStreams: number;
}

export const NO_WAIT: WaitPolicy = { maxMs: 0, enough: 1, fromStreams: Number.POSITIVE_INFINITY };

/** Share of lane time in single-stream steps from which waiting begins. With less, CPU time is not scarce. */
const BUSY_SHARE = 0.2;
/**
 * Longest wait as a share of a chunk's length; the chunk itself took that length to fill. With 66 M parameters half this
 * share saves a fifth less CPU, and a larger one hardly more (docs/PERFORMANCE_TUNING.md).
 */
const CHUNK_SHARE = 1 / 8;
/** Longest wait in single-stream steps: a longer one hardly saves more, and a small model's words need not wait. */
const STEPS = 10;
/** Shorter single-stream steps are not worth a wait: a timer and a turn of the event loop cost as much. */
const LEAST_STEP_MS = 1;
/** With shorter chunks, speed matters more than the CPU time of short steps … */
const LONG_CHUNK_MS = 200;
/** … but not more than that of long ones. */
const LONG_STEP_MS = 5;
/** Waiting pays if a stream costs at least this many times as much alone as in a good batch. */
const LEAST_GAIN = 1.5;
/** A batch is large enough if a stream costs at most this many times as much as in the best batch. */
const NEARLY_BEST = 1.1;

/** @param asked `--batch-wait-ms` */
export function waitPolicy(
  stepTimes: readonly StepTime[],
  lanes: number,
  chunkMs: number,
  asked: number | 'auto',
): WaitPolicy {
  const lone = stepTimes.find(({ batch }) => batch === 1)?.ms ?? 0;
  const costs = stepTimes.map(({ batch, ms }) => ({ batch, each: ms / batch }));
  const best = Math.min(...costs.map(({ each }) => each));
  const enough = costs.find(({ each }) => each <= NEARLY_BEST * best)?.batch ?? 1;
  const isWorth = lone >= (chunkMs >= LONG_CHUNK_MS ? LEAST_STEP_MS : LONG_STEP_MS);
  const pays = isWorth && lone >= LEAST_GAIN * best;
  const maxMs = asked !== 'auto' ? asked : pays ? Math.min(chunkMs * CHUNK_SHARE, lone * STEPS) : 0;
  if (maxMs === 0) return NO_WAIT;
  const perStream = lone / (chunkMs * lanes);
  // With fewer streams than this no other is expected within the wait.
  const others = Math.ceil(chunkMs / maxMs);
  return { maxMs, enough, fromStreams: Math.max(others, Math.ceil(BUSY_SHARE / perStream)) };
}

/** Calls back after the given number of milliseconds. */
export type Delay = (look: () => void, ms: number) => void;

/** Resolution of timers. */
const LEAST_TIMER_MS = 1;

/** Holds batches back, and checks again when their wait is over. */
export class BatchWait {
  private readonly policy: WaitPolicy;
  private readonly delay: Delay;
  private readonly look: () => void;
  private looksAgain = false;

  constructor(policy: WaitPolicy, delay: Delay, look: () => void) {
    this.policy = policy;
    this.delay = delay;
    this.look = look;
  }

  /**
   * Whether the batch should wait for others.
   * @param ready streams that could run now, the first of which has waited `waitedMs`
   * @param streams total number of streams
   */
  holds(ready: number, streams: number, waitedMs: number): boolean {
    const { maxMs, enough, fromStreams } = this.policy;
    const leftMs = maxMs - waitedMs;
    if (ready >= enough || streams < fromStreams || leftMs < LEAST_TIMER_MS) return false;
    if (!this.looksAgain) {
      this.looksAgain = true;
      this.delay(() => {
        this.looksAgain = false;
        this.look();
      }, leftMs);
    }
    return true;
  }
}
