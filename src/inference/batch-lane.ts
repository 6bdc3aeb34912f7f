/** What the batcher needs from a lane, and the events that it reports about lanes and their steps. */
import type { LaneAnswer } from './messages.js';
import type { Slot } from './slot.js';

/** A lane as the batcher sees it; tests use a scripted one. */
export interface BatchLane {
  readonly id: number;
  /** Places of the batch, written by the batcher before `step`. A different array after `replace`. */
  readonly batch: Int32Array;
  step(count: number): Promise<LaneAnswer>;
  /** Makes the lane usable after a failed step; rejects if the lane is lost. */
  recover(error: unknown): Promise<void>;
  /** Stops waiting for a step that hangs, also in `close`. */
  abandon(): void;
  /** Makes an abandoned lane usable with another thread; rejects if the lane is lost. */
  replace(): Promise<void>;
}

export interface BatchObserver {
  /** A step of `count` streams returned; `waitMs` is how long its oldest chunk had waited for a lane. */
  onBatch(lane: BatchLane, count: number, answer: LaneAnswer, waitMs: number): void;
  onLaneFailed(lane: BatchLane, error: unknown): void;
  /** The lane's step of `count` streams has not returned for `forMs`; its streams continue elsewhere. */
  onLaneHung(lane: BatchLane, count: number, forMs: number): void;
  /** A step that hung has returned after all; its places are free again. */
  onReturnedLate(lane: BatchLane, count: number, afterMs: number): void;
  /** The streams of a hanging step cannot continue in this process. */
  onStuck(error: Error): void;
  /** `lane` is lost; `lanesLeft` remain. */
  onLaneLost(lane: BatchLane, error: unknown, lanesLeft: number): void;
  /** The owner of a slot threw when it received its result; only that stream is given up. */
  onStreamFailed(slot: Slot, error: unknown): void;
}
