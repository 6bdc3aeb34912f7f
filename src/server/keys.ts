/**
 * The server's one key, in every form in which a client may bring it: SDKs differ, and browsers cannot set headers of a
 * WebSocket. A key that is offered as a subprotocol may not hold `/`, `=`, `:` or a space.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ServerError } from '../errors.js';
import { hashOf } from '../session/resume-desk.js';

/** `Bearer K`, `Token K`, and `K` bare. */
const SCHEME = /^(?:bearer|token)\s+(.+)$/i;
/** Subprotocols whose follower in the list is the key, and one that ends with it. */
const BEFORE_KEY = ['token', 'bearer'];
const KEY_PREFIX = 'openai-insecure-api-key.';

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function keysOffered(protocols: string): string[] {
  const offered = protocols.split(',').map((name) => name.trim());
  return offered.flatMap((name, at) => {
    if (name.startsWith(KEY_PREFIX)) return [name.slice(KEY_PREFIX.length)];
    const before = offered[at - 1]?.toLowerCase();
    return before !== undefined && BEFORE_KEY.includes(before) ? [name] : [];
  });
}

/** Everything in a request that may be meant as the key. */
export function keysIn(headers: IncomingHttpHeaders, url: URL): string[] {
  const authorization = headers.authorization?.trim() ?? '';
  const inHeader = authorization === '' ? [] : [SCHEME.exec(authorization)?.[1] ?? authorization];
  return [
    ...inHeader,
    ...url.searchParams.getAll('token'),
    ...keysOffered(headers['sec-websocket-protocol'] ?? ''),
  ];
}

/** What the key of a client is known by; '' where none was given. */
export function keyOf(request: Pick<IncomingMessage, 'headers'>, url: URL): string {
  const [key = ''] = keysIn(request.headers, url);
  return key === '' ? '' : hashOf(key);
}

/**
 * Whoever brings the key in one of the forms may come in. Without an expected one everybody may, with whatever key.
 * @throws ServerError UNAUTHORIZED
 */
export function checkToken(expected: string, request: Pick<IncomingMessage, 'headers'>, url: URL): void {
  if (expected === '') return;
  if (!keysIn(request.headers, url).some((key) => sameText(key, expected))) {
    throw new ServerError('UNAUTHORIZED');
  }
}
