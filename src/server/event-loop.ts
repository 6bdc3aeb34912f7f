/** Measures how late the event loop runs, which shows whether the main thread keeps up. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** Milliseconds beyond the timer's own period. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Over the last one to two minutes, so that an old stall neither hides nor raises an alarm. */
export class EventLoopMeter {
  private readonly histogram: IntervalHistogram;
  private previous: Delays = { p50: 0, p99: 0, max: 0 };

  constructor(histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })) {
    this.histogram = histogram;
  }

  start(): void {
    this.histogram.enable();
  }

  stop(): void {
    this.histogram.disable();
  }

  /** Called by the sweep every `ROTATE_EVERY_MS`: the current window becomes the previous one. */
  rotate(): void {
    this.previous = this.current();
    this.histogram.reset();
  }

  /** The worse of both windows, for each figure. */
  delays(): Delays {
    const current = this.current();
    return {
      p50: Math.max(this.previous.p50, current.p50),
      p99: Math.max(this.previous.p99, current.p99),
      max: Math.max(this.previous.max, current.max),
    };
  }

  private current(): Delays {
    const { histogram } = this;
    return {
      p50: late(histogram.percentile(50)),
      p99: late(histogram.percentile(99)),
      max: late(histogram.max),
    };
  }
}

/** An empty histogram has a huge minimum and a mean of NaN, so anything odd counts as on time. */
function late(nanoseconds: number): number {
  if (!Number.isFinite(nanoseconds)) return 0;
  return Math.max(0, Math.round(nanoseconds / 1e4 - RESOLUTION_MS * 100) / 100);
}
