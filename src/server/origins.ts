/**
 * Which browser pages may use the server: those of `--allowed-origins` (all where the list is empty), and always the
 * server's own. The same rule holds for sockets, uploads and cross-origin reads (CORS). Other clients send no Origin
 * and are not concerned: this protects browsers' users, the access token protects the server.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';

/** Routes that a page of another origin may read. Pages, metrics and the inspector stay with their own origin. */
const SHARED = [
  '/ws/transcribe',
  '/ws/status',
  '/health',
  '/transcribe/file',
  '/v1/audio/transcriptions',
  '/v1/listen',
  '/v1/models',
];
const PREFLIGHT_SECONDS = 600;

/** The page was loaded from the address that it asks now. Ports that the scheme implies may be left out. */
function isOwnPage(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  const asked = `${page.protocol}//${host}`;
  return URL.canParse(asked) && new URL(asked).host === page.host;
}

export function originAllowed(allowed: readonly string[], { origin, host }: IncomingHttpHeaders): boolean {
  return allowed.length === 0 || origin === undefined || allowed.includes(origin) || isOwnPage(origin, host);
}

/** @throws ServerError UNAUTHORIZED */
export function checkOrigin(allowed: readonly string[], request: Pick<IncomingMessage, 'headers'>): void {
  if (originAllowed(allowed, request.headers)) return;
  const origin = String(request.headers.origin).slice(0, 100);
  throw new ServerError('UNAUTHORIZED', `origin ${origin} is not allowed`);
}

/** Whom the answer to a request names in Access-Control-Allow-Origin. */
function readableBy(allowed: readonly string[], request: FastifyRequest): '*' | true | false {
  const path = request.url.split('?', 1)[0] ?? '';
  // What a refused page is told is the reason why, which is no secret: it would see a failed socket otherwise.
  if (path === '/ws/transcribe') return '*';
  if (!SHARED.includes(path) || !originAllowed(allowed, request.headers)) return false;
  return allowed.length === 0 ? '*' : true;
}

/** Lets pages of allowed origins read what they ask for, refusals and Retry-After included. */
export async function allowOrigins(app: FastifyInstance, allowed: readonly string[]): Promise<void> {
  await app.register(cors, {
    delegator: (request, callback) =>
      callback(null, {
        origin: readableBy(allowed, request),
        methods: ['GET', 'HEAD', 'POST'],
        exposedHeaders: ['Retry-After'],
        maxAge: PREFLIGHT_SECONDS,
        // The routes answer OPTIONS themselves, with Allow, whether a browser asks before a request or somebody else.
        preflightContinue: true,
        strictPreflight: false,
      }),
  });
}
