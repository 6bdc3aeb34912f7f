/**
 * Which languages a model can be told to use. Most models know one; a multilingual model takes a language number per
 * stream.
 */
import type { Manifest } from './manifest.js';

/** The fields of a manifest that say which languages a model knows. */
export type Spoken = Pick<Manifest, 'language' | 'prompts'>;

const primary = (tag: string): string => tag.toLowerCase().split(/[-_]/)[0] ?? '';
const same = (a: string, b: string): boolean =>
  a.toLowerCase().replace('_', '-') === b.toLowerCase().replace('_', '-');

/**
 * The number that tells a multilingual model the language: that of the exact tag, or else of the first tag with the
 * same language (`de` gives `de-DE`, `en-NZ` gives `en-US`). Null if no tag matches; undefined if the model cannot be
 * told a language.
 */
export function promptOf({ prompts }: Spoken, language: string): number | null | undefined {
  if (prompts === undefined) return undefined;
  const { auto, languages } = prompts;
  if (language === '' || primary(language) === 'auto') return auto;
  const tags = Object.keys(languages);
  const tag = tags.find((it) => same(it, language)) ?? tags.find((it) => primary(it) === primary(language));
  return tag === undefined ? null : (languages[tag] ?? null);
}

/** Languages that the manifest names: `zh,en` means two. */
export const ownLanguages = ({ language }: Spoken): string[] => language.split(',').map(primary);

/** Whether the language is the model's own, in any region, or one that it can be told to use. */
export function speaks(spoken: Spoken, language: string): boolean {
  if (ownLanguages(spoken).includes(primary(language))) return true;
  return typeof promptOf(spoken, language) === 'number';
}

/** For display: `en`, or `en-US, de-DE, …`. */
export function languagesOf({ language, prompts }: Spoken): string {
  return prompts === undefined ? language : Object.keys(prompts.languages).join(', ');
}
