/** A real server with the real model on a free port, for end-to-end tests. */

import type { Socket } from 'node:net';
import { loadConfig, type OptionName } from '../../src/config.js';
import { createLogger } from '../../src/log.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import type { MemoryStore } from './memory-store.js';

export interface LiveServer {
  readonly server: RunningServer;
  /** As if killed and restarted: its sockets are closed, and its sessions are silent. */
  kill(): void;
  readonly http: string;
  readonly ws: string;
  stop(): Promise<void>;
}

/** Small and quiet: one lane, short batches, admission by slots, so that a busy machine makes no difference. */
const FOR_TESTS = {
  host: '127.0.0.1',
  port: 0,
  provider: 'cpu',
  lanes: 1,
  maxBatch: 16,
  maxStreams: 48,
  admission: 'slots',
  drainTimeout: 5,
  logLevel: process.env.TEST_LOG_LEVEL ?? 'silent',
} satisfies Partial<Record<OptionName, unknown>>;

export async function startLiveServer(
  options: Partial<Record<OptionName, unknown>> = {},
  store: MemoryStore | null = null,
): Promise<LiveServer> {
  const config = loadConfig({ ...FOR_TESTS, ...options }, {});
  const server = await startServer(config, createLogger(config), undefined, store);
  await server.ready;
  const sockets = new Set<Socket>();
  server.app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const at = `127.0.0.1:${server.port}`;
  return {
    server,
    http: `http://${at}`,
    ws: `ws://${at}/ws/transcribe`,
    kill() {
      store?.restart();
      for (const socket of sockets) socket.destroy();
      for (const session of [...server.context.registry.list()]) session.handover.fence();
    },
    async stop() {
      server.drain();
      await server.stopped;
    },
  };
}
