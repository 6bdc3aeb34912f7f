/**
 * Finds the key in a request, in every form that clients use: SDKs differ, and browsers cannot set headers of a
 * WebSocket. A key sent as a subprotocol cannot contain `/`, `=`, `:` or a space.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Grant } from '../auth/grant.js';
import type { Keyring } from '../auth/keyring.js';

/** `Bearer K`, `Token K`, or just `K`. */
const SCHEME = /^(?:bearer|token)\s+(.+)$/i;
/** Subprotocols after which the list contains the key, and one whose end is the key. */
const BEFORE_KEY = ['token', 'bearer'];
const KEY_PREFIX = 'openai-insecure-api-key.';

function keysOffered(protocols: string): string[] {
  const offered = protocols.split(',').map((name) => name.trim());
  return offered.flatMap((name, at) => {
    if (name.startsWith(KEY_PREFIX)) return [name.slice(KEY_PREFIX.length)];
    const before = offered[at - 1]?.toLowerCase();
    return before !== undefined && BEFORE_KEY.includes(before) ? [name] : [];
  });
}

/** Everything in a request that may be the key. */
export function keysIn(headers: IncomingHttpHeaders, url: URL): string[] {
  const authorization = headers.authorization?.trim() ?? '';
  const inHeader = authorization === '' ? [] : [SCHEME.exec(authorization)?.[1] ?? authorization];
  return [
    ...inHeader,
    ...url.searchParams.getAll('token'),
    ...keysOffered(headers['sec-websocket-protocol'] ?? ''),
  ];
}

/**
 * The grant of the request's key.
 * @throws ServerError UNAUTHORIZED
 */
export const whoAsks = (keyring: Keyring, request: Pick<IncomingMessage, 'headers'>, url: URL): Grant =>
  keyring.who(keysIn(request.headers, url));
