/** The store of a fleet in memory, with one handle per server and injectable failures. */
import type { SessionRecord, SessionStore, TakenSession } from '../../src/cluster/store.js';

interface Held {
  record: SessionRecord | null;
  epoch: number;
  expiresMs: number;
}

type Outcome = 'written' | 'taken';

export class MemoryFleet {
  readonly held = new Map<string, Held>();
  nowMs = 0;
  writes = 0;
  touches = 0;
  /** Calls that asked for a session. */
  takes = 0;
  bytes = 0;

  node(): MemoryStore {
    return new MemoryStore(this);
  }

  /** Advances the store's clock: records that were neither written nor touched expire. */
  pass(ms: number): void {
    this.nowMs += ms;
    for (const [id, { record, expiresMs }] of this.held) {
      if (record !== null && expiresMs <= this.nowMs) this.held.delete(id);
    }
  }
}

export class MemoryStore implements SessionStore {
  /** It cannot be reached, and says so. */
  away = false;
  /** It accepts calls but fails every one. */
  failing = false;
  /** The server is dead: its calls have no effect. */
  dead = false;
  private readonly fleet: MemoryFleet;
  /** Incremented when the server is killed and restarted: earlier calls have no effect and are never answered. */
  private life = 0;
  private waiting: (() => void)[] | null = null;

  constructor(fleet: MemoryFleet) {
    this.fleet = fleet;
  }

  get available(): boolean {
    return !this.away;
  }

  /** From now on another process uses this handle. */
  restart(): void {
    this.life++;
  }

  /** From now on calls wait until `answer`. */
  stall(): void {
    this.waiting ??= [];
  }

  /** Calls that wait. */
  get stalled(): number {
    return this.waiting?.length ?? 0;
  }

  /** Executes waiting calls in order; later calls are answered at once again. */
  answer(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const go of waiting) go();
  }

  async write(id: string, epoch: number, record: SessionRecord, ttlMs: number): Promise<Outcome> {
    await this.reach();
    const { held } = this.fleet;
    if ((held.get(id)?.epoch ?? 0) > epoch) return 'taken';
    this.fleet.writes++;
    this.fleet.bytes += record.bytes.length;
    const copy = { ...record, bytes: Uint8Array.from(record.bytes) };
    held.set(id, { record: copy, epoch, expiresMs: this.fleet.nowMs + ttlMs });
    return 'written';
  }

  async touch(id: string, epoch: number, ttlMs: number): Promise<Outcome> {
    await this.reach();
    const held = this.fleet.held.get(id);
    if ((held?.epoch ?? 0) > epoch) return 'taken';
    // As in the real store: a missing record must be written in full.
    if (held === undefined || held.record === null) return 'lost' as Outcome;
    this.fleet.touches++;
    held.expiresMs = this.fleet.nowMs + ttlMs;
    return 'written';
  }

  async take(tokenHash: string, key: string): Promise<TakenSession | null> {
    this.fleet.takes++;
    await this.reach();
    for (const [id, held] of this.fleet.held) {
      const { record } = held;
      if (record === null || record.key !== key || !record.tokens.includes(tokenHash)) continue;
      held.epoch++;
      return { ...record, id, epoch: held.epoch };
    }
    return null;
  }

  async remove(id: string, epoch: number): Promise<void> {
    await this.reach();
    const held = this.fleet.held.get(id);
    if (held === undefined || held.epoch > epoch) return;
    this.fleet.held.set(id, { record: null, epoch: epoch + 1, expiresMs: Number.POSITIVE_INFINITY });
  }

  private async reach(): Promise<void> {
    const { life } = this;
    const isGone = () => this.dead || this.life !== life;
    if (isGone()) await new Promise(() => {});
    if (this.away || this.failing) throw new Error('the store is away');
    if (this.waiting !== null) await new Promise<void>((go) => this.waiting?.push(go));
    await new Promise<void>((arrived) => setImmediate(arrived));
    if (isGone()) await new Promise(() => {});
  }
}
