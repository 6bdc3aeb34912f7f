/**
 * Who may connect. Whoever may not is told so in the HTTP answer to the upgrade, with a JSON body: a stream is
 * refused rather than accepted and starved.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Grant } from '../auth/grant.js';
import { type ErrorCode, ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { ResumeDesk } from '../session/resume-desk.js';
import type { Session } from '../session/session.js';
import type { Claim } from '../session/takeover.js';
import { parseTold, type Told } from '../session/told.js';
import { type Recogniser, type ServerContext, statusOf } from './context.js';
import { whoAsks } from './keys.js';
import { checkOrigin } from './origins.js';

export interface Admitted {
  readonly clientId: string;
  /** Who it is, and what that key may use. */
  readonly grant: Grant;
  readonly recogniser: Recogniser;
  /** The session that goes on over this connection, and from where. */
  readonly resumption: Resumption | null;
}

export interface Resumption extends Claim {
  readonly token: string;
  /** Undefined: the token is unknown, expired, or another key's. */
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
    throw new ServerError('BAD_REQUEST', 'the address cannot be read', { cause });
  }
}

/** The path of an address, whether or not the rest of it can be read. */
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

/** A whole number in the address; null where it is left out. @throws ServerError BAD_REQUEST */
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
  if (given !== null && told === null) throw new ServerError('BAD_REQUEST', 'events must be like 1.17');
  return told;
}

/** @throws ServerError BAD_REQUEST */
function resumptionOf(context: ServerContext, desk: ResumeDesk, key: string, url: URL): Resumption | null {
  const token = url.searchParams.get('resume');
  if (token === null) return null;
  const seen = numberIn(url, 'last_seq', 'the number of a message');
  const has = numberIn(url, 'from', 'the number of a sample') ?? 0;
  const told = toldIn(url);
  const id = desk.find(token, key);
  const session = id === null ? undefined : context.registry.get(id);
  return { token, seen, told, has, session };
}

/**
 * @param resumes a resume token is good here: this is the path of the dialect that issues them
 * @throws ServerError UNAUTHORIZED, NOT_READY, DRAINING, KEY_LIMIT, AT_CAPACITY, BAD_REQUEST
 */
export function admit(context: ServerContext, request: IncomingMessage, url: URL, resumes = false): Admitted {
  checkOrigin(context.config.allowedOrigins, request);
  const grant = whoAsks(context.keyring, request, url);
  const recogniser = requireReady(context);
  const clientId = clientIdOf(url);
  const { desk } = recogniser.sessions;
  const resumption = resumes ? resumptionOf(context, desk, grant.identity, url) : null;
  const admitted = { clientId, grant, recogniser, resumption };
  // It has its place already; or the fleet has to say whether it has.
  if (resumption?.session !== undefined || asksFleet(admitted)) return admitted;
  admitNew(context, admitted);
  return admitted;
}

/** Whether the fleet has to be asked before it is known which session goes on. */
export const asksFleet = ({ resumption, recogniser }: Admitted): boolean =>
  resumption !== null && (recogniser.sessions.keeping?.store.available ?? false);

/** For a session of its own. @throws ServerError KEY_LIMIT, AT_CAPACITY */
export function admitNew(context: ServerContext, { grant, recogniser }: Admitted): void {
  const { leases } = recogniser.sessions;
  grant.countRequest();
  // Who comes now wants to record soon; a session that is open already is told at its start.
  if (leases.full) throw new ServerError('AT_CAPACITY', `${leases.active} streams are running`);
  if (context.registry.size >= context.config.maxConnections) {
    throw new ServerError('AT_CAPACITY', `${context.registry.size} connections are open`);
  }
}
