/** What all sessions of a server share. */
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
  /** How sessions outlive this server; null: they do not. */
  readonly keeping: Keeping | null;
  readonly bounds: WatchBounds;
  readonly metrics: SessionMetrics;
  readonly log: Logger;
  onClosed(session: { readonly id: string; readonly droppedPartials: number }): void;
}

/** Who is at the other end. */
export interface Peer {
  readonly clientId: string;
  /** Address. */
  readonly remote: string;
  /** Identity of the access key: a session is resumed with the one that opened it. */
  readonly key: string;
  /** What people call it; '' or left out where none was asked for. */
  readonly keyName?: string;
  /** The session of another server that goes on here, and the token that was presented for it. */
  readonly takeover?: Takeover & { readonly token: string };
  /** It wanted to resume a session that there is no more. */
  readonly expired?: boolean;
}
