/**
 * The use of keys on all servers of a fleet. Requests never wait for it: each server reports changes in its use,
 * receives the use of the others, and applies its limits with the last answer. A limit can thus be exceeded only by
 * what began on other servers since then. An answer expires with a server's lease. After that, and while the fleet
 * cannot be reached, limits apply to each server separately.
 */
import { LIMITS } from '../limits.js';
import type { Rates, Spending } from './rates.js';
import type { Uses } from './uses.js';

/** Use of a counter by this server. */
export interface Use {
  /** `key:NAME:streams`, `token:ID:uploads` */
  readonly id: string;
  readonly count: number;
}

/** The exchange between the servers of a fleet. */
export interface SharedLimits {
  readonly available: boolean;
  /**
   * @returns for each counter, its use by the other live servers; for each rate, the number of requests left for all
   * servers
   * @throws Error when the fleet cannot be reached or is too slow
   */
  exchange(
    uses: readonly Use[],
    spendings: readonly Spending[],
  ): Promise<{ readonly others: readonly number[]; readonly left: readonly number[] }>;
}

export interface SharingTiming {
  /** Interval of the full exchange. */
  readonly everyMs: number;
  /** Minimum time between two exchanges caused by changes. */
  readonly gapMs: number;
  /** How long an answer is valid. */
  readonly goodMs: number;
  /** How long an unused counter is still exchanged. */
  readonly followMs: number;
}

const TIMING: SharingTiming = {
  everyMs: LIMITS.clusterBeatMs,
  gapMs: LIMITS.clusterShareMs,
  goodMs: LIMITS.clusterLeaseMs,
  followMs: LIMITS.clusterSharedMs,
};

interface Followed {
  others: number;
  /** When `others` was requested. */
  answeredMs: number;
  /** When it was last needed. */
  watchedMs: number;
}

export class Sharing {
  private readonly fleet: SharedLimits;
  private readonly uses: Uses;
  private readonly rates: Rates;
  private readonly timing: SharingTiming;
  private readonly followed = new Map<string, Followed>();
  private readonly changed = new Set<string>();
  private readonly timer: NodeJS.Timeout;
  private soon: NodeJS.Timeout | undefined;
  private isUnderWay = false;
  private lastMs = Number.NEGATIVE_INFINITY;

  constructor(fleet: SharedLimits, uses: Uses, rates: Rates, timing: Partial<SharingTiming> = {}) {
    this.fleet = fleet;
    this.uses = uses;
    this.rates = rates;
    this.timing = { ...TIMING, ...timing };
    this.timer = setInterval(() => this.tellAll(), this.timing.everyMs);
    this.timer.unref();
  }

  /** Use by other servers, as far as known. */
  others(id: string): number {
    const known = this.followed.get(id);
    if (known === undefined || performance.now() - known.answeredMs > this.timing.goodMs) return 0;
    return known.others;
  }

  /** Includes the counter from now on. Above the limit on counters, it is counted on this server only. */
  watch(id: string): void {
    const known = this.followed.get(id);
    if (known !== undefined) known.watchedMs = performance.now();
    else if (this.followed.size < LIMITS.clusterShared) {
      const answeredMs = Number.NEGATIVE_INFINITY;
      this.followed.set(id, { others: 0, answeredMs, watchedMs: performance.now() });
    } else return;
    this.onChange(id);
  }

  onChange(id: string): void {
    if (!this.followed.has(id)) return;
    this.changed.add(id);
    this.tellSoon();
  }

  close(): void {
    clearInterval(this.timer);
    clearTimeout(this.soon);
    this.changed.clear();
    this.followed.clear();
  }

  private tellSoon(): void {
    if (this.soon !== undefined || this.isUnderWay) return;
    const waitMs = Math.max(0, this.lastMs + this.timing.gapMs - performance.now());
    this.soon = setTimeout(() => {
      this.soon = undefined;
      if (this.isUnderWay) return; // another exchange follows with the changes
      const ids = [...this.changed];
      this.changed.clear();
      void this.tell(ids, false);
    }, waitMs);
    this.soon.unref();
  }

  private tellAll(): void {
    if (this.isUnderWay) return;
    const oldMs = performance.now() - this.timing.followMs;
    for (const [id, { watchedMs }] of this.followed) {
      if (watchedMs < oldMs && this.uses.of(id) === 0) this.followed.delete(id);
    }
    this.changed.clear();
    void this.tell([...this.followed.keys()], true);
  }

  private async tell(ids: readonly string[], all: boolean): Promise<void> {
    const spendings = this.rates.spend(all); // requests made during an outage are not sent afterwards; this server has counted them
    if (!this.fleet.available) return;
    this.isUnderWay = true;
    this.lastMs = performance.now();
    try {
      const atOnce = LIMITS.clusterSharedAtOnce;
      for (let i = 0; i < Math.max(ids.length, spendings.length); i += atOnce) {
        await this.exchange(ids.slice(i, i + atOnce), spendings.slice(i, i + atOnce));
      }
    } catch {
      // The cluster itself logs the outage; the last answers expire.
    } finally {
      this.isUnderWay = false;
      if (this.changed.size > 0) this.tellSoon();
    }
  }

  private async exchange(ids: readonly string[], spendings: readonly Spending[]): Promise<void> {
    const askedMs = performance.now();
    const uses = ids.map((id) => ({ id, count: this.uses.of(id) }));
    const { others, left } = await this.fleet.exchange(uses, spendings);
    for (const [i, id] of ids.entries()) {
      const known = this.followed.get(id);
      if (known === undefined) continue;
      known.others = others[i] ?? 0;
      known.answeredMs = askedMs;
    }
    for (const [i, spending] of spendings.entries()) this.rates.settle(spending, left[i] ?? 0);
  }
}
