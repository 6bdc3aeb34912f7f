/**
 * A server of the simulated fleet: the server's own upgrade, admission, registry and sessions on a scripted engine, with
 * Node's HTTP and `ws` over the simulated network. Of the real one it lacks listening, the routes and the ONNX lanes.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createActor } from 'xstate';
import { serverMachine } from '../../../machines/server.js';
import { Keyring } from '../../../src/auth/keyring.js';
import { CodecPool } from '../../../src/codec/pool.js';
import { toServerError } from '../../../src/errors.js';
import { LIMITS } from '../../../src/limits.js';
import type { Logger } from '../../../src/log.js';
import { admit, urlOf } from '../../../src/server/admission.js';
import type { ServerContext } from '../../../src/server/context.js';
import { EventLoopMeter } from '../../../src/server/event-loop.js';
import { SessionRegistry } from '../../../src/server/registry.js';
import { leaveAll } from '../../../src/server/rescue.js';
import { acceptUpgrades, closeSockets, type Upgrades } from '../../../src/server/upgrade.js';
import { UploadPlaces } from '../../../src/server/upload-places.js';
import { StreamLeases } from '../../../src/session/leases.js';
import { SessionMetrics } from '../../../src/session/meters.js';
import { ResumeDesk } from '../../../src/session/resume-desk.js';
import { type SentLog, toldAt } from '../../../src/session/sent-log.js';
import type { Told } from '../../../src/session/told.js';
import { FakeEngine } from '../fake-engine.js';
import { FINGERPRINT } from '../fake-fleet.js';
import { pieces } from '../fake-model.js';
import { DEFAULTS } from '../fake-session.js';
import { testConfig } from '../scripted-server.js';
import type { Connection } from './network.js';
import type { StoreHandle } from './store.js';
import { Process, type World } from './world.js';

export const WINDOW_MS = 30_000;
const SLOTS = 8;
const DRAIN_MS = 10_000;
const DRAIN_SPREAD_MS = 1_000;

/** Decodes nothing here, and starts no thread before it has something to decode. */
const codecPool = new CodecPool();

/** What no part of the server needs to know of a session. */
interface Inside {
  readonly outbox: { readonly log: SentLog | null };
  readonly handover: { readonly keeper: { readonly epoch: number } | null };
}

export interface Pace {
  /** What a step of the recogniser takes at most, milliseconds. */
  readonly stepMs: number;
  /** For the records of a session, on average. */
  readonly recordBytesPerSecond: number;
}

export class SimNode {
  readonly process: Process;
  readonly engine: FakeEngine;
  readonly context: ServerContext;
  readonly store: StoreHandle;
  readonly connections = new Set<Connection>();
  readonly desk = new ResumeDesk({ maxSuspended: SLOTS, maxSuspendedBytes: LIMITS.maxSuspendedBytes });
  private readonly world: World;
  private readonly http: Server = createServer();
  private readonly upgrades: Upgrades;

  /** To be made in an event of its own process. */
  constructor(world: World, process: Process, store: StoreHandle, pace: Pace) {
    this.store = store;
    this.world = world;
    this.process = process;
    this.engine = engineOf(world, pace.stepMs);
    this.context = this.contextOf(store, pace.recordBytesPerSecond);
    this.upgrades = acceptUpgrades(this.context, () => {});
    this.upgrades.serve(this.http);
    this.context.lifecycle.start();
    this.context.lifecycle.send({ type: 'MODEL_READY' });
  }

  /** Whether a load balancer sends clients here. */
  get isReady(): boolean {
    return this.process.isAlive && this.context.lifecycle.getSnapshot().value === 'ready';
  }

  get isStopped(): boolean {
    return this.process.stoppedUntilMs > this.world.nowMs;
  }

  get sockets(): number {
    return this.upgrades.sockets.clients.size;
  }

  /** What the client of a session here has been told with its first messages; null: unknown. */
  toldAt(id: string, last: number): Told | null {
    const log = this.insideOf(id)?.outbox.log;
    return log ? toldAt(log.save(), last) : null;
  }

  /** The sessions here, each with the epoch of its ownership. */
  get epochs(): [id: string, epoch: number][] {
    const ids = [...this.context.registry.list()].map(({ id }) => id);
    return ids.map((id) => [id, this.insideOf(id)?.handover.keeper?.epoch ?? 0]);
  }

  private insideOf(id: string): Inside | undefined {
    return this.context.registry.get(id) as unknown as Inside | undefined;
  }

  /** A client's connection has come. */
  accept(connection: Connection): void {
    this.connections.add(connection);
    connection.server.once('close', () => this.connections.delete(connection));
    this.http.emit('connection', connection.server);
  }

  /** The HTTP answer to somebody who asks why an upgrade failed. */
  explain(address: string): { status: number; body: object } {
    const { pathname, search } = new URL(address);
    const request = { url: `${pathname}${search}`, headers: {}, socket: {} } as IncomingMessage;
    try {
      admit(this.context, request, urlOf(request), true);
      return { status: 426, body: { code: 'UPGRADE_REQUIRED' } };
    } catch (thrown) {
      const { code, entry } = toServerError(thrown);
      return { status: entry.httpStatus, body: { code, error: entry.text, retryable: entry.retryable } };
    }
  }

  /** SIGTERM. */
  drain(): void {
    this.context.lifecycle.send({ type: 'DRAIN' });
  }

  /** SIGKILL; or the whole machine, and then nobody hears of it. */
  kill(isMachine: boolean): void {
    this.process.isAlive = false;
    for (const connection of this.connections) {
      if (isMachine) connection.silence('both');
      else connection.drop(connection.server);
    }
  }

  private contextOf(store: StoreHandle, bytesPerSecond: number): ServerContext {
    const config = testConfig({ admission: 'slots' });
    const log = logOf(this.world);
    const registry = new SessionRegistry(log, () => {});
    const stop = () => {
      registry.closeAll();
      registry.stop();
      closeSockets(this.upgrades.sockets);
    };
    const effects = {
      openGates: () => {},
      announceDrain: () => registry.drain(() => lifecycle.send({ type: 'DRAINED' }), DRAIN_SPREAD_MS),
      stop,
      effectFailed: (effect: string, error: unknown) => this.world.fail(`${effect}: ${error}`),
    };
    const lifecycle = createActor(serverMachine, { input: { drainTimeoutMs: DRAIN_MS, effects } });
    const metrics = new SessionMetrics();
    const { engine } = this;
    const keeping = {
      store,
      fingerprint: FINGERPRINT,
      bytesPerSecond,
      ttlMs: WINDOW_MS + LIMITS.recordMarginMs,
    };
    return {
      ...{ config, log, registry, lifecycle, metrics, startedAtMs: performance.now() },
      keyring: new Keyring(config),
      cluster: null,
      rescue: () => leaveAll(registry),
      eventLoop: new EventLoopMeter(),
      recogniser: {
        ...{ engine, codecPool, readyAtMs: performance.now() },
        files: { engine, codecPool, pieces, defaults: DEFAULTS, maxSeconds: 1 },
        uploads: new UploadPlaces(1),
        sessions: {
          ...{ engine, codecPool, pieces, metrics, log, keeping, defaults: DEFAULTS },
          leases: new StreamLeases(engine),
          resumeWindowMs: WINDOW_MS,
          desk: this.desk,
          bounds: { idleMs: 120_000, noAudioMs: 600_000 },
          onClosed: (session) => registry.remove(session),
        },
      },
    };
  }
}

/** The batcher's clock is the world's, and a step takes a while. */
function engineOf(world: World, stepMs: number): FakeEngine {
  const engine = new FakeEngine({
    slots: SLOTS,
    now: () => performance.now(),
    defer: (pump) => void setImmediate(pump),
    delay: (look, ms) => void setTimeout(look, ms),
  });
  for (const lane of engine.lanes) {
    const step = lane.step.bind(lane);
    lane.step = (count) => {
      const answer = step(count);
      lane.batches.length = 0; // nobody looks at them here, and they are many
      setTimeout(() => lane.finish(), world.between(1, stepMs));
      return answer;
    };
  }
  return engine;
}

/** The server's log becomes part of the trace; what it logs as an error is one. */
function logOf(world: World): Logger {
  const says = (fields: unknown, text: string) => {
    const { code, detail, effect, err } = fields as Record<string, unknown>;
    const more = [code, detail, effect, err].filter((field) => field != null).join(', ');
    return `${text}${more && ` (${more})`}`;
  };
  const log = {
    child: () => log,
    info: (fields: unknown, text?: string) =>
      world.log(typeof fields === 'string' ? fields : says(fields, text ?? '')),
    error: (fields: unknown, text: string) => world.fail(says(fields, text)),
    debug: (fields: unknown, text: string) => world.log(says(fields, text)),
    warn: (fields: unknown, text: string) => world.log(says(fields, text)),
  };
  return log as unknown as Logger;
}

/** A process of its own for each life of a server. */
export const processOf = (name: string, life: number): Process => new Process(`${name}.${life}`);
