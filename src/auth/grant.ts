/**
 * What the holder of a key, or of a client token issued by it, may use. Limits are the current ones; a reload changes
 * them.
 */
import { ServerError } from '../errors.js';
import type { ClientToken } from './client-token.js';
import { type KeyEntry, sha256 } from './key-file.js';
import type { Rates } from './rates.js';
import type { Uses } from './uses.js';

/** The parts of the keyring that a grant uses. */
export interface GrantHost {
  readonly uses: Uses;
  current(entry: KeyEntry): KeyEntry | undefined;
  takeRate(entry: KeyEntry): boolean;
  readonly guesses: Pick<Rates, 'take' | 'giveBack'>;
}

type Counted = 'streams' | 'uploads';

export class Grant {
  /**
   * The identity that a session is bound to. It is the same for a key and all of its tokens, so a client whose token
   * has expired can resume with a new token.
   */
  readonly identity: string;
  /** Name of the key; '' if none is required. */
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

  /** A grant without a required key. A key or token that a client sends anyway separates its sessions from others. */
  static toAnybody(host: GrantHost, offered: string | undefined): Grant {
    return new Grant(host, null, null, offered === undefined ? '' : sha256(offered).toString('base64'));
  }

  /**
   * Counts a connection, an upload or a token request.
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  countRequest(): void {
    const limits = this.limits();
    if (limits === null) return;
    // By the time a recording begins, the use on other servers is then known.
    this.watch('streams');
    this.watch('uploads');
    if (this.host.takeRate(limits)) return;
    throw new ServerError('KEY_LIMIT', `requests per minute for ${this.name}: at most ${limits.perMinute}`);
  }

  /**
   * Counts a request for a session that this server does not have, before the fleet is asked for it. There may be as many
   * as other requests, apart from them: a session that moves is not refused because of a limit.
   * @returns to be called unless no server has the session: the request then does not count
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  countGuess(): () => void {
    const limits = this.limits();
    if (limits === null) return () => {};
    if (this.host.guesses.take(limits)) return () => this.host.guesses.giveBack(limits);
    throw new ServerError('KEY_LIMIT', `unknown resume tokens per minute: at most ${limits.perMinute}`);
  }

  /**
   * Counts the start of a live stream.
   * @param admitted the stream moved here from another server, which had admitted it: it is counted, but not limited
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  takeStream(admitted = false): void {
    this.take('streams', admitted);
  }

  giveStream(): void {
    this.give('streams');
  }

  /**
   * Counts the start of an upload; call the result when it ends.
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  enterUpload(): () => void {
    this.take('uploads');
    return () => this.give('uploads');
  }

  private take(what: Counted, admitted = false): void {
    const counters = this.counters(what);
    this.watch(what);
    const used = counters.find(({ id, most }) => most > 0 && this.host.uses.total(id) >= most);
    if (used !== undefined && !admitted) {
      throw new ServerError('KEY_LIMIT', `${what} at once for ${used.whose}: at most ${used.most}`);
    }
    for (const { id } of counters) this.host.uses.add(id);
  }

  private give(what: Counted): void {
    for (const id of this.idsOf(what)) this.host.uses.drop(id);
  }

  /** Makes the fleet count what is limited. The limits of a key may change, those of a token never do. */
  private watch(what: Counted): void {
    const [key, token] = this.idsOf(what);
    if (key !== undefined) this.host.uses.watch(key);
    if (token !== undefined && this.token?.[what] !== undefined) this.host.uses.watch(token);
  }

  /**
   * The counters of this grant: for its key and its token. The ids are not secret, since the fleet's Redis stores them
   * unencrypted.
   */
  private idsOf(what: Counted): string[] {
    const ids = this.entry === null ? [] : [`key:${this.name}:${what}`];
    return this.token === null ? ids : [...ids, `token:${this.token.id}:${what}`];
  }

  /** The limit of a token applies in addition to that of its key. */
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
    if (current === undefined) throw new ServerError('UNAUTHORIZED', 'The access key was removed.');
    return current;
  }
}
