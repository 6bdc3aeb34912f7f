/** A ring of the newest samples, and their percentiles. */
export class LatencyWindow {
  /** @type {number[]} */
  #samples = [];
  #next = 0;
  #count = 0;
  /** @type {number | null} */
  #last = null;

  /** @param {number} [size] */
  constructor(size = 512) {
    this.size = size;
  }

  /** @param {number} ms */
  add(ms) {
    this.#samples[this.#next] = ms;
    this.#next = (this.#next + 1) % this.size;
    this.#count += 1;
    this.#last = ms;
  }

  /** @returns {import('./types.js').Percentiles} */
  summary() {
    const sorted = [...this.#samples].sort((a, b) => a - b);
    return {
      count: this.#count,
      p50: percentile(sorted, 0.5),
      p95: percentile(sorted, 0.95),
      p99: percentile(sorted, 0.99),
      last: this.#last,
    };
  }
}

/**
 * Nearest rank, so that a percentile is always a measured value.
 * @param {number[]} sorted Ascending.
 * @param {number} p 0–1.
 * @returns {number | null} null where there is nothing.
 */
export function percentile(sorted, p) {
  return sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)] ?? null;
}
