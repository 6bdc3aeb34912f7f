import type { InspectableSession, SessionDirectory } from '../../src/inspect/hub.js';
import { type HarnessOptions, SessionHarness } from '../machines/session-harness.js';

/** Sessions that live in a map, and tell when they come and go. */
export class FakeDirectory implements SessionDirectory {
  readonly sessions = new Map<string, InspectableSession & { harness: SessionHarness; segments: number }>();
  readonly #opened = new Set<(session: InspectableSession) => void>();
  readonly #closed = new Set<(session: InspectableSession) => void>();
  listeners = () => this.#opened.size + this.#closed.size;
  list = () => this.sessions.values();

  onOpened(callback: (session: InspectableSession) => void): () => void {
    this.#opened.add(callback);
    return () => this.#opened.delete(callback);
  }

  onClosed(callback: (session: InspectableSession) => void): () => void {
    this.#closed.add(callback);
    return () => this.#closed.delete(callback);
  }

  open(id: string, options: HarnessOptions & { clientId?: string; openedAt?: number } = {}): SessionHarness {
    const harness = new SessionHarness({
      ...options,
      onEffect: (name, actor) => {
        options.onEffect?.(name, actor);
        if (name === 'close') this.#close(id);
      },
    });
    const session = {
      id,
      clientId: options.clientId ?? `client of ${id}`,
      remote: '127.0.0.1',
      openedAt: options.openedAt ?? 0,
      actor: harness.actor,
      harness,
      segments: 0,
      summary: () => ({ audioSeconds: 1.5, segments: session.segments, lagMs: 20, droppedPartials: 0 }),
    };
    this.sessions.set(id, session);
    for (const callback of this.#opened) callback(session);
    return harness;
  }

  #close(id: string): void {
    const session = this.sessions.get(id);
    if (session === undefined) return;
    this.sessions.delete(id);
    for (const callback of this.#closed) callback(session);
  }
}
