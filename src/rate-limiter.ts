/** A token bucket: `perSecond` on average, `burst` at once. */
export class RateLimiter {
  private tokens: number;
  private lastMs: number;
  private readonly perSecond: number;
  private readonly burst: number;
  private readonly now: () => number;

  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.now = now;
    this.tokens = burst;
    this.lastMs = now();
  }

  /** True if one more is allowed now. */
  take(): boolean {
    const nowMs = this.now();
    this.tokens = Math.min(this.burst, this.tokens + ((nowMs - this.lastMs) / 1000) * this.perSecond);
    this.lastMs = nowMs;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /** What is left is said to be this much, as of now; below 0: more was given out elsewhere than there was. */
  set(tokens: number): void {
    this.tokens = Math.min(this.burst, tokens);
    this.lastMs = this.now();
  }
}
