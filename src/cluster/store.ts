/**
 * Storage in which the sessions of a fleet outlive their server. Any other server of the fleet can continue a session
 * from what was written here. One server at a time owns a session. Each take-over increments its epoch, and writes of
 * an earlier epoch are refused. A server that was presumed dead therefore cannot overwrite its successor's data when it
 * wakes.
 */

/** Stored data of one session. */
export interface SessionRecord {
  /** Identity of the access key that opened it; another key cannot take it over. */
  readonly key: string;
  readonly clientId: string;
  /**
   * Hashes of the valid resume tokens: the newest, and the previous one while the answer that replaced it may have been
   * lost.
   */
  readonly tokens: readonly string[];
  /** The session's settings, position, unacknowledged messages and the recording's checkpoint, encoded. */
  readonly bytes: Uint8Array;
}

/** A session that this server took over. */
export interface TakenSession extends SessionRecord {
  readonly id: string;
  /** This server's epoch: from now on only its writes are accepted. */
  readonly epoch: number;
}

/** Every call has a time limit and rejects with an Error when the store is unavailable; nothing is queued. */
export interface SessionStore {
  /** False while the store cannot be reached. Sessions can then resume only on their own server. */
  readonly available: boolean;
  /**
   * Writes the newest record of a session, valid for `ttlMs`.
   * @returns 'taken' if another server has taken over the session: it must end here without a message
   */
  write(id: string, epoch: number, record: SessionRecord, ttlMs: number): Promise<'written' | 'taken'>;
  /**
   * Extends an unchanged record by `ttlMs`.
   * @returns 'lost' if the record no longer exists (for example after a restart of the store): it must be written again
   * in full
   */
  touch(id: string, epoch: number, ttlMs: number): Promise<'written' | 'taken' | 'lost'>;
  /**
   * Takes over the session that this token resumes, wherever it is held.
   * @param tokenHash `hashOf` of the token
   * @returns null if there is none, or another key opened it
   */
  take(tokenHash: string, key: string): Promise<TakenSession | null>;
  /** Deletes a session that has ended. */
  remove(id: string, epoch: number): Promise<void>;
}
