/** Settings as SDKs put them into addresses: booleans and lists in the several forms that they have. */
import { LIMITS } from '../limits.js';
import { parseHotword } from './parse.js';
import type { RecordingConfig } from './types.js';

/** `true`, `True`, `1`, `yes` and a name without a value; null is what was not given. */
export const isYes = (value: string | null): boolean =>
  value !== null && ['', 'true', '1', 'yes', 'on'].includes(value.trim().toLowerCase());

/** `false`, `False`, `0`, `no`. */
export const isNo = (value: string | null): boolean =>
  value !== null && ['false', '0', 'no', 'off'].includes(value.trim().toLowerCase());

/** A number; undefined for what is none. */
export function numberIn(value: unknown): number | undefined {
  const isText = typeof value === 'string' && value.trim() !== '';
  const number = isText || typeof value === 'number' ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** A list in a parameter in a message: no client has more, and a frame has room for 30,000. */
const MOST_LEVELS = 4;

/** Texts of a repeated parameter, each of which may be a JSON list of several. What lies deeper than anybody means is left out. */
export function textsIn(values: readonly unknown[], levels = MOST_LEVELS): string[] {
  if (levels === 0) return [];
  return values.flatMap((value) => {
    if (Array.isArray(value)) return textsIn(value, levels - 1);
    if (typeof value !== 'string') return [];
    if (!value.startsWith('[')) return [value];
    try {
      return textsIn(JSON.parse(value) as unknown[], levels - 1);
    } catch {
      return [value];
    }
  });
}

const MOST_BOOST = 20;

/** Phrases as hotwords, `phrase:boost` included. What is too long or too many is left out: there is no message for it. */
export function hotwordsIn(values: readonly unknown[]): RecordingConfig['hotwords'] {
  return textsIn(values)
    .map((text) => parseHotword(text.trim()))
    .filter(({ phrase }) => phrase !== '' && phrase.length <= LIMITS.maxHotwordChars)
    .slice(0, LIMITS.maxHotwords)
    .map(({ phrase, boost = 2 }) => ({
      phrase,
      boost: Math.max(-MOST_BOOST, Math.min(MOST_BOOST, boost)),
    }));
}

/** Milliseconds of silence as the seconds that a recording may wait for: what is out of bounds is moved to the nearest. */
export const silenceSeconds = (ms: number): number =>
  Math.max(LIMITS.minSilenceSeconds, Math.min(LIMITS.maxSilenceSeconds, ms / 1000));
