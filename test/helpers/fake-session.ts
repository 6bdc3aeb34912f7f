/** A session on a fake engine and a fake socket. */
import { CodecPool } from '../../src/codec/pool.js';
import { createLogger } from '../../src/log.js';
import type { DialectDefinition } from '../../src/protocol/dialect.js';
import { native } from '../../src/protocol/dialects/native.js';
import type { RecordingConfig } from '../../src/protocol/types.js';
import type { SessionContext } from '../../src/session/context.js';
import type { Keeping } from '../../src/session/keeper.js';
import { StreamLeases } from '../../src/session/leases.js';
import { SessionMetrics } from '../../src/session/meters.js';
import { type DeskBounds, ResumeDesk } from '../../src/session/resume-desk.js';
import { Session } from '../../src/session/session.js';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.js';
import { bytesOf, pieces, spoken } from './fake-model.js';
import { FakeTransport } from './fake-transport.js';
import { recordingConfig } from './recording-config.js';

export const silentLog = createLogger({ logLevel: 'silent', devMode: false });

export const DEFAULTS = recordingConfig();

export interface FakeSessionOptions extends FakeEngineOptions {
  defaults?: Partial<RecordingConfig>;
  resumeWindowMs?: number;
  desk?: Partial<DeskBounds>;
  /** Rates other than 16 kHz can be taken; the pool is the test's to close. */
  codec?: boolean;
  keeping?: Keeping;
  /** Of the connection: the native dialect at `/ws/transcribe` if left out. */
  dialect?: DialectDefinition;
  query?: string;
}

export interface FakeSession {
  readonly engine: FakeEngine;
  readonly session: Session;
  readonly socket: FakeTransport;
  readonly metrics: SessionMetrics;
  /** Sessions that said they are closed. */
  readonly closed: Session[];
  readonly context: SessionContext;
  /** A control message, as a text frame. */
  say(message: object): void;
  /** Sound with tokens in it, [sample, token], as one frame. */
  speak(samples: number, tokens?: readonly (readonly [number, string])[]): void;
}

export const BOUNDS = { idleMs: 120_000, noAudioMs: 600_000 };

/** Decodes files only, and starts no thread before it has one. */
const noStreams = new CodecPool();

export function openFakeSession(options: FakeSessionOptions = {}): FakeSession {
  const engine = new FakeEngine(options);
  const metrics = new SessionMetrics();
  const closed: Session[] = [];
  const { resumeWindowMs = 30_000 } = options;
  const context: SessionContext = {
    engine,
    codecPool: options.codec
      ? new CodecPool({ streamSlab: engine.table.slab, slots: engine.table.slots.length })
      : noStreams,
    pieces,
    defaults: { ...DEFAULTS, ...options.defaults },
    leases: new StreamLeases(engine),
    resumeWindowMs,
    keeping: options.keeping ?? null,
    desk: new ResumeDesk({ maxSuspended: 8, maxSuspendedBytes: 1 << 20, ...options.desk }),
    bounds: BOUNDS,
    metrics,
    log: silentLog,
    onClosed: (session) => void closed.push(session as Session),
  };
  const { socket, session } = joinSession(context, options);
  return {
    engine,
    session,
    socket,
    metrics,
    closed,
    context,
    say: (message) => session.onFrame(JSON.stringify(message)),
    speak: (samples, tokens) => session.onFrame(bytesOf(spoken(samples, tokens))),
  };
}

/** One more client of the same server. */
export function joinSession(
  context: SessionContext,
  { dialect = native, query = '' }: Pick<FakeSessionOptions, 'dialect' | 'query'> = {},
): Pick<FakeSession, 'session' | 'socket'> {
  const socket = new FakeTransport();
  const url = new URL(`ws://localhost${dialect.paths[0]}${query}`);
  const { manifest } = context.engine.model;
  const host = { manifest, defaults: context.defaults, resumes: context.resumeWindowMs > 0 };
  const spoken = dialect.create({ url, headers: {} }, host);
  const session = new Session(context, socket, spoken, {
    clientId: 'someone',
    remote: '127.0.0.1',
    key: '',
  });
  return { session, socket };
}
