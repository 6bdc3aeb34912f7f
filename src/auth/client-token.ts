/**
 * Short-lived tokens for clients that must not hold a key, such as browsers:
 *
 *     rnnt1.PAYLOAD.MAC
 *
 *     PAYLOAD: base64url of JSON; MAC: HMAC-SHA256 under the secret of the fleet
 *
 * The MAC also covers the hash of the key that issued the token. Replacing a key therefore invalidates its tokens, and
 * a token reveals only the name of its key. Nothing is stored, so every server with the same secret and keys accepts
 * the token.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { KeyEntry } from './key-file.js';

const PREFIX = 'rnnt1.';
const TOKEN = /^rnnt1\.([\w-]{1,600})\.([\w-]{43})$/;

const bound = z.number().int().min(1).max(999_999);

/** The body of `POST /auth/token`. The limits of a token apply in addition to those of its key. */
export const tokenRequest = z.strictObject({
  ttl_s: z.number().int().min(1).max(LIMITS.maxTokenSeconds).default(LIMITS.tokenSeconds),
  streams: bound.optional(),
  uploads: bound.optional(),
});
export type TokenRequest = z.output<typeof tokenRequest>;

const payloadSchema = z.object({
  /** The token's own name, under which its use is counted. */
  id: z.string(),
  /** Name of the key that issued it. */
  key: z.string(),
  /** Seconds since 1970. */
  exp: z.number(),
  streams: bound.optional(),
  uploads: bound.optional(),
});
export type ClientToken = z.output<typeof payloadSchema>;

export const isClientToken = (text: string): boolean => text.startsWith(PREFIX);

function macOf(secret: string, payload: string, { hash }: KeyEntry): Buffer {
  return createHmac('sha256', secret).update(payload).update('.').update(hash).digest();
}

/** @param nowMs since 1970 */
export function signToken(secret: string, key: KeyEntry, wanted: TokenRequest, nowMs: number) {
  const { ttl_s, ...bounds } = wanted;
  const id = randomBytes(9).toString('base64url');
  const token: ClientToken = { id, key: key.name, exp: Math.floor(nowMs / 1000) + ttl_s, ...bounds };
  const payload = Buffer.from(JSON.stringify(token)).toString('base64url');
  return { text: `${PREFIX}${payload}.${macOf(secret, payload, key).toString('base64url')}`, token };
}

function payloadOf(encoded: string): ClientToken | undefined {
  try {
    return payloadSchema.parse(JSON.parse(Buffer.from(encoded, 'base64url').toString()));
  } catch {
    return undefined; // malformed
  }
}

/**
 * The token and its key; null if this fleet did not sign it, or its key no longer exists.
 * @param nowMs since 1970
 * @throws ServerError UNAUTHORIZED when it has expired
 */
export function openToken(
  secret: string,
  text: string,
  keyNamed: (name: string) => KeyEntry | undefined,
  nowMs: number,
): { token: ClientToken; key: KeyEntry } | null {
  const [, encoded = '', given = ''] = TOKEN.exec(text) ?? [];
  const token = payloadOf(encoded);
  const key = token && keyNamed(token.key);
  if (key === undefined || token === undefined) return null;
  const mac = Buffer.from(given, 'base64url');
  const right = macOf(secret, encoded, key);
  if (mac.length !== right.length || !timingSafeEqual(mac, right)) return null;
  if (nowMs >= token.exp * 1000) throw new ServerError('UNAUTHORIZED', 'The client token has expired.');
  return { token, key };
}
