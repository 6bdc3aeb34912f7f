/** State shared by the server's routes. */
import type { Actor } from 'xstate';
import type { serverMachine } from '../../machines/server.js';
import type { Keyring } from '../auth/keyring.js';
import type { Cluster } from '../cluster/cluster.js';
import type { CodecPool } from '../codec/pool.js';
import type { Config } from '../config.js';
import type { Engine } from '../inference/engine.js';
import type { Logger } from '../log.js';
import type { SessionContext } from '../session/context.js';
import type { FileJobParts } from '../session/file-job.js';
import type { StreamLeases } from '../session/leases.js';
import type { SessionMetrics } from '../session/meters.js';

import type { EventLoopMeter } from './event-loop.js';
import type { SessionRegistry } from './registry.js';
import type { UploadPlaces } from './upload-places.js';

export interface Recogniser {
  readonly engine: Engine;
  readonly codecPool: CodecPool;
  readonly sessions: SessionContext & { readonly leases: StreamLeases };
  readonly files: FileJobParts;
  readonly uploads: UploadPlaces;
  readonly readyAtMs: number;
}

export interface ServerContext {
  readonly config: Config;
  readonly log: Logger;
  readonly keyring: Keyring;
  readonly lifecycle: Actor<typeof serverMachine>;
  readonly registry: SessionRegistry;
  readonly metrics: SessionMetrics;
  readonly eventLoop: EventLoopMeter;
  readonly startedAtMs: number;
  /** The fleet that this server belongs to; null if there is none. */
  readonly cluster: Cluster | null;
  /** Null until the model is loaded and warm. */
  recogniser: Recogniser | null;
  /**
   * Saves what sessions need to continue elsewhere. Called once, before a process whose recogniser has failed ends. It
   * has `LIMITS.rescueMs`; meanwhile sessions continue as far as they can.
   */
  rescue: () => Promise<void>;
}

export type ServerStatus = 'starting' | 'ready' | 'draining' | 'stopped';

/** Whether new streams can be recognised: a lane works, or is about to. */
export const isReady = (context: ServerContext): boolean =>
  statusOf(context) === 'ready' &&
  (context.recogniser?.engine.lanes ?? []).some(({ state }) => state !== 'hung' && state !== 'lost');

export const statusOf = (context: ServerContext): ServerStatus => context.lifecycle.getSnapshot().value;
