/**
 * When a stream's audio arrived: how long a chunk has waited since its last sample came in, and whether the sender
 * is ahead of real time (a file, not a voice).
 */
import { LIMITS } from '../limits.js';

const SAMPLES_PER_MS = LIMITS.sampleRateHz / 1000;

export class Arrivals {
  /** By chunk of the ring: when a sample of it last arrived. A cut between chunks is so off by a chunk at most. */
  private readonly times: Float64Array;
  private readonly chunkSamples: number;
  private readonly now: () => number;
  private beganMs = 0;

  /** @param chunks that the ring holds */
  constructor(chunks: number, chunkSamples: number, now: () => number) {
    // One more than the ring holds: a frame may end in the chunk whose beginning is still waiting.
    this.times = new Float64Array(chunks + 1);
    this.chunkSamples = chunkSamples;
    this.now = now;
  }

  /** The recording goes on from an absolute position: what came before it came at the pace of a voice. */
  goOn(from: number): void {
    this.beganMs = this.now() - from / SAMPLES_PER_MS;
  }

  /** Samples `from` … `from + count` are in the ring now; `from` is absolute, 0 begins the recording. */
  note(from: number, count: number): void {
    if (count === 0) return;
    const nowMs = this.now();
    if (from === 0) this.beganMs = nowMs;
    const last = Math.floor((from + count - 1) / this.chunkSamples);
    for (let chunk = Math.floor(from / this.chunkSamples); chunk <= last; chunk++) {
      this.times[chunk % this.times.length] = nowMs;
    }
  }

  /** When the sample before the absolute position `end` arrived, milliseconds of the clock. */
  at(end: number): number {
    return this.times[Math.floor(Math.max(0, end - 1) / this.chunkSamples) % this.times.length]!;
  }

  /** Samples written beyond what a voice could have spoken since the recording began. */
  aheadSamples(written: number): number {
    return written - (this.now() - this.beganMs) * SAMPLES_PER_MS;
  }
}
