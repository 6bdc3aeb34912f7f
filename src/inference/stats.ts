/** Metrics and log lines of a running engine. */
import { RollingHistogram } from '../histogram.js';
import type { Logger } from '../log.js';
import type { BatchLane, BatchObserver } from './batch-lane.js';
import type { LaneAnswer } from './messages.js';

/** Figures that accumulate while the engine runs: number of steps by batch size, and latencies. */
export interface EngineStats {
  readonly batchSizes: Uint32Array;
  /** A whole step in the lane: gather, run, scatter. */
  readonly step: RollingHistogram;
  /** session.run() alone. */
  readonly run: RollingHistogram;
  /** How long the first stream of a batch had waited for a lane. */
  readonly wait: RollingHistogram;
  steps: number;
  streamSteps: number;
  laneFailures: number;
  /** Steps that did not return in time and were run again elsewhere. */
  hungSteps: number;
}

export function newStats(maxBatch: number): EngineStats {
  return {
    batchSizes: new Uint32Array(maxBatch + 1),
    step: new RollingHistogram(),
    run: new RollingHistogram(),
    wait: new RollingHistogram(),
    steps: 0,
    streamSteps: 0,
    laneFailures: 0,
    hungSteps: 0,
  };
}

/**
 * Updates the figures and logs events of the lanes.
 * @param onLost called when the engine cannot continue
 */
export function observe(stats: EngineStats, log: Logger, onLost: (error: unknown) => void): BatchObserver {
  return {
    onBatch(_lane: BatchLane, count: number, answer: LaneAnswer, waitMs: number) {
      stats.steps++;
      stats.streamSteps += count;
      stats.batchSizes[count]!++;
      stats.step.record(answer.stepMs);
      stats.run.record(answer.runMs);
      stats.wait.record(waitMs);
    },
    onLaneFailed(lane, error) {
      stats.laneFailures++;
      log.error({ lane: lane.id, err: error }, 'a step failed; the lane restarts');
    },
    onLaneHung(lane, streams, forMs) {
      stats.hungSteps++;
      const seconds = Math.round(forMs / 1000);
      log.error({ lane: lane.id, streams, seconds }, 'a step hangs; its streams continue in another thread');
    },
    onReturnedLate(lane, streams, afterMs) {
      const seconds = Math.round(afterMs / 1000);
      log.warn(
        { lane: lane.id, streams, seconds },
        'a step that hung has returned; its results are not used',
      );
    },
    onStuck(err) {
      log.fatal({ err }, 'the streams of a hanging step cannot continue in this process');
      onLost(err);
    },
    onLaneLost(lane, error, lanesLeft) {
      log.fatal({ lane: lane.id, lanesLeft, err: error }, 'a lane is lost');
      if (lanesLeft === 0) onLost(error);
    },
    onStreamFailed(slot, error) {
      log.error({ slot: slot.index, err: error }, 'a stream could not process its result and is given up');
    },
  };
}
