/** Reads settings from URLs as SDKs write them, with their various forms of booleans and lists. */
import { LIMITS } from '../limits.js';
import { parseHotword } from './parse.js';
import type { RecordingConfig } from './types.js';

/** True for `true`, `True`, `1`, `yes` and a name without a value; null means not given. */
export const isYes = (value: string | null): boolean =>
  value !== null && ['', 'true', '1', 'yes', 'on'].includes(value.trim().toLowerCase());

/** True for `false`, `False`, `0`, `no`. */
export const isNo = (value: string | null): boolean =>
  value !== null && ['false', '0', 'no', 'off'].includes(value.trim().toLowerCase());

/** A number; undefined if it is none. */
export function numberIn(value: unknown): number | undefined {
  const isText = typeof value === 'string' && value.trim() !== '';
  const number = isText || typeof value === 'number' ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** Depth of nested lists: a list in a parameter in a message. No client sends more, and a frame has room for 30,000. */
const MOST_LEVELS = 4;

/** Texts of a repeated parameter, each of which may be a JSON list. Lists nested too deeply are ignored. */
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

/**
 * Phrases as hotwords, including `phrase:boost`. Too long or too many are ignored, since there is no message to report
 * it.
 */
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

/** Milliseconds of silence as seconds, clamped to the range of the setting. */
export const silenceSeconds = (ms: number): number =>
  Math.max(LIMITS.minSilenceSeconds, Math.min(LIMITS.maxSilenceSeconds, ms / 1000));
