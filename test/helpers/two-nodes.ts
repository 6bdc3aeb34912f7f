/** Servers of one fleet in one process, on scripted engines, with a store in memory. */
import type { OptionName } from '../../src/config.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.js';
import { silentLog } from './fake-session.js';
import { MemoryFleet, type MemoryStore } from './memory-store.js';
import { testConfig } from './scripted-server.js';

export interface Node {
  readonly server: RunningServer;
  readonly engine: FakeEngine;
  readonly store: MemoryStore;
  /** With `?resumable=1`. */
  readonly ws: string;
  /** As by SIGKILL: its sockets are closed, and it never writes again. */
  kill(): void;
  stop(): Promise<void>;
}

export interface Fleet {
  readonly fleet: MemoryFleet;
  readonly a: Node;
  readonly b: Node;
  another(options?: Partial<Record<OptionName, unknown>>, engineOptions?: FakeEngineOptions): Promise<Node>;
  stop(): Promise<void>;
}

async function startNode(
  fleet: MemoryFleet,
  options: Partial<Record<OptionName, unknown>> = {},
  engineOptions: FakeEngineOptions = {},
): Promise<Node> {
  const engine = new FakeEngine({ auto: true, slots: 4, ...engineOptions });
  const store = fleet.node();
  const config = testConfig({ admission: 'slots', drainSpread: 0, ...options });
  const server = await startServer(config, silentLog, async () => engine, store);
  await server.ready;
  const sockets = new Set<{ destroy(): void }>();
  server.app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return {
    server,
    engine,
    store,
    ws: `ws://127.0.0.1:${server.port}/ws/transcribe?resumable=1`,
    kill() {
      store.dead = true;
      for (const socket of sockets) socket.destroy();
    },
    async stop() {
      store.dead = true; // no session is to be handed over any more
      store.away = true;
      server.drain();
      await server.stopped;
    },
  };
}

/** A new fleet of two servers. */
export async function startFleet(
  options: Partial<Record<OptionName, unknown>> = {},
  engineOptions: FakeEngineOptions = {},
): Promise<Fleet> {
  const fleet = new MemoryFleet();
  const a = await startNode(fleet, options, engineOptions);
  const b = await startNode(fleet, options, engineOptions);
  return {
    fleet,
    a,
    b,
    another: (more = options, moreOfEngine = engineOptions) => startNode(fleet, more, moreOfEngine),
    async stop() {
      await Promise.all([a.stop(), b.stop()]);
    },
  };
}
