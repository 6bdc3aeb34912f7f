/** A client_id is one session's at a time, on all servers of a fleet. */
import type { Session } from '../session/session.js';
import type { Admitted } from './admission.js';
import type { ServerContext } from './context.js';

/** What the fleet said of a client_id. */
export interface Claim {
  /** False: a session on another server has it. */
  readonly free: boolean;
  /** No session was opened with it. */
  giveBack(): void;
}

const NOBODY_ASKED: Claim = { free: true, giveBack() {} };

/** Sessions hold what was claimed for them until they close, and are probed when another server asks. */
export function watchClaims({ cluster, registry }: ServerContext): void {
  if (cluster === null) return;
  registry.onClosed((session: Session) => cluster.releaseClient(session.clientId));
  cluster.onAsked((clientId) => registry.holder(clientId)?.probe());
}

/**
 * Asks the fleet where it has to be asked: not for names that the server made up, nor for sessions that have theirs.
 * @returns a promise only then, so that without a fleet nothing waits
 */
export function claim(
  { cluster, registry }: ServerContext,
  { clientId, resumption }: Admitted,
  url: URL,
): Claim | Promise<Claim> {
  const isGiven = url.searchParams.get('client_id') === clientId;
  const isHere = resumption?.session !== undefined || registry.holder(clientId) !== undefined;
  if (cluster === null || !isGiven || isHere) return NOBODY_ASKED;
  return cluster.claimClient(clientId).then((free) => ({
    free,
    giveBack: () => {
      if (free) cluster.releaseClient(clientId);
    },
  }));
}
