/**
 * Which token resumes which session, and how many sessions without a socket are kept. Tokens are kept as hashes only. A
 * token is good for one resumption. The answer to a resumption may be lost with its connection, so the token that was
 * used stays good until the client has shown that it has the next one; then it is worth nothing. A late copy of a request
 * to resume may come behind the client's own: so do the last few tokens that were answered to the same one.
 */
import { createHash, randomBytes } from 'node:crypto';

/** Bytes of randomness in a token. */
const TOKEN_BYTES = 24;

export interface DeskBounds {
  /** Sessions without a socket. */
  readonly maxSuspended: number;
  /** What all of them together have to say. */
  readonly maxSuspendedBytes: number;
}

/** Answers to one token that may all be on their way. */
const MOST_ANSWERS = 4;

/** A session as the desk knows it. */
export interface Resumable {
  readonly id: string;
  /** Identity of the access key that opened it. */
  readonly key: string;
  /** It is not kept any longer: there are too many. */
  expire(): void;
}

export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64');

const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

export class ResumeDesk {
  private readonly bounds: DeskBounds;
  private readonly byHash = new Map<string, ResumeTicket>();
  /** Those without a socket and what they keep, the longest suspended first. */
  private readonly suspended = new Map<ResumeTicket, number>();

  constructor(bounds: DeskBounds) {
    this.bounds = bounds;
  }

  get suspendedCount(): number {
    return this.suspended.size;
  }

  open(session: Resumable): ResumeTicket {
    return new ResumeTicket(session, this.byHash, (ticket, bytes) => this.suspend(ticket, bytes));
  }

  /** The id of the session that this token resumes, for the key that opened it; null if there is none. */
  find(token: string, key: string): string | null {
    const session = this.byHash.get(hashOf(token))?.session;
    return session !== undefined && session.key === key ? session.id : null;
  }

  /** @param bytes what it keeps; null: it has a socket again, or is gone */
  private suspend(ticket: ResumeTicket, bytes: number | null): void {
    this.suspended.delete(ticket);
    if (bytes === null) return;
    this.suspended.set(ticket, bytes);
    let sum = 0;
    for (const each of this.suspended.values()) sum += each;
    // The longest suspended goes first: its client has had the most time to come back.
    for (const [oldest, size] of this.suspended) {
      if (this.suspended.size <= this.bounds.maxSuspended && sum <= this.bounds.maxSuspendedBytes) return;
      this.suspended.delete(oldest);
      sum -= size;
      oldest.session.expire();
    }
  }
}

/** The tokens of one session. */
export class ResumeTicket {
  readonly session: Resumable;
  /** The client has shown that it has a token: it can come back. */
  held = false;
  private readonly byHash: Map<string, ResumeTicket>;
  private readonly onSuspended: (ticket: ResumeTicket, bytes: number | null) => void;
  private current: string | null = null;
  /** The one that is issued next. A fleet knows its hash before any client has it, so no server's death can be in between. */
  private next = newToken();
  /** A keeper asks for it with every frame. */
  private nextHash = hashOf(this.next);
  /**
   * The one that was used, while it is not known whether the client has got the current one; then earlier answers to it,
   * which the client may have got too.
   */
  private before: readonly string[] = [];

  constructor(
    session: Resumable,
    byHash: Map<string, ResumeTicket>,
    onSuspended: (ticket: ResumeTicket, bytes: number | null) => void,
  ) {
    this.session = session;
    this.byHash = byHash;
    this.onSuspended = onSuspended;
  }

  /** The next token. @param usedToken the one that was presented for it */
  issue(usedToken: string | null = null): string {
    const token = this.next;
    const hash = this.nextHash;
    this.next = newToken();
    this.nextHash = hashOf(this.next);
    const used = usedToken === null ? null : hashOf(usedToken);
    const [first, ...answers] = this.before;
    const isAgain = used !== null && used === first && this.current !== null;
    const good = isAgain ? [used, ...[...answers, this.current].slice(1 - MOST_ANSWERS)] : [used];
    for (const each of [this.current, ...this.before]) if (!good.includes(each)) this.drop(each);
    this.before = good.filter((each) => each !== null);
    this.current = hash;
    this.byHash.set(this.current, this);
    return token;
  }

  /** Hashes of those that are good now, and of the one that is issued next. */
  get hashes(): readonly string[] {
    return [this.current, this.nextHash, ...this.before].filter((hash) => hash !== null);
  }

  /**
   * A session that another server had was presented this token; it is good here too until the client has the next one, and
   * so are those that the other server may have answered with.
   * @param known hashes of the tokens that were good there
   */
  adopt(usedToken: string, known: readonly string[]): string {
    this.held = true;
    const used = hashOf(usedToken);
    const next = this.issue(usedToken);
    this.before = [used, ...known.filter((hash) => hash !== used)].slice(0, MOST_ANSWERS);
    for (const hash of this.before) this.byHash.set(hash, this);
    return next;
  }

  /** The client gave a sign of life behind the newest token. */
  confirm(): void {
    this.held = true;
    this.forget();
  }

  suspend(bytes: number): void {
    this.onSuspended(this, bytes);
  }

  resume(): void {
    this.onSuspended(this, null);
  }

  close(): void {
    this.onSuspended(this, null);
    this.forget();
    this.drop(this.current);
    this.current = null;
  }

  private forget(): void {
    for (const hash of this.before) this.drop(hash);
    this.before = [];
  }

  private drop(hash: string | null): void {
    if (hash !== null) this.byHash.delete(hash);
  }
}
