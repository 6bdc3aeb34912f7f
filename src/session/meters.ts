/** Metrics of sessions: counters and latency histograms of the whole server, and the level of one stream. */
import type { ErrorCode } from '../errors.js';
import { RollingHistogram } from '../histogram.js';
import { LIMITS } from '../limits.js';

/** Sums over all sessions since the server started; latencies of the last minutes. */
export class SessionMetrics {
  /** From a complete chunk in the ring to its result. */
  readonly chunk = new RollingHistogram();
  /** From stop_recording to recording_stopped. */
  readonly final = new RollingHistogram();
  readonly errors = new Map<ErrorCode, number>();
  audioSamples = 0;
  connections = 0;
  resumed = 0;
  /** Sessions taken over from other servers. */
  takenOver = 0;
  recordings = 0;
  segments = 0;
  refused = 0;
  ignoredFrames = 0;
  droppedPartials = 0;

  /** Set to export the latencies elsewhere too; takes seconds. */
  chunkHistogram: { observe(seconds: number): void } | null = null;
  finalHistogram: { observe(seconds: number): void } | null = null;

  /** @param latencyMs null for a chunk that came ahead of real time */
  recordChunk(latencyMs: number | null, audioSamples: number): void {
    if (latencyMs !== null) {
      this.chunk.record(latencyMs);
      this.chunkHistogram?.observe(latencyMs / 1000);
    }
    this.audioSamples += audioSamples;
  }

  recordFinal(latencyMs: number): void {
    this.final.record(latencyMs);
    this.finalHistogram?.observe(latencyMs / 1000);
  }

  countError(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  get audioSeconds(): number {
    return this.audioSamples / LIMITS.sampleRateHz;
  }

  /** Without requests for unknown addresses, which are not errors of this server. */
  get errorCount(): number {
    let sum = 0;
    for (const [code, count] of this.errors) {
      if (code !== 'NOT_FOUND' && code !== 'METHOD_NOT_ALLOWED') sum += count;
    }
    return sum;
  }
}

const SILENCE_DBFS = -100;

/** RMS level since the last call. */
export class LevelMeter {
  private energy = 0;
  private frames = 0;

  add(rms: Float32Array): void {
    for (let i = 0; i < rms.length; i++) this.energy += rms[i]! * rms[i]!;
    this.frames += rms.length;
  }

  /** dBFS, one decimal; −100 for silence. */
  takeDbfs(): number {
    const mean = this.frames === 0 ? 0 : this.energy / this.frames;
    this.energy = 0;
    this.frames = 0;
    return mean <= 1e-10 ? SILENCE_DBFS : Math.round(100 * Math.log10(mean)) / 10;
  }
}
