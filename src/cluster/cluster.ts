/** A server's connection to its fleet. There is none without `--cluster`. */
import type { SharedLimits } from '../auth/sharing.js';
import type { FleetNode } from './nodes.js';
import type { SessionStore } from './store.js';

export interface Cluster {
  readonly name: string;
  /** Id of this server, new at each start. */
  readonly node: string;
  /** False while Redis cannot be used: this server then runs on its own. */
  readonly available: boolean;
  /** Why it cannot be used; null if it can, or before the first attempt. */
  readonly trouble: string | null;
  readonly store: SessionStore;
  /** Exchange of access-key use between the servers. */
  readonly limits: SharedLimits;
  /** Live servers, including this one; only this one while Redis cannot be reached. */
  nodes(): readonly FleetNode[];
  /**
   * Claims a client_id. Answers within `clusterClaimMs`; at once while Redis cannot be reached, when the id is unique
   * on this server only. Each granted claim must be released once.
   * @returns false if a session on another server holds it; that server then checks whether its client is alive
   */
  claimClient(clientId: string): Promise<boolean>;
  /**
   * Whether a session on another server holds a client_id, without claiming it. Answers within `clusterClaimMs`; false if
   * that is not known.
   */
  isHeldElsewhere(clientId: string): Promise<boolean>;
  /** Takes back a client_id that this server held a moment ago, like a granted claim. */
  holdClient(clientId: string): void;
  releaseClient(clientId: string): void;
  /** Reports client_ids that other servers want: are their clients alive? */
  onAsked(tell: (clientId: string) => void): void;
  /** Starts, once the server listens. Redis need not be available. */
  open(): void;
  /** Reports changes at once, before the next interval. */
  beat(): void;
  /** Leaves the fleet; never fails. */
  close(): Promise<void>;
}
