/** Requests per minute of each key. In a fleet all of its servers take from one bucket, of which each has a copy. */
import { RateLimiter } from '../rate-limiter.js';
import type { KeyEntry } from './key-file.js';

interface Rate {
  readonly perMinute: number;
  readonly limiter: RateLimiter;
  /** Taken since the fleet was told. */
  spent: number;
  usedMs: number;
}

/** A bucket that nobody took from for so long is full, even if it was as far overdrawn as it may be. */
const FULL_MS = 120_000;

/** What a server has taken from the bucket of a key since it said so last. */
export interface Spending {
  readonly name: string;
  readonly perMinute: number;
  readonly spent: number;
}

export class Rates {
  private readonly rates = new Map<string, Rate>();

  /** @returns false beyond the rate of a key */
  take({ name, perMinute }: KeyEntry): boolean {
    if (perMinute === 0) return true;
    let rate = this.rates.get(name);
    if (rate === undefined) {
      rate = { perMinute, limiter: new RateLimiter(perMinute / 60, perMinute), spent: 0, usedMs: 0 };
      this.rates.set(name, rate);
    }
    rate.usedMs = performance.now();
    const taken = rate.limiter.take();
    if (taken) rate.spent++;
    return taken;
  }

  /** Forgets the rates of keys that are gone or have another one now. */
  keep(entryOf: (name: string) => KeyEntry | undefined): void {
    for (const [name, { perMinute }] of this.rates) {
      if (entryOf(name)?.perMinute !== perMinute) this.rates.delete(name);
    }
  }

  /**
   * What was taken since the last call; it is not told again.
   * @param all also of keys of which nothing was taken, if they are in use
   */
  spend(all: boolean): Spending[] {
    const oldMs = performance.now() - FULL_MS;
    const spendings: Spending[] = [];
    for (const [name, rate] of this.rates) {
      const { perMinute, spent, usedMs } = rate;
      if (spent === 0 && (!all || usedMs < oldMs)) continue;
      rate.spent = 0;
      spendings.push({ name, perMinute, spent });
    }
    return spendings;
  }

  /** The fleet says what is left for all, after what `spend` told of. Below 0: more was given out than there was. */
  settle({ name, perMinute }: Spending, left: number): void {
    const rate = this.rates.get(name);
    if (rate?.perMinute === perMinute) rate.limiter.set(left - rate.spent);
  }
}
