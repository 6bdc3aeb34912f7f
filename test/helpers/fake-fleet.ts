/** Servers of a fleet without a network: each is a session context on a scripted engine, with a store in memory. */
import { native } from '../../src/protocol/dialects/native.js';
import type { SessionContext } from '../../src/session/context.js';
import { hashOf } from '../../src/session/resume-desk.js';
import { Session } from '../../src/session/session.js';
import { type Claim, takeOver } from '../../src/session/takeover.js';
import { type FakeSession, type FakeSessionOptions, openFakeSession } from './fake-session.js';
import { FakeTransport } from './fake-transport.js';
import { MemoryFleet, type MemoryStore } from './memory-store.js';

const KEY = '';
export const FINGERPRINT = new Uint8Array(32).fill(3);

export interface FakeNode extends FakeSession {
  readonly store: MemoryStore;
}

export class FakeFleet {
  readonly store = new MemoryFleet();
  /** Of all servers, milliseconds. */
  nowMs = 0;

  /** A server, and the first session on it, which is resumable. */
  node(options: FakeSessionOptions = {}, fingerprint = FINGERPRINT): FakeNode {
    const store = this.store.node();
    const keeping = { store, fingerprint, bytesPerSecond: 65_536, ttlMs: 60_000, now: () => this.nowMs };
    return { ...openFakeSession({ query: '?resumable=1', keeping, ...options }), store };
  }

  /**
   * Takes over the session as a server does.
   * @throws ServerError RESUME_EXPIRED
   */
  async take(
    { context }: FakeNode,
    token: string,
    claim: Claim,
  ): Promise<{ session: Session; transport: FakeTransport } | null> {
    const { keeping, engine } = context;
    const taken = (await keeping?.store.take(hashOf(token), KEY)) ?? null;
    if (taken === null || keeping === null) return null;
    const takeover = { ...takeOver(taken, claim, engine, keeping.fingerprint), token };
    const peer = { clientId: taken.clientId, remote: '', key: KEY, takeover };
    const session = new Session(context, null, dialectFor(context), peer);
    await session.handover.keep();
    const transport = new FakeTransport();
    if (!session.resume({ transport, remote: '', token, seen: claim.seen })) throw new Error('not resumed');
    return { session, transport };
  }
}

function dialectFor({ engine, defaults }: SessionContext) {
  const url = new URL('ws://localhost/ws/transcribe?resumable=1');
  return native.create({ url, headers: {} }, { manifest: engine.model.manifest, defaults, resumes: true });
}

/** Lets the next turns of the event loop run; records are written in them. */
export async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
