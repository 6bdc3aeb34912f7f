/** What a server has of its fleet. Without `--cluster` there is none. */
import type { SharedLimits } from '../auth/sharing.js';
import type { FleetNode } from './nodes.js';
import type { SessionStore } from './store.js';

export interface Cluster {
  readonly name: string;
  /** Id of this server, new with each start. */
  readonly node: string;
  /** False while Redis cannot be used: then this server goes on by itself. */
  readonly available: boolean;
  /** Why it cannot be used; null while it can, or while nothing has been tried. */
  readonly trouble: string | null;
  readonly store: SessionStore;
  /** Where the servers tell each other what they use of access keys. */
  readonly limits: SharedLimits;
  /** Those that live, this one included; only this one while Redis is away. */
  nodes(): readonly FleetNode[];
  /**
   * Asks for a client_id. Answers within `clusterClaimMs`, and at once while Redis is away: then it is unique on this server only.
   * Each claim that was granted is given back once.
   * @returns false if a session on another server has it, which then finds out whether its client is alive
   */
  claimClient(clientId: string): Promise<boolean>;
  /** Takes a client_id that this server had a moment ago, as a claim that is granted. */
  holdClient(clientId: string): void;
  releaseClient(clientId: string): void;
  /** Told of client_ids which others have asked for: are their clients alive? */
  onAsked(tell: (clientId: string) => void): void;
  /** Begins, once the server listens. Redis need not be there. */
  open(): void;
  /** Says what has changed before it is due. */
  beat(): void;
  /** Leaves the fleet; never fails. */
  close(): Promise<void>;
}
