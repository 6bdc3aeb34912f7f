/**
 * What each token of a model adds to the text. Words are told apart by spaces, and characters of scripts that write none
 * (Chinese, Japanese) are words of their own, so that each has its times.
 */
import type { Manifest } from '../models/manifest.js';
import { CHARACTER_SCRIPTS, lettersOf, localeOf, styleOf, textOf } from '../models/vocabulary.js';

/**
 * How a part of a text joins the word before it.
 *
 *   letters    goes on with it, unless a space stands between; a word of its own behind a script without spaces
 *   mark       punctuation: goes on with it, whatever it is
 *   character  Chinese and Japanese: a word of its own, without a space to another character
 *   unspaced   Thai, Lao, Khmer, Burmese: a word of its own without a space, as there is no telling where words end
 */
export type PartKind = 'letters' | 'mark' | 'character' | 'unspaced';

export interface Part {
  readonly text: string;
  readonly kind: PartKind;
  /** A space stands before it. */
  readonly beginsWord: boolean;
}

/** What a token adds to the text: where it begins a word, and its letters. Specials like <unk> add nothing. */
export interface Piece {
  readonly beginsWord: boolean;
  readonly text: string;
  /** The parts of the text, where it is more than letters of one word. */
  readonly parts?: readonly Part[];
  /** A space stands behind it. */
  readonly endsWord?: boolean;
  /** In place of a text: bytes of UTF-8 that make characters with those of their neighbours. */
  readonly bytes?: readonly number[];
  /** Those characters are read in small letters. */
  readonly small?: boolean;
}

const CHARACTER = `(?=[\\p{L}\\p{N}])[${CHARACTER_SCRIPTS}]`;
const UNSPACED = '[\\p{scx=Thai}\\p{scx=Lao}\\p{scx=Khmer}\\p{scx=Myanmar}]';
const PARTS = new RegExp(
  `(?<space>[\\s\\p{Cc}]+)|(?<mark>[\\p{P}\\p{S}]+)|(?<character>${CHARACTER}\\p{M}*)|(?<unspaced>${UNSPACED}+)` +
    `|(?<letters>(?:(?!${CHARACTER}|${UNSPACED})[^\\s\\p{Cc}])+)`,
  'gu',
);
/** Most pieces of most models: nothing to take apart. */
const LATIN = /^[a-z']*[a-z]$/iu;
const BEGINS_WITH_CHARACTER = new RegExp(`^\\p{P}*${CHARACTER}`, 'u');
const ENDS_IN_CHARACTER = new RegExp(`${CHARACTER}\\p{M}*\\p{P}*$`, 'u');

/** Takes a text apart; `beginsWord` of a part: a space stands before it. `endsWord`: one stands behind the last. */
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

/** How a model's manifest says that its tokens are to be read; what it does not say the tokens show. */
export type Reading = Partial<Pick<Manifest, 'tokenStyle' | 'letterCase' | 'language'>>;

/** The pieces of a model's tokens, by id. A vocabulary of capitals alone is read in small letters. */
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

/** Does a space stand between two texts that follow each other? Not between characters of scripts that write none. */
export const spaceBetween = (before: string, after: string): boolean =>
  !(ENDS_IN_CHARACTER.test(before) && BEGINS_WITH_CHARACTER.test(after));

/** Segments in a row as one text. */
export function joinTexts(texts: readonly string[]): string {
  let all = '';
  for (const [i, text] of texts.entries()) {
    all += `${i > 0 && spaceBetween(texts[i - 1] ?? '', text) ? ' ' : ''}${text}`;
  }
  return all;
}
