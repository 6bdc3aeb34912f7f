/**
 * Where a request has its key, in every form in which a client may bring it: SDKs differ, and browsers cannot set headers of a
 * WebSocket. A key that is offered as a subprotocol may not hold `/`, `=`, `:` or a space.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Grant } from '../auth/grant.js';
import type { Keyring } from '../auth/keyring.js';

/** `Bearer K`, `Token K`, and `K` bare. */
const SCHEME = /^(?:bearer|token)\s+(.+)$/i;
/** Subprotocols whose follower in the list is the key, and one that ends with it. */
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

/** Who asks. @throws ServerError UNAUTHORIZED */
export const whoAsks = (keyring: Keyring, request: Pick<IncomingMessage, 'headers'>, url: URL): Grant =>
  keyring.who(keysIn(request.headers, url));
