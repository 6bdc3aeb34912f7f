/** `rnnt-server mock`: the server with scripted results instead of a model. */
import type { Duplex } from 'node:stream';
import { mockEngine } from '../mock/engine.js';
import { DEFAULT_SCRIPT, parseScript, readScript, type Script } from '../mock/script.js';
import type { EngineFactory, RunningServer } from '../server/server.js';
import type { Session } from '../session/session.js';

export interface MockServer {
  readonly makeEngine: EngineFactory;
  /** Called once the server listens. */
  onStarted(server: RunningServer): void;
}

/** Breaks each session's connection once, after a given amount of audio. */
class Cutter {
  private readonly sockets = new Map<Session, Duplex>();

  constructor(private readonly afterSeconds: number) {}

  watch({ app, context }: RunningServer): void {
    if (!Number.isFinite(this.afterSeconds)) return;
    let upgrading: Duplex | null = null;
    // The session opens while its connection is being upgraded.
    app.server.prependListener('upgrade', (_request, socket) => {
      upgrading = socket;
    });
    context.registry.onOpened((session) => {
      if (upgrading !== null) this.sockets.set(session, upgrading);
    });
    context.registry.onClosed((session) => this.sockets.delete(session));
  }

  cut(): void {
    for (const [session, socket] of this.sockets) {
      if (session.summary().audioSeconds < this.afterSeconds) continue;
      this.sockets.delete(session);
      socket.destroy();
    }
  }
}

export function mockOf(script: Script): MockServer {
  const cutter = new Cutter(script.faults.cutAfter);
  return {
    makeEngine: async (config) => mockEngine(script, config, { onStep: () => cutter.cut() }),
    onStarted: (server) => cutter.watch(server),
  };
}

/**
 * @param path of the script; the default script if left out
 * @throws ServerError CONFIG_INVALID
 */
export const mockServer = (path: string | undefined): MockServer =>
  mockOf(path === undefined ? parseScript(DEFAULT_SCRIPT) : readScript(path));
