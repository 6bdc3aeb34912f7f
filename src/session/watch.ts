/** The clocks of one session, which the sweep checks. They stand still while the server does not read. */
import { LIMITS } from '../limits.js';

/**
 * For the machine's timers: a session that waits for its client does not keep a process running that is otherwise done.
 */
export const quietClock = {
  setTimeout: (act: () => void, ms: number): NodeJS.Timeout => setTimeout(act, ms).unref(),
  clearTimeout: (timer: NodeJS.Timeout): void => clearTimeout(timer),
};

export interface WatchBounds {
  /** A connection that sends nothing for this long is closed. */
  readonly idleMs: number;
  /** A recording without audio for this long is ended. */
  readonly noAudioMs: number;
}

export class Watch {
  /** When anything, and when audio, was last received from the client. */
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

  /** Age of the session in whole seconds, unaffected by changes of the system clock. */
  ageSeconds(nowMs = performance.now()): number {
    return Math.round((nowMs - this.beganMs) / 1000);
  }

  /** Restarts the clocks: a recording began, or the socket is read again. */
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

  /** Whether the client stopped sending in the middle of speech. */
  pause(nowMs: number, silenceSeconds: number): boolean {
    return nowMs - this.audioMs > Math.max(LIMITS.pauseMs, LIMITS.pauseSilences * 1000 * silenceSeconds);
  }

  /** True once per interval: probe the client. */
  beat(nowMs: number): boolean {
    if (nowMs - this.beatMs < LIMITS.heartbeatMs) return false;
    this.beatMs = nowMs;
    return true;
  }
}
