/**
 * Maps resume tokens to sessions and limits the number of sessions without a socket. Only hashes of tokens are kept. A
 * token is valid for one resumption. Since the answer to a resumption may be lost with its connection, the used token
 * stays valid until the client has shown that it has the next one. A late copy of a resume request may arrive after the
 * client's own, so the last few tokens given in answer to the same token stay valid too.
 */
import { createHash, randomBytes } from 'node:crypto';

/** Bytes of randomness in a token. */
const TOKEN_BYTES = 24;

export interface DeskBounds {
  /** Sessions without a socket. */
  readonly maxSuspended: number;
  /** Bytes that all of them together keep for their clients. */
  readonly maxSuspendedBytes: number;
}

/** Answers to one token that may be under way at once. */
const MOST_ANSWERS = 4;

/** A session as the desk sees it. */
export interface Resumable {
  readonly id: string;
  /** Identity of the access key that opened it. */
  readonly key: string;
  /** It is dropped, because there are too many. */
  expire(): void;
}

export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64');

const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

const FORM = new RegExp(`^[\\w-]{${(TOKEN_BYTES * 4) / 3}}$`);

/** Whether a text has the form of a token, so that it is worth asking the fleet for it. */
export const isToken = (text: string): boolean => FORM.test(text);

export class ResumeDesk {
  private readonly bounds: DeskBounds;
  private readonly byHash = new Map<string, ResumeTicket>();
  /** Sessions without a socket and the bytes they keep, longest suspended first. */
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

  /** The id of the session that this token resumes for the key that opened it; null if there is none. */
  find(token: string, key: string): string | null {
    const session = this.byHash.get(hashOf(token))?.session;
    return session !== undefined && session.key === key ? session.id : null;
  }

  /** @param bytes that it keeps; null: it has a socket again, or has ended */
  private suspend(ticket: ResumeTicket, bytes: number | null): void {
    this.suspended.delete(ticket);
    if (bytes === null) return;
    this.suspended.set(ticket, bytes);
    let sum = 0;
    for (const each of this.suspended.values()) sum += each;
    // The session suspended longest is dropped first, since its client has had the most time to return.
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
  /** The client has shown that it has a token, so it can return. */
  held = false;
  private readonly byHash: Map<string, ResumeTicket>;
  private readonly onSuspended: (ticket: ResumeTicket, bytes: number | null) => void;
  private current: string | null = null;
  /**
   * The token to be issued next. A fleet knows its hash before any client gets it, so it stays valid if the server dies
   * in between.
   */
  private next = newToken();
  /** Cached, since a keeper reads it with every frame. */
  private nextHash = hashOf(this.next);
  /**
   * The used token, until the client has confirmed the current one; then earlier answers to it, which the client may
   * also have received.
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

  /**
   * Issues the next token.
   * @param usedToken the one that was presented for it
   */
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

  /** Hashes of the valid tokens and of the next one. */
  get hashes(): readonly string[] {
    return [this.current, this.nextHash, ...this.before].filter((hash) => hash !== null);
  }

  /**
   * For a session from another server: the presented token is valid here too, until the client has the next one. So are
   * the tokens with which the other server may have answered.
   * @param known hashes of the tokens that were valid there
   */
  adopt(usedToken: string, known: readonly string[]): string {
    this.held = true;
    const used = hashOf(usedToken);
    const next = this.issue(usedToken);
    this.before = [used, ...known.filter((hash) => hash !== used)].slice(0, MOST_ANSWERS);
    for (const hash of this.before) this.byHash.set(hash, this);
    return next;
  }

  /**
   * Something was received from the client after the newest token was sent.
   * @returns whether earlier tokens became void
   */
  confirm(): boolean {
    this.held = true;
    const isNews = this.before.length > 0;
    this.forget();
    return isNews;
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
