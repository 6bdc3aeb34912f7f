/**
 * The file of access keys. One key per line; empty lines and lines that begin with `#` are ignored:
 *
 *     anna sha256:0f3a… streams=20 uploads=2 per-minute=120
 *
 * The file holds only hashes, so reading it does not let anyone use a key. Keys are random (256 bits), so they cannot
 * be guessed from their hash: one round of SHA-256 is enough, and checking a key takes microseconds.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';

/** Limits per key; 0 means none. */
export interface KeyLimits {
  /** Live recordings at once. */
  readonly streams: number;
  readonly uploads: number;
  /** Connections, uploads and client-token requests per minute. */
  readonly perMinute: number;
}

export interface KeyEntry extends KeyLimits {
  /** Shown in logs, refusals and client tokens. Unique. */
  readonly name: string;
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Buffer;
}

/** Stands for the key given with `--auth-token`; no key in the file may have this name. */
export const SHARED_NAME = 'auth-token';
export const NO_LIMITS: KeyLimits = { streams: 0, uploads: 0, perMinute: 0 };

const KEY_BYTES = 32;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const FIELDS: Readonly<Record<string, keyof KeyLimits>> = {
  streams: 'streams',
  uploads: 'uploads',
  'per-minute': 'perMinute',
};

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether a key in the file may have this name. */
export const isKeyName = (name: string): boolean => NAME.test(name) && name !== SHARED_NAME;

/** A new random key, made only of characters allowed in headers, URLs and subprotocols. */
export const newKey = (): string => `rnnt_${randomBytes(KEY_BYTES).toString('base64url')}`;

/** The line of the file for a key; limits of 0 are left out. */
export function lineOf({ name, hash, ...limits }: KeyEntry): string {
  const bounds = Object.entries(FIELDS).filter(([, field]) => limits[field] > 0);
  return [
    name,
    `sha256:${hash.toString('hex')}`,
    ...bounds.map(([as, field]) => `${as}=${limits[field]}`),
  ].join(' ');
}

/** @throws Error that never repeats the line, which may contain the key itself by mistake */
function entryOf(line: string): KeyEntry {
  const [name = '', hash = '', ...fields] = line.split(/\s+/);
  if (!isKeyName(name)) throw new Error('the name must be 1 to 64 letters, digits, ".", "_" or "-"');
  const hex = /^sha256:([0-9a-f]{64})$/i.exec(hash)?.[1];
  if (hex === undefined) {
    throw new Error(
      'the name must be followed by "sha256:" and 64 hexadecimal digits, as `rnnt-server key` prints them',
    );
  }
  const limits: { -readonly [K in keyof KeyLimits]: number } = { ...NO_LIMITS };
  for (const field of fields) {
    const [, as = '', value] = /^([a-z-]+)=(\d{1,6})$/.exec(field) ?? [];
    const limit = FIELDS[as];
    if (limit === undefined) throw new Error(`limits must be given as ${Object.keys(FIELDS).join('=N, ')}=N`);
    limits[limit] = Number(value);
  }
  return { name, hash: Buffer.from(hex, 'hex'), ...limits };
}

/** @throws ServerError CONFIG_INVALID with the number of the first bad line */
export function parseKeys(text: string): KeyEntry[] {
  const entries: KeyEntry[] = [];
  const seen = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    try {
      const entry = entryOf(content);
      const hash = entry.hash.toString('hex');
      if (seen.has(entry.name) || seen.has(hash)) {
        throw new Error('the name or the key is a duplicate of an earlier line');
      }
      if (entries.length === LIMITS.maxKeys) throw new Error(`more than ${LIMITS.maxKeys} keys`);
      seen.add(entry.name).add(hash);
      entries.push(entry);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ServerError('CONFIG_INVALID', `--keys-file, line ${index + 1}: ${why}`, { cause });
    }
  }
  return entries;
}

/** @throws ServerError CONFIG_INVALID */
export async function readKeys(path: string): Promise<KeyEntry[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ServerError('CONFIG_INVALID', `--keys-file: ${why}`, { cause });
  }
  return parseKeys(text);
}
