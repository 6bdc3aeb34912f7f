/** What the batcher needs of a lane, and what it tells of lanes and their steps. */
import type { LaneAnswer } from './messages.js';
import type { Slot } from './slot.js';

/** A lane as the batcher sees it; tests put a scripted one in its place. */
export interface BatchLane {
  readonly id: number;
  /** Numbers of the places of the batch, written by the batcher before `step`. Another array after `replace`. */
  readonly batch: Int32Array;
  step(count: number): Promise<LaneAnswer>;
  /** Makes the lane usable again after a failed step; rejects when it is lost for good. */
  recover(error: unknown): Promise<void>;
  /** Its step hangs: nobody waits for it any more, not even `close`. */
  abandon(): void;
  /** Makes a lane that was abandoned usable again, with another thread; rejects when it is lost for good. */
  replace(): Promise<void>;
}

export interface BatchObserver {
  /** A step of `count` streams came back; `waitMs` is how long its oldest chunk had waited for a lane. */
  onBatch(lane: BatchLane, count: number, answer: LaneAnswer, waitMs: number): void;
  onLaneFailed(lane: BatchLane, error: unknown): void;
  /** The lane's step of `count` streams has not returned for `forMs`; its streams go on elsewhere. */
  onLaneHung(lane: BatchLane, count: number, forMs: number): void;
  /** A step that hung has returned after all, and its places are free again. */
  onReturnedLate(lane: BatchLane, count: number, afterMs: number): void;
  /** The streams of a step that hangs cannot go on in this process. */
  onStuck(error: Error): void;
  /** `lane` is gone for good; `lanesLeft` are still there. */
  onLaneLost(lane: BatchLane, error: unknown, lanesLeft: number): void;
  /** The tenant of a slot threw when it was told its result; it alone is given up. */
  onStreamFailed(slot: Slot, error: unknown): void;
}
