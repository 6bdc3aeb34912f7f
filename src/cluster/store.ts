/**
 * Where the sessions of a fleet outlive their server: what a session has written here, any other server of the fleet goes
 * on with. One server at a time holds a session; each taking over counts its epoch up, and writes of an earlier epoch are
 * refused, so that a server which was thought dead and wakes cannot overwrite what its successor wrote.
 */

/** What is kept of one session. */
export interface SessionRecord {
  /** Identity of the access key that opened it: no other key takes it over. */
  readonly key: string;
  readonly clientId: string;
  /** Hashes of the resume tokens that are good now: the newest, and the used one while its answer may have been lost. */
  readonly tokens: readonly string[];
  /** The session's settings, position, messages that the client may lack, and the recording's checkpoint, encoded. */
  readonly bytes: Uint8Array;
}

/** A session that this server took over. */
export interface TakenSession extends SessionRecord {
  readonly id: string;
  /** This server's: from now on only its writes count. */
  readonly epoch: number;
}

/** Every call is bounded in time and rejects with an Error when the store is away; nothing is queued for later. */
export interface SessionStore {
  /** False while it cannot be reached: sessions then resume on their own server only. */
  readonly available: boolean;
  /**
   * Writes the newest record of a session, to last for `ttlMs`.
   * @returns 'taken' if another server has taken the session over: it must end here, silently
   */
  write(id: string, epoch: number, record: SessionRecord, ttlMs: number): Promise<'written' | 'taken'>;
  /**
   * Lets a record that has not changed last for another `ttlMs`.
   * @returns 'lost' if it is there no more (the store was restarted, say): it must be written whole again
   */
  touch(id: string, epoch: number, ttlMs: number): Promise<'written' | 'taken' | 'lost'>;
  /**
   * Takes over the session that this token resumes, wherever it is held.
   * @param tokenHash `hashOf` of the token
   * @returns null if there is none, or another key opened it
   */
  take(tokenHash: string, key: string): Promise<TakenSession | null>;
  /** Forgets a session that is over. */
  remove(id: string, epoch: number): Promise<void>;
}
