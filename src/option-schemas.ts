/** Schemas for option values as flags and environment variables write them. */
import { z } from 'zod';

/** An option, as src/config.ts defines it. */
export interface Option {
  readonly schema: z.ZodType;
  readonly initial: unknown;
  readonly doc: string;
  readonly unit?: string;
  /** The environment variable; default: RNNT_SERVER_ plus the name in upper case. */
  readonly env?: string;
  readonly secret?: boolean;
}

export const flag = z.preprocess((value) => {
  if (typeof value !== 'string') return value;
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off|)$/i.test(value)) return false;
  return value;
}, z.boolean());

/** Number('') is 0, which is never what an empty value means. */
const written = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (typeof value === 'string' && value.trim() === '' ? Number.NaN : value), schema);
export const whole = (min: number, max: number) => written(z.coerce.number().int().min(min).max(max));
export const real = (min: number, max: number) => written(z.coerce.number().min(min).max(max));
/** One of a few words, in any case: `LOG_LEVEL=INFO` is as common as `info`. */
export const oneOf = <const T extends readonly [string, ...string[]]>(...words: T) =>
  z.preprocess((value) => (typeof value === 'string' ? value.trim().toLowerCase() : value), z.enum(words));
export const list = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value),
  z.array(z.string().min(1)),
);

/** A comma-separated list of names; `none` for an empty list. */
export const someOf = <const T extends readonly [string, ...string[]]>(names: T) =>
  z.preprocess(
    (value) => {
      if (typeof value !== 'string') return value;
      const given = value
        .toLowerCase()
        .split(',')
        .map((name) => name.trim());
      return given.length === 1 && given[0] === 'none' ? [] : given;
    },
    z.array(z.enum(names)),
  );

/** Address of a Redis or Valkey server, with its credentials. */
export interface RedisAddress {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: number;
}

const REDIS_PORT = 6379;
const REDIS_SCHEMES = ['redis:', 'rediss:'];

/** Parses `redis[s]://[user[:password]@]host[:port][/database]`; undefined if it is not valid. */
export function redisAddressOf(text: string): RedisAddress | undefined {
  const url = URL.canParse(text) ? new URL(text) : null;
  const database = /^\/?(\d{0,3})$/.exec(url?.pathname ?? '')?.[1];
  if (url === null || database === undefined) return undefined;
  const isRedis = REDIS_SCHEMES.includes(url.protocol) && url.hostname !== '';
  if (!isRedis || url.search + url.hash !== '') return undefined;
  try {
    return {
      tls: url.protocol === 'rediss:',
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'), // an IPv6 address
      port: url.port === '' ? REDIS_PORT : Number(url.port),
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: Number(database),
    };
  } catch {
    return undefined; // a stray per cent sign
  }
}

/** A Redis address, or '' for none. The error does not repeat the value, since it may hold a password. */
export const redisUrl = z
  .string()
  .refine(
    (text) => text === '' || redisAddressOf(text) !== undefined,
    'redis://[user:password@]host[:port][/database], or rediss:// for TLS (%XX for special characters in a password)',
  );

export const fleetName = z
  .string()
  .regex(/^[\w.-]{1,64}$/, 'up to 64 letters, digits, dots, dashes and underscores');
