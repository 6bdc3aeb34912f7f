/** The server process: connects lifecycle machine, HTTP, WebSockets and recogniser. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { createActor } from 'xstate';
import { type StopOutcome, serverMachine } from '../../machines/server.js';
import { Keyring } from '../auth/keyring.js';
import type { SessionStore } from '../cluster/store.js';
import { CodecPool } from '../codec/pool.js';
import type { Config } from '../config.js';
import { type ErrorCode, ServerError, toServerError } from '../errors.js';
import { ROTATE_EVERY_MS } from '../histogram.js';
import { type Engine, startEngine } from '../inference/engine.js';
import { engineFingerprint } from '../inference/fingerprint.js';
import { InspectHub } from '../inspect/hub.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { loadModel } from '../models/store.js';
import { recordingDefaults } from '../session/defaults.js';
import type { Keeping } from '../session/keeper.js';
import { StreamLeases } from '../session/leases.js';
import { SessionMetrics } from '../session/meters.js';
import { ResumeDesk } from '../session/resume-desk.js';
import { pieceTable } from '../transcript/pieces.js';
import { createAdminServer, listenForAdmins } from './admin.js';
import { watchClaims } from './claims.js';
import { type Recogniser, type ServerContext, statusOf } from './context.js';
import { EventLoopMeter } from './event-loop.js';
import { createFleet } from './fleet.js';
import { SessionRegistry } from './registry.js';
import { reload } from './reload.js';
import { leaveAll, rescue } from './rescue.js';
import { createRoutes } from './routes.js';
import { acceptUpgrades, closeSockets, inspectOver } from './upgrade.js';
import { UploadPlaces } from './upload-places.js';
import { createWyomingServer, listenForWyoming } from './wyoming.js';

export interface RunningServer {
  readonly context: ServerContext;
  readonly app: FastifyInstance;
  readonly port: number;
  /** Null if Wyoming is off. */
  readonly wyomingPort: number | null;
  /**
   * Resolves when the model is warm; rejects with a ServerError if it cannot be loaded, or DRAINING if that came too
   * late.
   */
  readonly ready: Promise<Engine>;
  /** Resolves when the process has nothing left to do. */
  readonly stopped: Promise<{ outcome: StopOutcome; code: ErrorCode | null }>;
  /** Reloads certificates and keys; never fails. */
  reload(): Promise<void>;
  /** Finishes running recordings, then stops. */
  drain(): void;
}

/** Creates the engine; tests use a scripted one. */
export type EngineFactory = (config: Config, log: Logger) => Promise<Engine>;

const realEngine: EngineFactory = async (config, log) =>
  startEngine(await loadModel(config.model), config, log);

/**
 * Storage for sessions. A record lasts as long as its client may take to return, plus a margin after the server's last
 * renewal.
 */
function keepingOf(engine: Engine, config: Config, store: SessionStore | null): Keeping | null {
  if (store === null || config.resumeWindow === 0) return null;
  const fingerprint = engineFingerprint(engine.model, engine.provider);
  const ttlMs = config.resumeWindow * 1000 + LIMITS.recordMarginMs;
  return { store, fingerprint, bytesPerSecond: config.checkpointBytesPerSecond, ttlMs };
}

function assemble(engine: Engine, context: ServerContext, store: SessionStore | null): Recogniser {
  const { config } = context;
  const { manifest, tokens } = engine.model;
  const pieces = pieceTable(tokens, manifest);
  const defaults = recordingDefaults(config, manifest.language);
  // Last, since it starts threads, which would not be ended if something else threw after it.
  const { slab: streamSlab, slots } = engine.table;
  const codecPool = new CodecPool({ streamSlab, slots: slots.length, log: context.log });
  return {
    engine,
    codecPool,
    readyAtMs: performance.now(),
    files: { engine, codecPool, pieces, defaults, maxSeconds: config.maxUploadSeconds },
    uploads: new UploadPlaces(config.maxUploads),
    sessions: {
      engine,
      codecPool,
      pieces,
      defaults,
      leases: new StreamLeases(engine),
      resumeWindowMs: config.resumeWindow * 1000,
      desk: new ResumeDesk({
        maxSuspended: config.maxSuspended,
        maxSuspendedBytes: LIMITS.maxSuspendedBytes,
      }),
      keeping: keepingOf(engine, config, store),
      bounds: { idleMs: config.idleTimeout * 1000, noAudioMs: config.noAudioTimeout * 1000 },
      metrics: context.metrics,
      log: context.log,
      onClosed: (session) => {
        context.metrics.droppedPartials += session.droppedPartials;
        context.registry.remove(session);
      },
    },
  };
}

/**
 * Listens at once, so that health checks work, then loads the model and becomes ready.
 * @param store in which sessions outlive this server, if not its cluster's
 */
export async function startServer(
  config: Config,
  log: Logger,
  makeEngine = realEngine,
  store: SessionStore | null = null,
): Promise<RunningServer> {
  const keyring = await Keyring.open(config);
  const metrics = new SessionMetrics();
  const eventLoop = new EventLoopMeter();
  let tellStopped: (end: { outcome: StopOutcome; code: ErrorCode | null }) => void = () => {};
  const stopped = new Promise<{ outcome: StopOutcome; code: ErrorCode | null }>((resolve) => {
    tellStopped = resolve;
  });

  const lifecycle = createActor(serverMachine, {
    input: {
      drainTimeoutMs: config.drainTimeout * 1000,
      effects: {
        openGates: () => log.info('ready'),
        announceDrain: () => {
          log.info({ sessions: registry.size }, 'draining');
          const uploads = context.recogniser?.uploads;
          const done = () => lifecycle.send({ type: 'DRAINED' });
          registry.drain(
            () => (uploads === undefined ? done() : uploads.whenIdle(done)),
            1000 * Math.min(config.drainSpread, config.drainTimeout / 2),
          );
        },
        stop: (outcome, code) => {
          const rescued = outcome === 'failed' ? rescue(context) : Promise.resolve();
          void rescued.then(shutDown).then(() => tellStopped({ outcome, code }));
        },
        effectFailed: (effect, err) => log.error({ effect, err }, 'a server effect failed'),
      },
    },
  });
  lifecycle.subscribe({ error: (err) => log.error({ err }, 'server machine failed') });

  const registry = new SessionRegistry(log, rotateHistograms);
  // Kept, since a server that has stopped listening is still in its fleet until it leaves.
  let port = 0;
  const cluster = await createFleet(config, log, { context: () => context, port: () => port });
  const context: ServerContext = {
    config,
    log,
    keyring,
    lifecycle,
    registry,
    metrics,
    eventLoop,
    startedAtMs: performance.now(),
    cluster,
    recogniser: null,
    rescue: () => leaveAll(registry),
  };
  let rotatedMs = performance.now();
  function rotateHistograms(): void {
    if (performance.now() - rotatedMs < ROTATE_EVERY_MS) return;
    rotatedMs = performance.now();
    const stats = context.recogniser?.engine.stats;
    for (const histogram of [metrics.chunk, metrics.final, stats?.step, stats?.run, stats?.wait]) {
      histogram?.rotate();
    }
    eventLoop.rotate();
  }

  const app = await createRoutes(context);
  const inspector = new InspectHub({
    directory: registry,
    server: lifecycle,
    debugTranscripts: config.debugTranscripts,
  });
  const { sockets, serve } = acceptUpgrades(context, (socket) => inspectOver(socket, inspector));
  const adminServer = createAdminServer(app, config);
  const servers = adminServer === null ? [app.server] : [app.server, adminServer];
  for (const server of servers) serve(server);
  const { wyomingHost, wyomingPort: wanted } = config;
  const wyoming = wanted === 'off' ? null : createWyomingServer(context);
  lifecycle.start();
  eventLoop.start();

  async function shutDown(): Promise<void> {
    registry.closeAll();
    registry.stop();
    eventLoop.stop();
    wyoming?.close();
    closeSockets(sockets); // app.close() waits for all of them, including the inspector's
    const { recogniser } = context;
    const parts = [app, recogniser?.codecPool, recogniser?.engine, keyring, cluster];
    for (const part of parts) {
      try {
        await part?.close();
      } catch (err) {
        log.error({ err }, 'a part of the server could not be closed');
      }
    }
    log.info('stopped');
  }

  // Listens first: if the model fails at once, there must be a server to close.
  let wyomingPort: number | null = null;
  try {
    await app.listen({ host: config.host, port: config.port });
    ({ port } = app.server.address() as AddressInfo);
    if (adminServer !== null) await listenForAdmins(adminServer, config);
    if (wyoming !== null && wanted !== 'off') {
      wyomingPort = await listenForWyoming(wyoming, wyomingHost || config.host, wanted);
      log.info({ port: wyomingPort }, 'Wyoming is listening');
    }
  } catch (error) {
    lifecycle.stop();
    registry.stop();
    eventLoop.stop();
    await cluster?.close();
    await app.close();
    throw error;
  }

  watchClaims(context);
  if (cluster !== null) keyring.join(cluster.limits);
  cluster?.open();
  lifecycle.subscribe(() => cluster?.beat());

  /** Any error on the way ends the start, so that nothing hangs in `starting` and no lane remains. */
  async function start(): Promise<Engine> {
    const engine = await makeEngine(config, log);
    try {
      if (statusOf(context) !== 'starting') throw new ServerError('DRAINING'); // told to stop meanwhile
      context.recogniser = assemble(engine, context, store ?? cluster?.store ?? null);
    } catch (error) {
      await engine.close().catch((err: unknown) => log.error({ err }, 'the engine could not be closed'));
      throw error;
    }
    lifecycle.send({ type: 'MODEL_READY' });
    void engine.lost.then(() => lifecycle.send({ type: 'FAILED', code: 'ENGINE_FAILED' }));
    return engine;
  }
  const ready = start().catch((thrown: unknown) => {
    const error = toServerError(thrown);
    if (error.code !== 'DRAINING') lifecycle.send({ type: 'FAILED', code: error.code });
    throw error;
  });
  ready.catch(() => {}); // handling it is optional

  return {
    context,
    app,
    port,
    wyomingPort,
    ready,
    stopped,
    reload: () => reload(context, servers),
    drain: () => lifecycle.send({ type: 'DRAIN' }),
  };
}
