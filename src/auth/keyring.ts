/**
 * Identifies keys. Every check of a key comes here: `--auth-token`, the keys of `--keys-file`, and client tokens signed
 * for one of them. The result is a grant, which counts and limits the use of a key.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Config } from '../config.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { isClientToken, openToken, signToken, type TokenRequest } from './client-token.js';
import { Grant } from './grant.js';
import { type KeyEntry, NO_LIMITS, readKeys, SHARED_NAME, sha256 } from './key-file.js';
import { Rates } from './rates.js';
import { type SharedLimits, Sharing, type SharingTiming } from './sharing.js';
import { Uses } from './uses.js';

export type KeyringConfig = Pick<Config, 'authToken' | 'keysFile' | 'tokenSecret'>;

const SECRET_BYTES = 32;

export class Keyring {
  readonly uses = new Uses();
  private readonly config: KeyringConfig;
  private readonly secret: string;
  private readonly nowMs: () => number;
  private entries: readonly KeyEntry[] = [];
  private readonly byName = new Map<string, KeyEntry>();
  private readonly rates = new Rates();
  /** Requests for sessions that no server has, of this server alone. */
  readonly guesses = new Rates();
  private sharing: Sharing | null = null;

  /** @param nowMs since 1970 */
  constructor(config: KeyringConfig, nowMs: () => number = Date.now) {
    this.config = config;
    this.nowMs = nowMs;
    // Without a secret of the fleet, tokens are valid only on this server and until it stops.
    this.secret = config.tokenSecret === '' ? randomBytes(SECRET_BYTES).toString('hex') : config.tokenSecret;
    this.take([]);
  }

  /** @throws ServerError CONFIG_INVALID */
  static async open(config: KeyringConfig): Promise<Keyring> {
    const keyring = new Keyring(config);
    await keyring.reload();
    return keyring;
  }

  /** Without any key, everyone may use the server. */
  get isOpen(): boolean {
    return this.config.authToken === '' && this.config.keysFile === '';
  }

  /**
   * Reads the file again; if it is not valid, the keys stay as they are.
   * @throws ServerError CONFIG_INVALID
   */
  async reload(): Promise<void> {
    if (this.config.keysFile !== '') this.take(await readKeys(this.config.keysFile));
  }

  /** Replaces the keys of the file. */
  take(fromFile: readonly KeyEntry[]): void {
    const { authToken } = this.config;
    const shared = { name: SHARED_NAME, hash: sha256(authToken), ...NO_LIMITS };
    this.entries = authToken === '' ? fromFile : [shared, ...fromFile];
    this.byName.clear();
    for (const entry of this.entries) this.byName.set(entry.name, entry);
    for (const rates of [this.rates, this.guesses]) rates.keep((name) => this.byName.get(name));
  }

  /**
   * The grant of the first valid key. Invalid ones before it are ignored, since a proxy may add a header of its own,
   * and a page may keep an expired client token.
   * @throws ServerError UNAUTHORIZED
   */
  who(offered: readonly string[]): Grant {
    const candidates = offered
      .slice(0, LIMITS.maxKeysOffered)
      .filter((key) => key.length <= LIMITS.maxKeyChars);
    if (this.isOpen) return Grant.toAnybody(this, candidates[0]);
    let expired: unknown;
    for (const candidate of candidates) {
      try {
        const grant = this.grantOf(candidate);
        if (grant !== null) return grant;
      } catch (error) {
        expired ??= error;
      }
    }
    throw expired ?? new ServerError('UNAUTHORIZED');
  }

  /**
   * Null: unknown.
   * @throws ServerError UNAUTHORIZED for a client token that has expired
   */
  private grantOf(candidate: string): Grant | null {
    if (isClientToken(candidate)) {
      const opened = openToken(this.secret, candidate, (name) => this.byName.get(name), this.nowMs());
      return opened === null ? null : new Grant(this, opened.key, opened.token);
    }
    const entry = this.entryOf(candidate);
    return entry === undefined ? null : new Grant(this, entry);
  }

  /**
   * Issues a client token for the holder of a key. The holder of a token cannot issue further ones.
   * @throws ServerError UNAUTHORIZED, KEY_LIMIT, NOT_FOUND if the server does not require a key
   */
  issue(
    offered: readonly string[],
    wanted: TokenRequest,
  ): { text: string; name: string; expiresAtMs: number } {
    if (this.isOpen) throw new ServerError('NOT_FOUND', 'This server does not require a key.');
    const grant = this.who(offered.filter((key) => !isClientToken(key)));
    grant.countRequest();
    const key = this.byName.get(grant.name);
    if (key === undefined) throw new ServerError('UNAUTHORIZED');
    const { text, token } = signToken(this.secret, key, wanted, this.nowMs());
    return { text, name: key.name, expiresAtMs: token.exp * 1000 };
  }

  /** The current entry of a key; undefined if it was removed or replaced. */
  current({ name, hash }: KeyEntry): KeyEntry | undefined {
    const entry = this.byName.get(name);
    return entry?.hash.equals(hash) ? entry : undefined;
  }

  get size(): number {
    return this.entries.length;
  }

  /** Whether the identity of a session is still valid. */
  knows(identity: string): boolean {
    return this.isOpen || this.entries.some((entry) => Grant.identityOf(entry) === identity);
  }

  /**
   * Counts a request against the rate of a key.
   * @returns false above the rate
   */
  takeRate(entry: KeyEntry): boolean {
    return this.rates.take(entry);
  }

  /** From now on, limits apply to all servers of a fleet together. Without keys there is nothing to share. */
  join(fleet: SharedLimits, timing: Partial<SharingTiming> = {}): void {
    if (this.isOpen || this.sharing !== null) return;
    this.sharing = new Sharing(fleet, this.uses, this.rates, timing);
    this.uses.join(this.sharing);
  }

  close(): void {
    this.sharing?.close();
  }

  /** Compares with all keys, each in constant time, so that timing reveals nothing about any of them. */
  private entryOf(key: string): KeyEntry | undefined {
    const hash = sha256(key);
    let found: KeyEntry | undefined;
    for (const entry of this.entries) if (timingSafeEqual(entry.hash, hash)) found = entry;
    return found;
  }
}
