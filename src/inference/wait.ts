/**
 * Whether ready streams wait a little for others to share their batch.
 *
 * A large model's step costs much for one stream and little for each further one: 66 M parameters take 21 ms alone, 7.5 ms
 * each in a batch of 16. Free lanes that take what is there burn the difference. So when lone steps would keep the lanes
 * busy for a good part of the time, a batch is held back until it is large enough or its oldest stream has waited its
 * time. With few streams nobody else would come, and nothing waits.
 */
import type { StepTime } from './capacity.js';

export interface WaitPolicy {
  /** The longest that a stream is held back, milliseconds; 0: never. */
  readonly maxMs: number;
  /** Streams of a batch that is large enough. */
  readonly enough: number;
  /** Streams from which on waiting pays. */
  readonly fromStreams: number;
}

export const NO_WAIT: WaitPolicy = { maxMs: 0, enough: 1, fromStreams: Number.POSITIVE_INFINITY };

/** The part of their time from which lone steps may not keep the lanes busy. */
const BUSY_SHARE = 0.5;
/**
 * The share of a chunk that waiting may take: the chunk itself took that long to fill. With 66 M parameters half as much saves a fifth less
 * CPU while the lanes are half busy, and half as much again hardly any more (docs/PERFORMANCE_TUNING.md).
 */
const CHUNK_SHARE = 1 / 8;
/** A lone step that is shorter is not worth a wait: a timer and a turn of the event loop cost as much. */
const LEAST_STEP_MS = 5;
/** Cost of a stream in a lone step over that in a good batch from which on it is worth a wait. */
const LEAST_GAIN = 1.5;
/** A batch is large enough when a stream costs at most so much more in it than in the best one. */
const NEARLY_BEST = 1.25;

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
  const pays = lone >= LEAST_STEP_MS && lone >= LEAST_GAIN * best;
  const maxMs = asked !== 'auto' ? asked : pays ? chunkMs * CHUNK_SHARE : 0;
  if (maxMs === 0) return NO_WAIT;
  const perStream = lone / (chunkMs * lanes);
  return { maxMs, enough, fromStreams: Math.ceil(BUSY_SHARE / perStream) };
}

/** Calls back after so many milliseconds. */
export type Delay = (look: () => void, ms: number) => void;

/** No timer is more exact. */
const LEAST_TIMER_MS = 1;

/** Holds batches back, and looks again when their time is over. */
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
   * Should the batch wait for others?
   * @param ready streams that could run now, whose first has waited `waitedMs`
   * @param streams that are there altogether
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
