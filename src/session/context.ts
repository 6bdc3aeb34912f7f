/** State shared by all sessions of a server. */
import type { CodecPool } from '../codec/pool.js';
import type { Engine } from '../inference/engine.js';
import type { Logger } from '../log.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { Piece } from '../transcript/pieces.js';
import type { Keeping } from './keeper.js';
import type { Leases } from './leases.js';
import type { SessionMetrics } from './meters.js';
import type { ResumeDesk } from './resume-desk.js';
import type { Takeover } from './takeover.js';
import type { WatchBounds } from './watch.js';

export interface SessionContext {
  readonly engine: Engine;
  readonly leases: Leases;
  readonly codecPool: CodecPool;
  readonly pieces: readonly Piece[];
  readonly defaults: RecordingConfig;
  readonly resumeWindowMs: number;
  readonly desk: ResumeDesk;
  /** Storage in which sessions outlive this server; null: none. */
  readonly keeping: Keeping | null;
  readonly bounds: WatchBounds;
  readonly metrics: SessionMetrics;
  readonly log: Logger;
  onClosed(session: { readonly id: string; readonly droppedPartials: number }): void;
}

/** The client of a session. */
export interface Peer {
  readonly clientId: string;
  /** Remote address. */
  readonly remote: string;
  /** Identity of the access key: only the key that opened a session can resume it. */
  readonly key: string;
  /** Name of the key; '' or left out if none is required. */
  readonly keyName?: string;
  /** The session taken over from another server, and the token presented for it. */
  readonly takeover?: Takeover & { readonly token: string };
  /** The client wanted to resume a session that no longer exists. */
  readonly expired?: boolean;
}
