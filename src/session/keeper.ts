/**
 * Keeps a session's record in its fleet up to date, off the audio path. It writes at once when a recording begins or
 * ends or the client gets a new token, and during a recording as often as the bandwidth allows. At most one write is
 * under way; a failed write is followed by the next. If another server has taken over the record, the session ends
 * here.
 */
import type { SessionStore } from '../cluster/store.js';
import type { Blame } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { encodeSession, type KeptSession, withBlame } from './record.js';
import type { Told } from './told.js';

/** Storage for the sessions of a server. */
export interface Keeping {
  readonly store: SessionStore;
  /** Fingerprint of the engine. */
  readonly fingerprint: Uint8Array;
  /** Average bandwidth for the records of a stream. */
  readonly bytesPerSecond: number;
  /** How long a record outlives its last renewal. */
  readonly ttlMs: number;
  /** Milliseconds; default: the clock of the process. */
  readonly now?: () => number;
}

/** A session as its keeper sees it. */
export interface Kept {
  readonly id: string;
  readonly key: string;
  readonly clientId: string;
  readonly log: Logger;
  /** Hashes of its tokens, newest first. */
  tokens(): readonly string[];
  told(): Told;
  /** By channel of its recording. */
  blame(): readonly Blame[];
  /** Null while it cannot be described: during a flush or another pending operation. */
  describe(): { readonly kept: KeptSession; readonly securedSamples: number } | null;
  /** Another server has taken it over. */
  onTaken(): void;
}

/** A state that the store has, or is being sent. */
interface Written {
  /** Positions and counts of messages: what is lost if it is not written. */
  readonly facts: string;
  readonly blame: string;
  /** The part that cannot wait: recordings begun and ended, and messages between recordings. */
  readonly urgent: string;
  readonly tokens: string;
  readonly phase: number;
  readonly securedSamples: number;
  /** Kept in case the tokens or the blame change before the next state; null if it would take too much memory. */
  readonly bytes: Uint8Array | null;
}

export class Keeper {
  private readonly keeping: Keeping;
  private readonly session: Kept;
  private readonly epoch: number;
  private readonly now: () => number;
  private confirmed: Written | null = null;
  private confirmedMs: number;
  private flying: Promise<boolean> | null = null;
  private isDue = false;
  /** No write before this time; from then on one is affordable. */
  private notBeforeMs = 0;
  private affordableMs = 0;
  private intervalMs: number = LIMITS.recordIntervalMs;
  private touchedMs = 0;
  private acked = { phase: -1, samples: 0 };
  /** The session is over or belongs to another server: nothing more is written. */
  private isOver = false;

  /** @param epoch of this server's ownership of the session */
  constructor(keeping: Keeping, session: Kept, epoch: number) {
    this.keeping = keeping;
    this.session = session;
    this.epoch = epoch;
    this.now = keeping.now ?? (() => performance.now());
    this.confirmedMs = this.now();
  }

  /** Something may have changed. */
  poke(): void {
    if (this.isDue || this.isOver || this.flying !== null || !this.keeping.store.available) return;
    const nowMs = this.now();
    if (nowMs < this.notBeforeMs) return;
    if (nowMs < this.affordableMs && this.confirmed?.urgent === this.urgent() && this.hasTokens()) return;
    this.isDue = true;
    // Waits for the results of other streams in this turn of the event loop.
    setImmediate(() => {
      this.isDue = false;
      if (this.flying === null) void this.write(); // a flush may have come first
    });
  }

  /** Once per second, for changes without a frame or a step. */
  sweep(): void {
    if (this.isOver || this.flying !== null || !this.keeping.store.available) return;
    if (this.confirmed !== null && this.now() - this.touchedMs >= LIMITS.recordTouchMs) void this.touch();
    else this.poke();
  }

  /**
   * The position to acknowledge.
   * @param hereSamples safe as long as this server runs; acknowledged while the fleet cannot store more
   */
  ack(hereSamples: number): number {
    const { phase } = this.session.told();
    if (this.acked.phase !== phase) this.acked = { phase, samples: 0 };
    const { confirmed } = this;
    const inFleet = confirmed?.phase === phase ? confirmed.securedSamples : 0;
    const samples = this.isAway ? hereSamples : inFleet;
    this.acked.samples = Math.max(this.acked.samples, samples);
    return this.acked.samples;
  }

  /** The store cannot be reached, or has not confirmed anything for long. */
  private get isAway(): boolean {
    const patienceMs = Math.max(LIMITS.recordMarginMs, 2 * this.intervalMs);
    return !this.keeping.store.available || this.now() - this.confirmedMs > patienceMs;
  }

  /** Whether the store has a record from which another server can continue. */
  get kept(): boolean {
    return !this.isOver && this.confirmed !== null && this.confirmed.tokens !== '';
  }

  /**
   * Writes the current state of the session, or asks the store whether it still has it: it may have been emptied since.
   * @returns false if that fails, or another server has it
   */
  async flush(): Promise<boolean> {
    await this.flying;
    const wasKept = this.confirmed !== null;
    if (this.isOver) return false;
    if (await this.write(true)) return true;
    const isLost = wasKept && this.confirmed === null && !this.isOver;
    return isLost && this.write();
  }

  /** Whether the session still belongs to this server, as far as known. */
  async isOurs(): Promise<boolean> {
    await this.flying;
    if (!this.isOver && this.confirmed !== null && this.keeping.store.available) await this.touch();
    return !this.isOver;
  }

  /**
   * A message is about to be sent that depends on the clock and could not be repeated: until the next record, no server
   * may take over the session.
   */
  forget(): void {
    const described = this.session.describe();
    if (this.isOver || described === null || !this.keeping.store.available) return;
    const { id, key, clientId, log } = this.session;
    const { store, fingerprint, ttlMs } = this.keeping;
    const bytes = encodeSession({ ...described.kept, recording: null }, fingerprint);
    this.confirmed = null;
    store
      .write(id, this.epoch, { key, clientId, tokens: [], bytes }, ttlMs)
      .catch((err: unknown) => log.debug({ err }, 'a record was not written'));
  }

  /** The session is over: no server may continue it. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { id, log } = this.session;
    this.keeping.store
      .remove(id, this.epoch)
      .catch((err: unknown) => log.debug({ err }, 'a record was not removed'));
  }

  /** The session continues elsewhere. */
  leave(): void {
    this.isOver = true;
  }

  private urgent(): string {
    const { phase, events } = this.session.told();
    // During a recording, messages follow from input that the client sends again, so they are not urgent.
    return `${phase} ${phase % 2 === 0 ? events.join(',') : ''}`;
  }

  private hasTokens(): boolean {
    return this.confirmed?.tokens === this.session.tokens().join(' ');
  }

  private hasBlame(): boolean {
    return this.confirmed?.blame === JSON.stringify(this.session.blame());
  }

  /**
   * @param surely asks the store even if there is nothing to write
   * @returns whether the store has the current state
   */
  private async write(surely = false): Promise<boolean> {
    if (this.isOver) return false;
    const next = this.next();
    if (next === null) {
      if (surely && this.confirmed !== null) await this.touch();
      return false;
    }
    this.affordableMs = this.now() + this.intervalMs;
    if (this.confirmed?.facts === next.facts && this.hasTokens() && this.hasBlame()) {
      return surely ? this.touch() : true;
    }
    const { id, key, clientId } = this.session;
    const tokens = this.session.tokens();
    const record = { key, clientId, tokens, bytes: next.bytes };
    const written = { ...next, tokens: tokens.join(' ') };
    if (next.bytes.length > LIMITS.heldRecordBytes) Object.assign(written, { bytes: null });
    return this.fly(this.keeping.store.write(id, this.epoch, record, this.keeping.ttlMs), () => {
      this.confirmed = written;
    });
  }

  /** The next write: the current state, or the last one with new tokens and blame. */
  private next(): (Omit<Written, 'tokens'> & { readonly bytes: Uint8Array }) | null {
    const described = this.session.describe();
    try {
      if (described === null) return this.nextOfLast(this.confirmed);
      const { kept, securedSamples } = described;
      const { told } = kept.outbox;
      const reads = kept.recording?.channels.map(({ stream }) => stream.read) ?? [];
      const facts = JSON.stringify([told, kept.controls, reads]);
      const blame = JSON.stringify(this.session.blame());
      const known = this.confirmed?.facts === facts && this.hasBlame() ? this.confirmed.bytes : null;
      const bytes = known ?? encodeSession(kept, this.keeping.fingerprint);
      const { bytesPerSecond } = this.keeping;
      this.intervalMs = Math.max(LIMITS.recordIntervalMs, (1000 * bytes.length) / bytesPerSecond);
      return { facts, blame, urgent: this.urgent(), phase: told.phase, securedSamples, bytes };
    } catch (err) {
      this.session.log.error({ err }, 'the session cannot be kept');
      this.notBeforeMs = this.now() + this.intervalMs;
      return null;
    }
  }

  /** A record of more than `heldRecordBytes` is not held, and waits until the session can be described again. */
  private nextOfLast(last: Written | null): ReturnType<Keeper['next']> {
    const { bytes = null } = last ?? {};
    if (last === null || bytes === null || (this.hasTokens() && this.hasBlame())) return null;
    const now = this.session.blame();
    const blame = JSON.stringify(now);
    return { ...last, blame, bytes: blame === last.blame ? bytes : withBlame(bytes, now) };
  }

  private touch(): Promise<boolean> {
    const { store, ttlMs } = this.keeping;
    return this.fly(store.touch(this.session.id, this.epoch, ttlMs), () => {});
  }

  /** @returns whether the store did it */
  private fly(call: Promise<string>, onDone: () => void): Promise<boolean> {
    const flying = call
      .then(
        (outcome) => this.landed(outcome, onDone),
        (err: unknown) => {
          this.session.log.debug({ err }, 'a record was not written');
          this.notBeforeMs = this.now() + LIMITS.recordIntervalMs;
          return false;
        },
      )
      .finally(() => {
        this.flying = null;
        this.poke();
      });
    this.flying = flying;
    return flying;
  }

  private landed(outcome: string, onDone: () => void): boolean {
    if (this.isOver) return false;
    if (outcome === 'taken') {
      this.isOver = true;
      this.session.onTaken();
      return false;
    }
    this.touchedMs = this.now();
    if (outcome === 'written') {
      this.confirmedMs = this.now();
      onDone();
    } else this.confirmed = null; // the store has lost it: the full record is written again
    return outcome === 'written';
  }
}
