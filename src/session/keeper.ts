/**
 * Keeps a session's record with its fleet up to date, off the audio's path: at once when a recording begins or ends or the
 * client gets another token, and while recording as often as its bytes are affordable. One write is under way at most; one
 * that fails is followed by the next. A record that another server has taken over ends the session here.
 */
import type { SessionRecord, SessionStore } from '../cluster/store.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { encodeSession, type KeptSession } from './record.js';
import type { Told } from './told.js';

/** What a server's sessions are kept by. */
export interface Keeping {
  readonly store: SessionStore;
  /** Of the engine. */
  readonly fingerprint: Uint8Array;
  /** That a stream's records may take, on average. */
  readonly bytesPerSecond: number;
  /** How long a record outlives its server's last sign of life. */
  readonly ttlMs: number;
}

/** A session as its keeper knows it. */
export interface Kept {
  readonly id: string;
  readonly key: string;
  readonly clientId: string;
  readonly log: Logger;
  /** Hashes of its tokens, the newest first. */
  tokens(): readonly string[];
  told(): Told;
  /** Null while it cannot be described: during a flush, or while something is about to be done. */
  describe(): { readonly kept: KeptSession; readonly securedSamples: number } | null;
  /** Another server has it. */
  onTaken(): void;
}

/** A state that the store has, or is being given. */
interface Written {
  /** All that is lost if it is not written: positions, what was told, tokens. */
  readonly facts: string;
  /** What cannot wait: recordings begun and ended, tokens, what was told between two recordings. */
  readonly urgent: string;
  readonly phase: number;
  readonly securedSamples: number;
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
  /** No write before this, and an affordable one from then on. */
  private notBeforeMs = 0;
  private affordableMs = 0;
  private intervalMs: number = LIMITS.recordIntervalMs;
  private touchedMs = 0;
  private acked = { phase: -1, samples: 0 };
  /** The session is another server's, or over: nothing is written any more. */
  private isOver = false;

  constructor(keeping: Keeping, session: Kept, epoch: number, now = () => performance.now()) {
    this.keeping = keeping;
    this.session = session;
    this.epoch = epoch;
    this.now = now;
    this.confirmedMs = now();
  }

  /** Something may have changed. */
  poke(): void {
    if (this.isDue || this.isOver || this.flying !== null || !this.keeping.store.available) return;
    const nowMs = this.now();
    if (nowMs < this.notBeforeMs) return;
    if (nowMs < this.affordableMs && this.confirmed?.urgent === this.urgent()) return;
    this.isDue = true;
    // Results of other streams are told in this turn of the event loop.
    setImmediate(() => {
      this.isDue = false;
      void this.write();
    });
  }

  /** Once a second: what no frame and no step has brought about. */
  sweep(): void {
    if (this.isOver || this.flying !== null || !this.keeping.store.available) return;
    if (this.confirmed !== null && this.now() - this.touchedMs >= LIMITS.recordTouchMs) void this.touch();
    else this.poke();
  }

  /**
   * What an acknowledgement says.
   * @param hereSamples what is safe as long as this server lives: that is what it says while the fleet cannot keep more
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

  /** The store cannot be reached, or has confirmed nothing for long. */
  private get isAway(): boolean {
    const patienceMs = Math.max(LIMITS.recordMarginMs, 2 * this.intervalMs);
    return !this.keeping.store.available || this.now() - this.confirmedMs > patienceMs;
  }

  /** Writes the session as it stands. @returns false if that cannot be done, or another server has it */
  async flush(): Promise<boolean> {
    await this.flying;
    return !this.isOver && (await this.write());
  }

  /** Whether the session is still this server's, as far as can be known. */
  async isOurs(): Promise<boolean> {
    await this.flying;
    if (!this.isOver && this.confirmed !== null && this.keeping.store.available) await this.touch();
    return !this.isOver;
  }

  /** The session is over: nobody goes on with it. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { id, log } = this.session;
    this.keeping.store
      .remove(id, this.epoch)
      .catch((err: unknown) => log.debug({ err }, 'a record was not removed'));
  }

  /** The session goes on elsewhere. */
  leave(): void {
    this.isOver = true;
  }

  private urgent(): string {
    const { phase, events } = this.session.told();
    // While recording, what was told follows from what the client sends again.
    return `${phase} ${phase % 2 === 0 ? events.join(',') : ''} ${this.session.tokens().join(' ')}`;
  }

  private write(): Promise<boolean> {
    const described = this.session.describe();
    if (described === null || this.isOver) return Promise.resolve(false);
    const { kept, securedSamples } = described;
    const { told } = kept.outbox;
    const reads = kept.recording?.channels.map(({ stream }) => stream.read) ?? [];
    const urgent = this.urgent();
    const facts = JSON.stringify([urgent, told, kept.controls, reads]);
    this.affordableMs = this.now() + this.intervalMs;
    if (this.confirmed?.facts === facts) return Promise.resolve(true);
    const { key, clientId, log } = this.session;
    const { store, fingerprint, bytesPerSecond, ttlMs } = this.keeping;
    let record: SessionRecord;
    try {
      const bytes = encodeSession(kept, fingerprint);
      this.intervalMs = Math.max(LIMITS.recordIntervalMs, (1000 * bytes.length) / bytesPerSecond);
      record = { key, clientId, tokens: this.session.tokens(), bytes };
    } catch (err) {
      log.error({ err }, 'the session cannot be kept');
      this.notBeforeMs = this.now() + this.intervalMs;
      return Promise.resolve(false);
    }
    this.affordableMs = this.now() + this.intervalMs;
    const written = { facts, urgent, phase: told.phase, securedSamples };
    return this.fly(store.write(this.session.id, this.epoch, record, ttlMs), () => {
      this.confirmed = written;
    });
  }

  private async touch(): Promise<void> {
    const { store, ttlMs } = this.keeping;
    await this.fly(store.touch(this.session.id, this.epoch, ttlMs), () => {});
  }

  /** @returns whether the store has done it */
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
    } else this.confirmed = null; // the store has lost it: it is written whole again
    return outcome === 'written';
  }
}
