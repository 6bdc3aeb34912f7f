/** What the values of options may be, as flags and environment variables write them. */
import { z } from 'zod';

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
