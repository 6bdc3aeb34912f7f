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

  /** Takes back a `take`. */
  giveBack(): void {
    this.tokens = Math.min(this.burst, this.tokens + 1);
  }

  /** Sets the tokens left now. Below 0: more were used elsewhere than available. */
  set(tokens: number): void {
    this.tokens = Math.min(this.burst, tokens);
    this.lastMs = this.now();
  }
}
