/**
 * What each token of a model adds to the text. Spaces separate words. Characters of scripts written without spaces
 * (Chinese, Japanese) are words of their own, so that each has its times.
 */
import type { Manifest } from '../models/manifest.js';
import { CHARACTER_SCRIPTS, lettersOf, localeOf, styleOf, textOf } from '../models/vocabulary.js';

/**
 * How a part of a text joins the word before it.
 *
 *    letters    continues the word, unless a space separates them; begins a new word after a script without spaces
 *    mark       punctuation: always continues the word
 *    character  Chinese and Japanese: a word of its own, with no space to another character
 *    unspaced   Thai, Lao, Khmer, Burmese: a word of its own without a space, since word boundaries are unknown
 */
export type PartKind = 'letters' | 'mark' | 'character' | 'unspaced';

export interface Part {
  readonly text: string;
  readonly kind: PartKind;
  /** A space precedes it. */
  readonly beginsWord: boolean;
}

/** What a token adds to the text: whether it begins a word, and its letters. Specials such as <unk> add nothing. */
export interface Piece {
  readonly beginsWord: boolean;
  readonly text: string;
  /** The parts of the text, if it is more than the letters of one word. */
  readonly parts?: readonly Part[];
  /** A space follows it. */
  readonly endsWord?: boolean;
  /** Instead of a text: bytes of UTF-8 that form characters together with those of neighbouring tokens. */
  readonly bytes?: readonly number[];
  /** Those characters are converted to lower case. */
  readonly small?: boolean;
}

const CHARACTER = `(?=[\\p{L}\\p{N}])[${CHARACTER_SCRIPTS}]`;
const UNSPACED = '[\\p{scx=Thai}\\p{scx=Lao}\\p{scx=Khmer}\\p{scx=Myanmar}]';
const PARTS = new RegExp(
  `(?<space>[\\s\\p{Cc}]+)|(?<mark>[\\p{P}\\p{S}]+)|(?<character>${CHARACTER}\\p{M}*)|(?<unspaced>${UNSPACED}+)` +
    `|(?<letters>(?:(?!${CHARACTER}|${UNSPACED})[^\\s\\p{Cc}])+)`,
  'gu',
);
/** Most pieces of most models: nothing to split. */
const LATIN = /^[a-z']*[a-z]$/iu;
const BEGINS_WITH_CHARACTER = new RegExp(`^\\p{P}*${CHARACTER}`, 'u');
const ENDS_IN_CHARACTER = new RegExp(`${CHARACTER}\\p{M}*\\p{P}*$`, 'u');

/** Splits a text into parts. `beginsWord`: a space precedes the part. `endsWord`: a space follows the last part. */
export function partsOf(text: string): { parts: Part[]; endsWord: boolean } {
  const parts: Part[] = [];
  let beginsWord = false;
  for (const { groups = {} } of text.matchAll(PARTS)) {
    const found = Object.entries(groups).find(([, value]) => value !== undefined);
    if (found === undefined) continue;
    const [kind, part] = found as [PartKind | 'space', string];
    if (kind !== 'space') parts.push({ text: part, kind, beginsWord });
    beginsWord = kind === 'space';
  }
  return { parts, endsWord: beginsWord };
}

function pieceOf(text: string): Piece {
  const letters = text.startsWith(' ') ? text.slice(1) : text;
  if (letters === '' || LATIN.test(letters)) return { beginsWord: text !== letters, text: letters };
  const { parts, endsWord } = partsOf(text);
  const beginsWord = parts[0]?.beginsWord ?? endsWord;
  const whole = parts.map((part) => part.text).join('');
  const oneWord = parts.every(
    ({ kind, beginsWord: begins }, i) => (kind === 'letters' || kind === 'mark') && (i === 0 || !begins),
  );
  const justMarks = parts.every(({ kind }) => kind === 'mark');
  if (oneWord && !justMarks && !endsWord) return { beginsWord, text: whole };
  return { beginsWord, text: whole, ...(parts.length > 0 && { parts, endsWord }) };
}

/** How the manifest says the tokens are to be read; what it leaves out is detected from the tokens. */
export type Reading = Partial<Pick<Manifest, 'tokenStyle' | 'letterCase' | 'language'>>;

/** The pieces of a model's tokens, by id. A vocabulary in capitals only is converted to lower case. */
export function pieceTable(tokens: readonly string[], reading: Reading = {}): Piece[] {
  const style = reading.tokenStyle ?? styleOf(tokens);
  const small =
    (reading.letterCase ?? (lettersOf(tokens, style) === 'capital' ? 'lower' : 'keep')) === 'lower';
  const locale = localeOf(reading.language ?? '');
  return tokens.map((token) => {
    const text = textOf(token, style);
    if (typeof text !== 'string') return { beginsWord: false, text: '', bytes: text, small };
    return pieceOf(small ? text.toLocaleLowerCase(locale) : text);
  });
}

/**
 * Whether a space belongs between two consecutive texts. Characters of scripts without spaces have none between them.
 */
export const spaceBetween = (before: string, after: string): boolean =>
  !(ENDS_IN_CHARACTER.test(before) && BEGINS_WITH_CHARACTER.test(after));

/** Consecutive segments as one text. */
export function joinTexts(texts: readonly string[]): string {
  let all = '';
  for (const [i, text] of texts.entries()) {
    all += `${i > 0 && spaceBetween(texts[i - 1] ?? '', text) ? ' ' : ''}${text}`;
  }
  return all;
}
