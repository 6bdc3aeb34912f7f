/** The fleet's store over the simulated network: late, refusing, silent, or empty after a restart. */
import type { SessionRecord, SessionStore, TakenSession } from '../../../src/cluster/store.js';
import { LIMITS } from '../../../src/limits.js';
import { MemoryFleet, type MemoryStore } from '../memory-store.js';
import type { Process, World } from './world.js';

/** A call that is not answered for so long has failed, though it may be done all the same. */
const CALL_MS = 1_000;
/** Of one way, while nothing breaks. */
export const QUICK_MS = 20;

export class SimFleetStore {
  readonly memory = new MemoryFleet();
  readonly newest = new Map<string, SessionRecord>();
  /** It cannot be reached. */
  isAway = false;
  /** How likely it does what it is asked, and its answer is lost. */
  losesAnswers = 0;
  /** Of one way, at most. */
  slowestMs = QUICK_MS;
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** As a server has it. */
  handle(owner: Process): StoreHandle {
    return new StoreHandle(this.world, this, owner);
  }

  /** The newest record that ever was of a session. */
  lastOf(id: string): SessionRecord | null {
    return this.newest.get(id) ?? null;
  }

  /** Whether the answer to this call is lost. */
  losesAnswer(): boolean {
    return this.world.random() < this.losesAnswers;
  }

  /** Restarted without anything that it had. */
  wipe(): void {
    this.memory.held.clear();
  }

  /** Brings its clock up to date: what expired is gone. */
  tick(): void {
    this.memory.pass(this.world.nowMs - this.memory.nowMs);
  }
}

/** The store as one server has it. */
export class StoreHandle implements SessionStore {
  /** Until then nothing passes between this server and the store, milliseconds. */
  cutUntilMs = 0;
  private cutSinceMs = 0;
  private readonly world: World;
  private readonly fleet: SimFleetStore;
  private readonly inner: MemoryStore;
  private readonly send: (what: string, act: () => void) => void;
  private readonly answer: (act: () => void) => void;

  constructor(world: World, fleet: SimFleetStore, owner: Process) {
    this.world = world;
    this.fleet = fleet;
    this.inner = fleet.memory.node();
    // One connection: what is asked later is done later.
    let lastMs = 0;
    this.send = (what, act) => {
      lastMs = Math.max(lastMs, world.nowMs + world.between(0.2, fleet.slowestMs));
      world.after(lastMs - world.nowMs, world.nature, `store: ${what} of ${owner.name}`, act);
    };
    this.answer = (act) => world.after(world.between(0.2, fleet.slowestMs), owner, '', act);
  }

  get available(): boolean {
    return !this.fleet.isAway && !(this.isCut && this.world.nowMs - this.cutSinceMs > LIMITS.clusterStallMs);
  }

  /** Its calls are answered, and soon. */
  get isWell(): boolean {
    const { isAway, losesAnswers, slowestMs } = this.fleet;
    return !isAway && !this.isCut && losesAnswers === 0 && slowestMs <= QUICK_MS;
  }

  /** The network between this server and the store is gone for a while; the server notices later. */
  cut(ms: number): void {
    if (!this.isCut) this.cutSinceMs = this.world.nowMs;
    this.cutUntilMs = this.world.nowMs + ms;
  }

  private get isCut(): boolean {
    return this.cutUntilMs > this.world.nowMs;
  }

  write(id: string, epoch: number, record: SessionRecord, ttlMs: number): Promise<'written' | 'taken'> {
    const copy = { ...record, bytes: record.bytes.slice() };
    return this.call('write', async () => {
      const outcome = await this.inner.write(id, epoch, copy, ttlMs);
      if (outcome === 'written') this.fleet.newest.set(id, copy);
      return outcome;
    });
  }

  touch(id: string, epoch: number, ttlMs: number): ReturnType<SessionStore['touch']> {
    return this.call('touch', () => this.inner.touch(id, epoch, ttlMs));
  }

  take(tokenHash: string, key: string): Promise<TakenSession | null> {
    return this.call('take', () => this.inner.take(tokenHash, key));
  }

  remove(id: string, epoch: number): Promise<void> {
    return this.call('remove', () => this.inner.remove(id, epoch));
  }

  private async call<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (!this.available) throw new Error('the store is away');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the store does not answer')), CALL_MS);
      this.send(what, () => {
        if (!this.available || this.isCut) return;
        this.fleet.tick();
        const isLost = this.fleet.losesAnswer();
        act().then((result) => {
          if (isLost) return;
          this.answer(() => {
            clearTimeout(timer);
            resolve(result);
          });
        }, reject);
      });
    });
  }
}
