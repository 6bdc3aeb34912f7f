/** Requests per minute of each key. All servers of a fleet take from one bucket, of which each has a copy. */
import { RateLimiter } from '../rate-limiter.js';
import type { KeyEntry } from './key-file.js';

interface Rate {
  readonly perMinute: number;
  readonly limiter: RateLimiter;
  /** Taken since the last report to the fleet. */
  spent: number;
  usedMs: number;
}

/** After this long without use, even a fully overdrawn bucket is full again. */
const FULL_MS = 120_000;

/** What a server has taken from a key's bucket since its last report. */
export interface Spending {
  readonly name: string;
  readonly perMinute: number;
  readonly spent: number;
}

export class Rates {
  private readonly rates = new Map<string, Rate>();

  /** @returns false above the rate of the key */
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

  /** Takes back a `take` that is not to be counted; only for a key whose use is not reported to a fleet. */
  giveBack({ name, perMinute }: KeyEntry): void {
    const rate = this.rates.get(name);
    if (rate?.perMinute === perMinute) rate.limiter.giveBack();
  }

  /** Drops the rates of keys that were removed or whose rate changed. */
  keep(entryOf: (name: string) => KeyEntry | undefined): void {
    for (const [name, { perMinute }] of this.rates) {
      if (entryOf(name)?.perMinute !== perMinute) this.rates.delete(name);
    }
  }

  /**
   * The requests since the last call, which are not reported again.
   * @param all include keys in use of which nothing was taken
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

  /**
   * Takes the fleet's answer: what is left for all servers after the reported requests. Below 0: more was used than
   * allowed.
   */
  settle({ name, perMinute }: Spending, left: number): void {
    const rate = this.rates.get(name);
    if (rate?.perMinute === perMinute) rate.limiter.set(left - rate.spent);
  }
}
