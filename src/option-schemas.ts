/** What the values of options may be, as flags and environment variables write them. */
import { z } from 'zod';

/** An option, as src/config.ts states it. */
export interface Option {
  readonly schema: z.ZodType;
  readonly initial: unknown;
  readonly doc: string;
  readonly unit?: string;
  /** The environment variable, where it is not RNNT_SERVER_ plus the name in upper case. */
  readonly env?: string;
  readonly secret?: boolean;
}

export const flag = z.preprocess((value) => {
  if (typeof value !== 'string') return value;
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off|)$/i.test(value)) return false;
  return value;
}, z.boolean());

/** Number('') is 0, which nobody means. */
const written = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (typeof value === 'string' && value.trim() === '' ? Number.NaN : value), schema);
export const whole = (min: number, max: number) => written(z.coerce.number().int().min(min).max(max));
export const real = (min: number, max: number) => written(z.coerce.number().min(min).max(max));
/** One of a few words, in upper or lower case: `LOG_LEVEL=INFO` is as common as `info`. */
export const oneOf = <const T extends readonly [string, ...string[]]>(...words: T) =>
  z.preprocess((value) => (typeof value === 'string' ? value.trim().toLowerCase() : value), z.enum(words));
export const list = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value),
  z.array(z.string().min(1)),
);

/** Names of a list, `none` for no one. */
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

/** Where a Redis (or Valkey) is, and what it wants to be told. */
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

/** `redis[s]://[user[:password]@]host[:port][/database]`; undefined: it is none. */
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

/** The address of a Redis, or '' for none. What is wrong with it is not repeated: it may hold a password. */
export const redisUrl = z
  .string()
  .refine(
    (text) => text === '' || redisAddressOf(text) !== undefined,
    'redis://[user:password@]host[:port][/database], or rediss:// for TLS (%XX for what is special in a password)',
  );

export const fleetName = z
  .string()
  .regex(/^[\w.-]{1,64}$/, 'up to 64 letters, digits, points, dashes and underscores');
