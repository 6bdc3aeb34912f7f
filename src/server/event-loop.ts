/** How late the event loop runs: the figure that says whether the main thread keeps up. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

export class EventLoopMeter {
  private readonly histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  start(): void {
    this.histogram.enable();
  }

  stop(): void {
    this.histogram.disable();
  }

  /** Starts the figures anew, so that a load run does not see what came before it. */
  reset(): void {
    this.histogram.reset();
  }

  /** Milliseconds beyond the timer's own period. */
  delays(): { p50: number; p99: number; max: number } {
    const late = (nanoseconds: number) =>
      Number.isFinite(nanoseconds)
        ? Math.max(0, Math.round(nanoseconds / 1e4 - RESOLUTION_MS * 100) / 100)
        : 0;
    return {
      p50: late(this.histogram.percentile(50)),
      p99: late(this.histogram.percentile(99)),
      max: late(this.histogram.max),
    };
  }
}
