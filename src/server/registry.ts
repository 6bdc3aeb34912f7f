/** All sessions of the server: their ids, one coarse sweep for their timers, and data for the inspector. */
import { isAttached, type SessionActivity } from '../../machines/session.js';
import type { ErrorCode } from '../errors.js';
import type { Logger } from '../log.js';
import type { Session } from '../session/session.js';

const SWEEP_MS = 1_000;

export class SessionRegistry {
  private readonly sessions = new Map<string, Session>();
  private readonly byClientId = new Map<string, Session>();
  private readonly opened = new Set<(session: Session) => void>();
  private readonly closed = new Set<(session: Session) => void>();
  private readonly timer: NodeJS.Timeout;
  private readonly log: Logger;
  private whenEmpty: (() => void) | null = null;

  constructor(log: Logger, alsoSweep: () => void) {
    this.log = log;
    this.timer = setInterval(() => {
      const nowMs = performance.now();
      this.each('sweep', (session) => session.sweep(nowMs));
      this.guarded('what follows the sweep', alsoSweep);
    }, SWEEP_MS);
    this.timer.unref();
  }

  get size(): number {
    return this.sessions.size;
  }

  /** The session that holds this client_id. */
  holder(clientId: string): Session | undefined {
    return this.byClientId.get(clientId);
  }

  get(id: string): Session | undefined {
    return this.sessions.get(id);
  }

  list(): Iterable<Session> {
    return this.sessions.values();
  }

  add(session: Session): void {
    if (session.activity === 'closed') return; // it failed while opening, and has already reported that
    this.sessions.set(session.id, session);
    this.byClientId.set(session.clientId, session);
    for (const tell of this.opened) this.guarded('a watcher of openings', () => tell(session));
  }

  remove(session: Pick<Session, 'id'>): void {
    const known = this.sessions.get(session.id);
    if (known === undefined) return;
    // The same session may have returned from another server before its remains here had ended.
    if (known !== session) return;
    this.sessions.delete(known.id);
    if (this.byClientId.get(known.clientId) === known) this.byClientId.delete(known.clientId);
    for (const tell of this.closed) this.guarded('a watcher of closings', () => tell(known));
    if (this.sessions.size === 0) this.whenEmpty?.();
  }

  onOpened(tell: (session: Session) => void): () => void {
    this.opened.add(tell);
    return () => this.opened.delete(tell);
  }

  onClosed(tell: (session: Session) => void): () => void {
    this.closed.add(tell);
    return () => this.closed.delete(tell);
  }

  /**
   * Tells every session to finish, or to move to another server. `done` is called when the last has ended (at once if
   * there is none).
   * @param spreadMs time over which sessions that move are spread, since they all go to the same few servers
   */
  drain(done: () => void, spreadMs = 0): void {
    this.whenEmpty = done;
    if (this.sessions.size === 0) done();
    const movable = [...this.sessions.values()].filter(({ handover }) => handover.movable);
    const gapMs = spreadMs / Math.max(1, movable.length);
    const turns = new Map(movable.map((session, i) => [session, i * gapMs]));
    this.each('drain', (session) => {
      const waitMs = turns.get(session) ?? 0;
      if (waitMs === 0) session.handover.drain();
      else setTimeout(() => this.one('drain', session, () => session.handover.drain()), waitMs).unref();
    });
  }

  /** The server ends: those that are kept go on elsewhere, since closing one forgets its record; the rest are over. */
  closeAll(): void {
    this.each('close', (session) => {
      if (!session.handover.leaveIfKept()) session.actor.send({ type: 'CLOSE', code: 'DRAINING' });
    });
  }

  /**
   * Ends the matching sessions.
   * @returns how many
   */
  closeWhere(matches: (session: Session) => boolean, code: ErrorCode): number {
    let closed = 0;
    this.each('close', (session) => {
      if (!matches(session)) return;
      closed++;
      session.actor.send({ type: 'CLOSE', code });
    });
    return closed;
  }

  /** Applies `act` to every session. If it throws for one, that session ends, and the others are still processed. */
  private each(what: string, act: (session: Session) => void): void {
    for (const session of [...this.sessions.values()]) this.one(what, session, () => act(session));
  }

  private one(what: string, session: Session, act: () => void): void {
    if (this.guarded(what, act, session.id)) return;
    this.guarded('fault', () => session.actor.send({ type: 'FAULT', code: 'INTERNAL' }), session.id);
  }

  /** Callers could not handle an exception here; one from a timer would end the process. */
  private guarded(what: string, act: () => void, session?: string): boolean {
    try {
      act();
      return true;
    } catch (err) {
      this.log.error({ err, what, session }, 'a session or its watcher failed');
      return false;
    }
  }

  counts(): Record<SessionActivity, number> {
    const counts = { idle: 0, recording: 0, flushing: 0, closed: 0 };
    for (const session of this.sessions.values()) counts[session.activity]++;
    return counts;
  }

  transports(): { attached: number; detached: number } {
    let attached = 0;
    for (const session of this.sessions.values()) if (isAttached(session.actor.getSnapshot())) attached++;
    return { attached, detached: this.sessions.size - attached };
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
