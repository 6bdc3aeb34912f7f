/**
 * Records when a stream's audio arrived. From it follow how long a chunk has waited since its last sample arrived, and
 * whether the sender is ahead of real time (sends a file rather than live speech).
 */
import { LIMITS } from '../limits.js';

const SAMPLES_PER_MS = LIMITS.sampleRateHz / 1000;

export class Arrivals {
  /** For each chunk of the ring: when one of its samples last arrived. Times are exact to one chunk. */
  private readonly times: Float64Array;
  private readonly chunkSamples: number;
  private readonly now: () => number;
  private beganMs = 0;

  /** @param chunks that the ring holds */
  constructor(chunks: number, chunkSamples: number, now: () => number) {
    // One more than the ring holds: a frame may end in the chunk whose start is still waiting.
    this.times = new Float64Array(chunks + 1);
    this.chunkSamples = chunkSamples;
    this.now = now;
  }

  /** The recording continues from an absolute position; audio before it counts as sent in real time. */
  goOn(from: number): void {
    this.beganMs = this.now() - from / SAMPLES_PER_MS;
  }

  /** Samples `from` … `from + count` are now in the ring. `from` is absolute; 0 is the start of the recording. */
  note(from: number, count: number): void {
    if (count === 0) return;
    const nowMs = this.now();
    if (from === 0) this.beganMs = nowMs;
    const last = Math.floor((from + count - 1) / this.chunkSamples);
    for (let chunk = Math.floor(from / this.chunkSamples); chunk <= last; chunk++) {
      this.times[chunk % this.times.length] = nowMs;
    }
  }

  /** When the sample before the absolute position `end` arrived, in milliseconds of the clock. */
  at(end: number): number {
    return this.times[Math.floor(Math.max(0, end - 1) / this.chunkSamples) % this.times.length]!;
  }

  /** Samples written beyond real time since the recording began. */
  aheadSamples(written: number): number {
    return written - (this.now() - this.beganMs) * SAMPLES_PER_MS;
  }
}
