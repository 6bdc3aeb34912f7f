/** The mock server of `rnnt-server mock` on a free port of the loopback. */
import { mockOf } from '../../src/commands/mock.js';
import type { OptionName } from '../../src/config.js';
import { parseScript } from '../../src/mock/script.js';
import { type RunningServer, startServer } from '../../src/server/server.js';
import { silentLog } from './fake-session.js';
import { testConfig } from './scripted-server.js';

export interface RunningMock {
  readonly server: RunningServer;
  readonly http: string;
  readonly ws: string;
  stop(): Promise<void>;
}

export async function startMockServer(
  script: object,
  options: Partial<Record<OptionName, unknown>> = {},
): Promise<RunningMock> {
  const mock = mockOf(parseScript({ stepMs: 0, ...script }));
  const server = await startServer(testConfig(options), silentLog, mock.makeEngine);
  mock.onStarted(server);
  await server.ready;
  return {
    server,
    http: `http://127.0.0.1:${server.port}`,
    ws: `ws://127.0.0.1:${server.port}/ws/transcribe`,
    async stop() {
      server.drain();
      await server.stopped;
    },
  };
}
