/**
 * Short-lived tokens for clients that must not hold a key, such as browsers:
 *
 *     rnnt1.PAYLOAD.MAC      PAYLOAD: base64url of JSON; MAC: HMAC-SHA256 under the secret of the fleet
 *
 * The hash of the key that asked for the token goes into the MAC and not into the token: a key that is replaced takes its
 * tokens with it, and a token tells nothing about its key but the name. Nothing is stored, so every server with the same
 * secret and keys takes the token.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { KeyEntry } from './key-file.js';

const PREFIX = 'rnnt1.';
const TOKEN = /^rnnt1\.([\w-]{1,600})\.([\w-]{43})$/;

const bound = z.number().int().min(1).max(999_999);

/** What `POST /auth/token` may ask for. Bounds of a token come on top of those of its key. */
export const tokenRequest = z.strictObject({
  ttl_s: z.number().int().min(1).max(LIMITS.maxTokenSeconds).default(LIMITS.tokenSeconds),
  streams: bound.optional(),
  uploads: bound.optional(),
});
export type TokenRequest = z.output<typeof tokenRequest>;

const payloadSchema = z.object({
  /** Its own name, which its bounds are counted by. */
  id: z.string(),
  /** Of the key. */
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
    return undefined; // somebody made it up
  }
}

/**
 * The token and its key; null if it is no token of this fleet, or its key is gone.
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
