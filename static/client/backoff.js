/** After `ease` the wait is at most 8 times the base. */
const EASED_ATTEMPTS = 3;

/** How long to wait before the next attempt. */
export class Backoff {
  #attempt = 0;
  /** @type {number | null} */
  #failingSinceMs = null;

  /**
   * Exponential backoff with full jitter: random · min(maxMs, baseMs · 2ⁿ). Full jitter spreads the clients of a lost
   * server evenly; with a fixed schedule they would all return at once.
   * @param {{
   *   baseMs: number, maxMs: number, maxAttempts: number, minOutageMs: number, random: () => number,
   * }} options
   */
  constructor(options) {
    this.options = options;
  }

  /** Attempts since the last success. */
  get attempt() {
    return this.#attempt;
  }

  /**
   * Whether to give up: enough attempts, over a long enough time.
   * @param {number} nowMs
   */
  exhausted(nowMs) {
    const { maxAttempts, minOutageMs } = this.options;
    this.#failingSinceMs ??= nowMs;
    return this.#attempt >= maxAttempts && nowMs - this.#failingSinceMs >= minOutageMs;
  }

  /**
   * Counts one more attempt.
   * @param {number} [retryAfterMs] What the server asked for; jitter comes on top, never below.
   * @returns {number} Milliseconds to wait.
   */
  next(retryAfterMs = 0) {
    const { baseMs, maxMs, random } = this.options;
    const jitterMs = random() * Math.min(maxMs, baseMs * 2 ** this.#attempt);
    this.#attempt += 1;
    return retryAfterMs + jitterMs;
  }

  /** There was some success, though not for long: reason neither to give up nor to retry at once. */
  ease() {
    this.#attempt = Math.min(this.#attempt, EASED_ATTEMPTS);
    this.#failingSinceMs = null;
  }

  reset() {
    this.#attempt = 0;
    this.#failingSinceMs = null;
  }
}
