/**
 * Finds the session that a connection asks for, on this server or elsewhere in the fleet. The fleet is asked before the
 * upgrade is answered, with a time limit. If it cannot be asked, only sessions of this server are found.
 */

import type { TakenSession } from '../cluster/store.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Dialect } from '../protocol/dialect.js';
import type { SessionContext } from '../session/context.js';
import { hashOf } from '../session/resume-desk.js';
import { Session } from '../session/session.js';
import { takeOver } from '../session/takeover.js';
import { withinOr } from '../within.js';
import { type Admitted, type Resumption, requireReady } from './admission.js';
import type { ServerContext } from './context.js';

/** Data with which a session from elsewhere is created. */
export interface Host {
  readonly sessions: SessionContext;
  readonly dialect: Dialect;
  readonly remote: string;
}

/**
 * The resumption with the session that goes on, if there is one.
 * @throws ServerError AT_CAPACITY, KEY_LIMIT, CLIENT_ID_IN_USE, NOT_READY, DRAINING: it goes on, and not here and now
 */
export async function arrive(
  context: ServerContext,
  { resumption, grant }: Admitted,
  host: Host,
): Promise<Resumption | null> {
  if (resumption === null) return null;
  const { session, token } = resumption;
  const { keeping, engine, desk } = host.sessions;
  if (session !== undefined && (await withinOr(LIMITS.recordLookMs, session.handover.isOurs(), true))) {
    // Meanwhile the session may have ended, or gone on with another connection that has used the token up.
    const isGood = desk.find(token, grant.identity) === session.id;
    if (!isGood) return { ...resumption, session: undefined };
    if (!session.contradicts(resumption)) return resumption;
    // Another server went on with it beside this one, and told other messages: it goes on from its record, as at any other server.
    await withinOr(LIMITS.recordLookMs, session.handover.keep(), false);
  }
  if (keeping === null) return { ...resumption, session: undefined };
  // If no stream can run here, no session is taken over: its own server may still have it, or another one a place.
  if (engine.table.vacancies === 0) throw new ServerError('AT_CAPACITY', 'no place is free');
  const uncountGuess = grant.countGuess();
  const take = keeping.store.take(hashOf(token), grant.identity);
  const taken = await withinOr(LIMITS.recordWaitMs, take, undefined);
  if (taken !== null) uncountGuess(); // a server has the session, or the store has not said
  if (taken === null || taken === undefined) return { ...resumption, session: undefined };
  context.registry.get(taken.id)?.handover.fence();
  const own = restored(context, taken, resumption, grant, host);
  if (own === undefined) return { ...resumption, session: undefined };
  context.registry.add(own);
  // The client gets a token that the fleet knows. If two servers take a session at once, the second one keeps it.
  await withinOr(LIMITS.recordLookMs, own.handover.keep(), false);
  if (own.activity === 'closed') throw new ServerError('CLIENT_ID_IN_USE', 'another server has the session');
  return { ...resumption, session: own };
}

/** Undefined: the session cannot be continued without contradicting what the client was sent. */
function restored(
  context: ServerContext,
  taken: TakenSession,
  { token, ...claim }: Resumption,
  grant: Admitted['grant'],
  { sessions, dialect, remote }: Host,
): Session | undefined {
  const { keeping, engine } = sessions;
  if (keeping === null) return undefined;
  try {
    requireReady(context); // it may drain since: the record stays, for the server that the client finds next
    const takeover = { ...takeOver(taken, claim, engine, keeping.fingerprint), token };
    const { clientId, key } = taken;
    const session = new Session(sessions, null, dialect, {
      clientId,
      remote,
      key,
      keyName: grant.name,
      takeover,
    });
    if (session.activity === 'closed') throw new ServerError('AT_CAPACITY', 'no session may wait here');
    context.metrics.takenOver++;
    return session;
  } catch (thrown) {
    context.cluster?.releaseClient(taken.clientId); // it came with the session
    if (!(thrown instanceof ServerError) || thrown.code !== 'RESUME_EXPIRED') throw thrown;
    context.log.info({ session: taken.id, detail: thrown.detail }, 'a session could not be taken over');
    keeping.store.remove(taken.id, taken.epoch).catch(() => {}); // it expires by itself
    return undefined;
  }
}
