/** What somebody who brought a key, or a client token of one, may use. Limits are those of now: a reload changes them. */
import { ServerError } from '../errors.js';
import type { ClientToken } from './client-token.js';
import { type KeyEntry, sha256 } from './key-file.js';
import type { Uses } from './uses.js';

/** The keyring as a grant knows it. */
export interface GrantHost {
  readonly uses: Uses;
  current(entry: KeyEntry): KeyEntry | undefined;
  takeRate(entry: KeyEntry): boolean;
}

type Counted = 'streams' | 'uploads';

export class Grant {
  /**
   * What a session is bound to: the same for a key and all of its tokens, so that a client whose token has expired resumes
   * with the next one.
   */
  readonly identity: string;
  /** Of the key; '' where none is asked for. */
  readonly name: string;
  private readonly host: GrantHost;
  private readonly entry: KeyEntry | null;
  private readonly token: ClientToken | null;

  constructor(host: GrantHost, entry: KeyEntry | null, token: ClientToken | null = null, identity = '') {
    this.host = host;
    this.entry = entry;
    this.token = token;
    this.name = entry?.name ?? '';
    this.identity = entry === null ? identity : Grant.identityOf(entry);
  }

  static identityOf({ hash }: KeyEntry): string {
    return hash.toString('base64');
  }

  /** Where no key is asked for. What a client brings all the same tells its sessions from those of others. */
  static toAnybody(host: GrantHost, offered: string | undefined): Grant {
    return new Grant(host, null, null, offered === undefined ? '' : sha256(offered).toString('base64'));
  }

  /** A connection, an upload or a token is asked for. @throws ServerError KEY_LIMIT, UNAUTHORIZED */
  countRequest(): void {
    const limits = this.limits();
    if (limits === null) return;
    // What other servers use of it is known by the time that a recording begins.
    this.watch('streams');
    this.watch('uploads');
    if (this.host.takeRate(limits)) return;
    throw new ServerError('KEY_LIMIT', `requests per minute for ${this.name}: ${limits.perMinute} at most`);
  }

  /**
   * A live stream begins.
   * @param admitted it goes on from another server, which has counted it: it counts here, and no limit keeps it out
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  takeStream(admitted = false): void {
    this.take('streams', admitted);
  }

  giveStream(): void {
    this.give('streams');
  }

  /** An upload begins; call the result when it ends. @throws ServerError KEY_LIMIT, UNAUTHORIZED */
  enterUpload(): () => void {
    this.take('uploads');
    return () => this.give('uploads');
  }

  private take(what: Counted, admitted = false): void {
    const counters = this.counters(what);
    this.watch(what);
    const used = counters.find(({ id, most }) => most > 0 && this.host.uses.total(id) >= most);
    if (used !== undefined && !admitted) {
      throw new ServerError('KEY_LIMIT', `${what} at once for ${used.whose}: ${used.most} at most`);
    }
    for (const { id } of counters) this.host.uses.add(id);
  }

  private give(what: Counted): void {
    for (const id of this.idsOf(what)) this.host.uses.drop(id);
  }

  /** Has the fleet count together what it bounds. The bounds of a key may change, those of a token never do. */
  private watch(what: Counted): void {
    const [key, token] = this.idsOf(what);
    if (key !== undefined) this.host.uses.watch(key);
    if (token !== undefined && this.token?.[what] !== undefined) this.host.uses.watch(token);
  }

  /** What this counts in: its key, and its token. No secrets: the fleet's Redis has them as they are. */
  private idsOf(what: Counted): string[] {
    const ids = this.entry === null ? [] : [`key:${this.name}:${what}`];
    return this.token === null ? ids : [...ids, `token:${this.token.id}:${what}`];
  }

  /** A token's bound comes on top of that of its key. */
  private counters(what: Counted): { id: string; whose: string; most: number }[] {
    const bounds = [
      { whose: this.name, most: this.limits()?.[what] ?? 0 },
      { whose: 'this client token', most: this.token?.[what] ?? 0 },
    ];
    return this.idsOf(what).map((id, i) => ({ id, ...bounds[i]! })); // at most two
  }

  private limits(): KeyEntry | null {
    if (this.entry === null) return null;
    const current = this.host.current(this.entry);
    if (current === undefined) throw new ServerError('UNAUTHORIZED', 'The access key was taken away.');
    return current;
  }
}
