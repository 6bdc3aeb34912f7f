/** `rnnt-server start`: runs the server until it is told to stop. */
import type { Config } from './config.js';
import { endAtOnce } from './end.js';
import { toServerError } from './errors.js';
import { createLogger, type Logger } from './log.js';
import { canReload } from './server/reload.js';
import { type EngineFactory, type RunningServer, startServer } from './server/server.js';

/** An engine that replaces the model's, and a callback once the server listens. */
export interface StandIn {
  readonly makeEngine: EngineFactory;
  onStarted(server: RunningServer): void;
}

function announce(server: RunningServer, config: Config): void {
  const host = ['0.0.0.0', '::'].includes(config.host) ? 'localhost' : config.host;
  const at = `${host}:${server.port}`;
  const s = config.tlsCert === '' ? '' : 's';
  const engine = server.context.recogniser?.engine;
  const model = engine?.model.manifest;
  process.stdout.write(
    [
      '',
      `  rnnt-server is ready: ${model?.name} ${model?.version}, ${engine?.lanes.length} ${engine?.provider} lane(s), rated for ${engine?.capacity.streams} streams`,
      '',
      `  page       http${s}://${at}/static/index.html`,
      `  WebSocket  ws${s}://${at}/ws/transcribe`,
      `  status     http${s}://${at}/ws/status`,
      `  documents  http${s}://${at}/docs/`,
      '',
      '',
    ].join('\n'),
  );
}

/**
 * The recogniser failed in a process that had served; a restart is likely to help (EX_TEMPFAIL of sysexits.h).
 * docs/DEPLOYMENT.md lists the codes.
 */
export const EXIT_RESTART = 75;

/** Starts, serves, drains on SIGINT or SIGTERM. Returns the process's exit code. */
export async function runServer(config: Config, standIn?: StandIn): Promise<number> {
  const log = createLogger(config);
  let server: RunningServer;
  try {
    server = await startServer(config, log, standIn?.makeEngine);
    standIn?.onStarted(server);
  } catch (thrown) {
    const cause = thrown as NodeJS.ErrnoException;
    const words =
      cause.code === 'EADDRINUSE'
        ? `${cause.message}: the port is in use; choose another with --port or --admin-port.`
        : toServerError(thrown).message;
    process.stderr.write(`rnnt-server: ${words}\n`);
    return 1;
  }
  const drain = () => server.drain();
  process.on('SIGINT', drain);
  process.on('SIGTERM', drain);
  const reload = () => void server.reload();
  // If there is nothing to reload, SIGHUP keeps its usual meaning: a closing terminal ends the server.
  if (canReload(server.context)) process.on('SIGHUP', reload);
  try {
    await server.ready;
    announce(server, config);
  } catch (thrown) {
    const error = toServerError(thrown);
    // DRAINING: a signal came while the model was loading, which is not a failure.
    if (error.code !== 'DRAINING') process.stderr.write(`rnnt-server: ${error.code}: ${error.message}\n`);
  }
  const code = await exitCodeOf(server, log);
  process.off('SIGINT', drain);
  process.off('SIGTERM', drain);
  process.off('SIGHUP', reload);
  return code;
}

/** Resolves with the exit code when the server has stopped. If a thread hangs, the process ends here, by a signal. */
export async function exitCodeOf({ stopped, context }: RunningServer, log: Logger): Promise<number> {
  const { outcome } = await stopped;
  const engine = context.recogniser?.engine;
  if (engine?.lanes.some(({ hungThreads }) => hungThreads > 0)) await endAtOnce(log);
  if (outcome !== 'failed') return 0;
  return engine === undefined ? 1 : EXIT_RESTART;
}
