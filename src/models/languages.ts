/** Which languages a model can be told. Most know one; a multilingual one is told the language of each stream by a number. */
import type { Manifest } from './manifest.js';

/** The facts of a manifest that say which languages a model knows. */
export type Spoken = Pick<Manifest, 'language' | 'prompts'>;

const primary = (tag: string): string => tag.toLowerCase().split(/[-_]/)[0] ?? '';
const same = (a: string, b: string): boolean =>
  a.toLowerCase().replace('_', '-') === b.toLowerCase().replace('_', '-');

/**
 * The number by which a multilingual model is told a language: of that very tag, else of the first with the same language (`de` is
 * `de-DE`, `en-NZ` is `en-US`). Null if it has none; undefined if the model cannot be told.
 */
export function promptOf({ prompts }: Spoken, language: string): number | null | undefined {
  if (prompts === undefined) return undefined;
  const { auto, languages } = prompts;
  if (language === '' || primary(language) === 'auto') return auto;
  const tags = Object.keys(languages);
  const tag = tags.find((it) => same(it, language)) ?? tags.find((it) => primary(it) === primary(language));
  return tag === undefined ? null : (languages[tag] ?? null);
}

/** Languages that the model's manifest names: `zh,en` are two. */
export const ownLanguages = ({ language }: Spoken): string[] => language.split(',').map(primary);

/** The language is the model's own, in whatever region, or one that it can be told. */
export function speaks(spoken: Spoken, language: string): boolean {
  if (ownLanguages(spoken).includes(primary(language))) return true;
  return typeof promptOf(spoken, language) === 'number';
}

/** For people: `en`, or `en-US, de-DE, …`. */
export function languagesOf({ language, prompts }: Spoken): string {
  return prompts === undefined ? language : Object.keys(prompts.languages).join(', ');
}
