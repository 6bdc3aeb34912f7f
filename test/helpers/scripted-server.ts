/** A real server on a free port of the loopback, with the fake engine in the model's place. */
import { loadConfig, type OptionName } from '../../src/config.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.js';
import { silentLog } from './fake-session.js';

export interface ScriptedServer {
  readonly server: RunningServer;
  readonly engine: FakeEngine;
  readonly http: string;
  readonly ws: string;
  stop(): Promise<void>;
}

export const testConfig = (options: Partial<Record<OptionName, unknown>> = {}) =>
  loadConfig({ host: '127.0.0.1', port: 0, drainTimeout: 2, logLevel: 'silent', ...options }, {});

export async function startScriptedServer(
  options: Partial<Record<OptionName, unknown>> = {},
  engineOptions: FakeEngineOptions = {},
): Promise<ScriptedServer> {
  const engine = new FakeEngine({ auto: true, slots: 4, ...engineOptions });
  const server = await startServer(testConfig(options), silentLog, async () => engine);
  await server.ready;
  return {
    server,
    engine,
    http: `http://127.0.0.1:${server.port}`,
    ws: `ws://127.0.0.1:${server.port}/ws/transcribe`,
    async stop() {
      server.drain();
      await server.stopped;
    },
  };
}
