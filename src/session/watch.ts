/** The clocks of one session, read by the sweep: what is overdue. All of it stands still while the server does not read. */
import { LIMITS } from '../limits.js';

export interface WatchBounds {
  /** A connection without a sign of life for this long is closed. */
  readonly idleMs: number;
  /** A recording without audio for this long is ended. */
  readonly noAudioMs: number;
}

export class Watch {
  /** When the client last gave a sign of life, and when its audio last came. */
  heardMs: number;
  audioMs: number;
  private beatMs: number;
  private readonly beganMs: number;
  private readonly bounds: WatchBounds;

  constructor(bounds: WatchBounds, nowMs = performance.now()) {
    this.bounds = bounds;
    this.heardMs = nowMs;
    this.audioMs = nowMs;
    this.beatMs = nowMs;
    this.beganMs = nowMs;
  }

  /** Of the session, whole seconds; the clock of the day may jump meanwhile. */
  ageSeconds(nowMs = performance.now()): number {
    return Math.round((nowMs - this.beganMs) / 1000);
  }

  /** Time begins anew: a recording began, or the socket is read again. */
  restart(nowMs = performance.now()): void {
    this.heardMs = nowMs;
    this.audioMs = nowMs;
  }

  idle(nowMs: number): boolean {
    return nowMs - this.heardMs > this.bounds.idleMs;
  }

  noAudio(nowMs: number): boolean {
    return nowMs - this.audioMs > this.bounds.noAudioMs;
  }

  /** The client stopped sending in the middle of what it said. */
  pause(nowMs: number, silenceSeconds: number): boolean {
    return nowMs - this.audioMs > Math.max(LIMITS.pauseMs, LIMITS.pauseSilences * 1000 * silenceSeconds);
  }

  /** True once in each interval: ask for a sign of life. */
  beat(nowMs: number): boolean {
    if (nowMs - this.beatMs < LIMITS.heartbeatMs) return false;
    this.beatMs = nowMs;
    return true;
  }
}
