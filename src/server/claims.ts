/** At most one session holds a client_id at a time, across all servers of a fleet. */
import type { Session } from '../session/session.js';
import type { Admitted } from './admission.js';
import type { ServerContext } from './context.js';

/** The fleet's answer about a client_id. */
export interface Claim {
  /** False: a session on another server holds it. */
  readonly free: boolean;
  /** To be called if no session was opened with it. */
  giveBack(): void;
}

const NOBODY_ASKED: Claim = { free: true, giveBack() {} };

/** A session holds its client_id until it closes, and is probed when another server asks for the id. */
export function watchClaims({ cluster, registry }: ServerContext): void {
  if (cluster === null) return;
  registry.onClosed((session: Session) => cluster.releaseClient(session.clientId));
  cluster.onAsked((clientId) => registry.holder(clientId)?.probe());
}

const isGiven = (clientId: string, url: URL): boolean => url.searchParams.get('client_id') === clientId;

/** Whether a new session could hold this client_id now. Claims nothing, so that nobody is refused because of it. */
export async function isFree(
  { cluster, registry }: ServerContext,
  { clientId }: Admitted,
  url: URL,
): Promise<boolean> {
  if (registry.holder(clientId) !== undefined) return false;
  return cluster === null || !isGiven(clientId, url) || !(await cluster.isHeldElsewhere(clientId));
}

/**
 * Asks the fleet, if necessary. It is not necessary for names that the server made up, nor for resumed sessions.
 * @returns a promise only if it asks, so that nothing waits without a fleet
 */
export function claim(
  { cluster, registry }: ServerContext,
  { clientId, resumption }: Admitted,
  url: URL,
): Claim | Promise<Claim> {
  const isHere = resumption?.session !== undefined || registry.holder(clientId) !== undefined;
  if (cluster === null || !isGiven(clientId, url) || isHere) return NOBODY_ASKED;
  return cluster.claimClient(clientId).then((free) => ({
    free,
    giveBack: () => {
      if (free) cluster.releaseClient(clientId);
    },
  }));
}
