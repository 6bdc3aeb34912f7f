/**
 * The uses of keys on all servers of a fleet. No request waits for it: each server tells what it uses as that changes, is
 * answered what the others use, and goes by the last answer. So a limit can be exceeded by what began on other servers since
 * then, and by no more. An answer that was not renewed for as long as a server's lease is good counts no longer: then, and
 * while the fleet is away, limits hold on each server by itself.
 */
import { LIMITS } from '../limits.js';
import type { Rates, Spending } from './rates.js';
import type { Uses } from './uses.js';

/** Something that this server uses now. */
export interface Use {
  /** `key:NAME:streams`, `token:ID:uploads` */
  readonly id: string;
  readonly count: number;
}

/** Where the servers of a fleet meet. */
export interface SharedLimits {
  readonly available: boolean;
  /**
   * @returns for each use how often the other servers that live use the same; for each rate how many requests are left for
   * all of them
   * @throws Error when the fleet is away or too slow
   */
  exchange(
    uses: readonly Use[],
    spendings: readonly Spending[],
  ): Promise<{ readonly others: readonly number[]; readonly left: readonly number[] }>;
}

export interface SharingTiming {
  /** How often everything is told and asked for. */
  readonly everyMs: number;
  /** Least time between two calls that something new calls for. */
  readonly gapMs: number;
  /** How long an answer is good. */
  readonly goodMs: number;
  /** How long something that is not used is followed. */
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
  /** When `others` was asked for. */
  answeredMs: number;
  /** When it was of interest last. */
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

  /** What other servers use, as far as is known. */
  others(id: string): number {
    const known = this.followed.get(id);
    if (known === undefined || performance.now() - known.answeredMs > this.timing.goodMs) return 0;
    return known.others;
  }

  /** Follows it from now on. Beyond the bound on all that is followed it counts on this server only. */
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
      if (this.isUnderWay) return; // what changed follows it
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
    const spendings = this.rates.spend(all); // an outage's are not sent when it ends: this server has counted them
    if (!this.fleet.available) return;
    this.isUnderWay = true;
    this.lastMs = performance.now();
    try {
      const atOnce = LIMITS.clusterSharedAtOnce;
      for (let i = 0; i < Math.max(ids.length, spendings.length); i += atOnce) {
        await this.exchange(ids.slice(i, i + atOnce), spendings.slice(i, i + atOnce));
      }
    } catch {
      // The fleet itself says that it is away; what is known grows old.
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
