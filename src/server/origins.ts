/**
 * Which browser pages may use the server: those of `--allowed-origins` (any if the list is empty), and always the
 * server's own. The same rule applies to WebSockets, uploads and cross-origin reads (CORS). Other clients send no
 * Origin and are not affected: this protects users of browsers; the access token protects the server.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';

/** Routes that a page of another origin may read. Pages, metrics and the inspector are limited to the same origin. */
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

/** Whether the page was loaded from the same host as this request. Default ports may be left out. */
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

/** The value of Access-Control-Allow-Origin for a request. */
function readableBy(allowed: readonly string[], request: FastifyRequest): '*' | true | false {
  const path = request.url.split('?', 1)[0] ?? '';
  // A refused page may read the reason, which is not secret; otherwise it would see only a failed socket.
  if (path === '/ws/transcribe') return '*';
  if (!SHARED.includes(path) || !originAllowed(allowed, request.headers)) return false;
  return allowed.length === 0 ? '*' : true;
}

/** Lets pages of allowed origins read responses, including refusals and Retry-After. */
export async function allowOrigins(app: FastifyInstance, allowed: readonly string[]): Promise<void> {
  await app.register(cors, {
    delegator: (request, callback) =>
      callback(null, {
        origin: readableBy(allowed, request),
        methods: ['GET', 'HEAD', 'POST'],
        exposedHeaders: ['Retry-After'],
        maxAge: PREFLIGHT_SECONDS,
        // The routes answer OPTIONS themselves, with Allow, for preflights and for other clients alike.
        preflightContinue: true,
        strictPreflight: false,
      }),
  });
}
