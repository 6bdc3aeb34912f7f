/**
 * Decides whether a client may connect. A refusal is the HTTP response to the upgrade, with a JSON body: a stream is
 * refused rather than accepted and then slowed down.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Grant } from '../auth/grant.js';
import { type ErrorCode, ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { SessionContext } from '../session/context.js';
import { isToken } from '../session/resume-desk.js';
import type { Session } from '../session/session.js';
import type { Claim } from '../session/takeover.js';
import { parseTold, type Told } from '../session/told.js';
import { type Recogniser, type ServerContext, statusOf } from './context.js';
import { whoAsks } from './keys.js';
import { checkOrigin } from './origins.js';

export interface Admitted {
  readonly clientId: string;
  /** The grant of the client's key. */
  readonly grant: Grant;
  readonly recogniser: Recogniser;
  /** The session to resume over this connection, and the position. */
  readonly resumption: Resumption | null;
}

export interface Resumption extends Claim {
  readonly token: string;
  /** Undefined: the token is unknown, expired, or belongs to another key. */
  readonly session: Session | undefined;
}

const RETRY_AFTER_S: Partial<Record<ErrorCode, number>> = {
  NOT_READY: 2,
  KEY_LIMIT: 5,
  AT_CAPACITY: 5,
  DRAINING: 5,
  TOO_MANY_UPLOADS: 5,
  TOO_MANY_RATES: 5,
};

export const retryAfter = (code: ErrorCode): number | undefined => RETRY_AFTER_S[code];

/** @throws ServerError BAD_REQUEST */
export function urlOf(request: { readonly url?: string | undefined }): URL {
  try {
    return new URL(request.url ?? '/', 'http://localhost');
  } catch (cause) {
    throw new ServerError('BAD_REQUEST', 'the URL is not valid', { cause });
  }
}

/** The path of a URL, even if the rest is not valid. */
export const pathOf = ({ url = '/' }: { readonly url?: string | undefined }): string =>
  url.split('?', 1)[0] ?? '/';

/** @throws ServerError NOT_READY, DRAINING */
export function requireReady(context: ServerContext): Recogniser {
  const status = statusOf(context);
  if (status === 'draining' || status === 'stopped') throw new ServerError('DRAINING');
  if (status !== 'ready' || context.recogniser === null) throw new ServerError('NOT_READY');
  return context.recogniser;
}

function clientIdOf(url: URL): string {
  const given = url.searchParams.get('client_id');
  if (given === null || given === '') return randomUUID();
  if (given.length > LIMITS.maxClientIdChars) throw new ServerError('BAD_REQUEST', 'client_id is too long');
  return given;
}

/**
 * An integer in the URL; null if left out.
 * @throws ServerError BAD_REQUEST
 */
function numberIn(url: URL, name: string, what: string): number | null {
  const given = url.searchParams.get(name);
  if (given === null) return null;
  if (!/^\d{1,15}$/.test(given)) throw new ServerError('BAD_REQUEST', `${name} must be ${what}`);
  return Number(given);
}

/** @throws ServerError BAD_REQUEST */
function toldIn(url: URL): Told | null {
  const given = url.searchParams.get('events');
  const told = given === null ? null : parseTold(given);
  if (given !== null && told === null) throw new ServerError('BAD_REQUEST', 'events must have the form 1.17');
  return told;
}

/** @throws ServerError BAD_REQUEST */
function resumptionOf(
  context: ServerContext,
  { desk, keeping }: Pick<SessionContext, 'desk' | 'keeping'>,
  key: string,
  url: URL,
): Resumption | null {
  const token = url.searchParams.get('resume');
  if (token === null) return null;
  const seen = numberIn(url, 'last_seq', 'the number of a message');
  const has = numberIn(url, 'from', 'the number of a sample') ?? 0;
  const told = toldIn(url);
  const id = desk.find(token, key);
  const known = id === null ? undefined : context.registry.get(id);
  // Without the store nobody can say how the session went on elsewhere.
  const isAlone = keeping !== null && !keeping.store.available;
  const session = isAlone && known?.contradicts({ seen, told }) ? undefined : known;
  return { token, seen, told, has, session };
}

/**
 * @param resumes whether a resume token is valid at this path: only at the dialect's that issues them
 * @throws ServerError UNAUTHORIZED, NOT_READY, DRAINING, KEY_LIMIT, AT_CAPACITY, BAD_REQUEST
 */
export function admit(context: ServerContext, request: IncomingMessage, url: URL, resumes = false): Admitted {
  checkOrigin(context.config.allowedOrigins, request);
  const grant = whoAsks(context.keyring, request, url);
  const recogniser = requireReady(context);
  const clientId = clientIdOf(url);
  const resumption = resumes ? resumptionOf(context, recogniser.sessions, grant.identity, url) : null;
  const admitted = { clientId, grant, recogniser, resumption };
  // A resumed session already has its place, or the fleet must be asked about it.
  if (resumption?.session !== undefined || asksFleet(admitted)) return admitted;
  admitNew(context, admitted);
  return admitted;
}

/** Whether the fleet must be asked which session is resumed. It is not asked about a text that cannot be a token. */
export const asksFleet = ({ resumption, recogniser }: Admitted): boolean =>
  resumption !== null && isToken(resumption.token) && (recogniser.sessions.keeping?.store.available ?? false);

/**
 * Admits a new session.
 * @throws ServerError KEY_LIMIT, AT_CAPACITY
 */
export function admitNew(context: ServerContext, { grant, recogniser }: Admitted): void {
  const { leases } = recogniser.sessions;
  grant.countRequest();
  // A new client probably wants to record soon; sessions that are already open are refused at the start of a recording.
  if (leases.full) throw new ServerError('AT_CAPACITY', `${leases.active} streams are running`);
  if (context.registry.size >= context.config.maxConnections) {
    throw new ServerError('AT_CAPACITY', `${context.registry.size} connections are open`);
  }
}
