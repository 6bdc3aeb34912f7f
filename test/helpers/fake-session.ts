/** A session on a fake engine and a fake socket. */
import { CodecPool } from '../../src/codec/pool.js';
import { createLogger } from '../../src/log.js';
import type { RecordingConfig } from '../../src/protocol/types.js';
import { SessionMetrics } from '../../src/session/meters.js';
import { Session, type SessionContext } from '../../src/session/session.js';
import { FakeEngine, type FakeEngineOptions } from './fake-engine.js';
import { bytesOf, pieces, spoken } from './fake-model.js';
import { FakeTransport } from './fake-transport.js';
import { recordingConfig } from './recording-config.js';

export const silentLog = createLogger({ logLevel: 'silent', devMode: false });

export const DEFAULTS = recordingConfig();

export interface FakeSessionOptions extends FakeEngineOptions {
  defaults?: Partial<RecordingConfig>;
  resumeWindowMs?: number;
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

/** Decodes files only, and starts no thread before it has one. */
const noStreams = new CodecPool();

export function openFakeSession(options: FakeSessionOptions = {}): FakeSession {
  const engine = new FakeEngine(options);
  const metrics = new SessionMetrics();
  const closed: Session[] = [];
  const context: SessionContext = {
    engine,
    codecPool: noStreams,
    pieces,
    defaults: { ...DEFAULTS, ...options.defaults },
    resumeWindowMs: options.resumeWindowMs ?? 0,
    metrics,
    log: silentLog,
    onClosed: (session) => void closed.push(session),
  };
  const socket = new FakeTransport();
  const session = new Session(context, socket, 'someone', '127.0.0.1');
  return {
    engine,
    session,
    socket,
    metrics,
    closed,
    context,
    say: (message) => session.onText(JSON.stringify(message)),
    speak: (samples, tokens) => session.onBinary(bytesOf(spoken(samples, tokens))),
  };
}
