/**
 * What a token table shows about its own style: how tokens form words, and whether its letters are capitals.
 *
 *   sentencepiece   "▁hel" "lo"    ▁ (U+2581) begins a word; <0xE4> is a byte of UTF-8
 *   words           "hello"        every token is a word, or a character of a script without spaces
 *   characters      "h" … " "      words are separated by a token for the space
 *   byte-level      "Ġhel" "lo"    GPT-2 style: every character stands for a byte, Ġ for the space
 *   icefall-bytes   "▁ƌŊħ"         icefall's byte-level BPE: the same with another set of characters, ▁ for the space
 */
export const TOKEN_STYLES = ['sentencepiece', 'words', 'characters', 'byte-level', 'icefall-bytes'] as const;
export type TokenStyle = (typeof TOKEN_STYLES)[number];

/** Case of a vocabulary's letters. `capital`: case carries no information. `both`: case is part of the spelling. */
export type Letters = 'none' | 'small' | 'capital' | 'both';

const WORD_START = '\u2581';
const SPECIAL = /^\u2581?<[^<>\s]+>$/u;
const BYTE = /^<0x([0-9a-f]{2})>$/iu;
const SPACE_TOKEN = /^(?: |<space>)$/iu;

/** Specials such as <unk>, <blk> and <en-US> have no text. A byte token and the space token do. */
export const isSpecial = (token: string): boolean =>
  token.endsWith('>') && SPECIAL.test(token) && !BYTE.test(token) && !SPACE_TOKEN.test(token);

/** The byte that a token such as <0xE4> stands for. */
export function byteOf(token: string): number | null {
  const hex = token.endsWith('>') ? BYTE.exec(token)?.[1] : undefined;
  return hex === undefined ? null : Number.parseInt(hex, 16);
}

/** The token for a byte, as SentencePiece writes it. */
export const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

export const isSpaceToken = (token: string): boolean => SPACE_TOKEN.test(token);

/** The mapping between bytes and the characters that stand for them in a byte-level vocabulary. */
export interface ByteAlphabet {
  readonly chars: readonly string[];
  readonly bytes: ReadonlyMap<string, number>;
  /** Character for the space at the beginning of a word. */
  readonly space: string;
}

/** A byte stands for itself where `itself` is true; the others take the next `usable` character from U+0100 on. */
function alphabet(
  space: string,
  itself: (byte: number) => boolean,
  usable: (char: string) => boolean = () => true,
): ByteAlphabet {
  let code = 0x100;
  const chars = Array.from({ length: 256 }, (_, byte) => {
    if (itself(byte)) return String.fromCodePoint(byte);
    while (!usable(String.fromCodePoint(code))) code++;
    return String.fromCodePoint(code++);
  });
  const bytes = new Map(chars.map((char, byte) => [char, byte]));
  bytes.set(space, 0x20);
  return { chars, bytes, space };
}

/** GPT-2's `bytes_to_unicode`: printable Latin-1 characters stand for themselves. */
const GPT = alphabet('\u0120', (byte) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad));
/** icefall's `byte_utils.py`: ASCII stands for itself; characters that NFKC would change are not used. */
const ICEFALL = alphabet(
  WORD_START,
  (byte) => byte >= 0x20 && byte < 0x7f,
  (char) => char.normalize('NFKC') === char,
);

export const alphabetOf = (style: TokenStyle): ByteAlphabet | null =>
  style === 'byte-level' ? GPT : style === 'icefall-bytes' ? ICEFALL : null;

/** Bytes of a token of a byte-level vocabulary; null if one of its characters stands for no byte. */
export function bytesOfToken(token: string, { bytes }: ByteAlphabet): number[] | null {
  const found = [...token].map((char) => bytes.get(char));
  return found.includes(undefined) ? null : (found as number[]);
}

/** Whether the bytes could be part of UTF-8 text without control characters. Always true of a single byte. */
function cutFromText(bytes: readonly number[]): boolean {
  if (bytes.length > 1 && bytes.some((byte) => byte < 0x20)) return false;
  let at = 0;
  while (at < 3 && isContinuation(bytes[at])) at++;
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0);
    const rest = bytes.slice(at + 1, at + length);
    if (length === 0 || !rest.every(isContinuation)) return bytes.length === 1;
    at += length;
  }
  return true;
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Length of the UTF-8 sequence that begins with this byte; 0 if none does. */
function sequenceLength(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte >= 0xc2 && byte < 0xe0) return 2;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  return byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
}

/**
 * Takes whole characters from the front of `bytes`. The rest may be the start of another character. Invalid UTF-8 is
 * dropped.
 */
export function takeUtf8(bytes: readonly number[]): { text: string; rest: number[] } {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0);
    const rest = bytes.slice(at + 1, at + length);
    if (length === 0 || !rest.every(isContinuation)) {
      at++;
      continue;
    }
    if (rest.length + 1 < length) break;
    // Overlong forms and surrogates pass the check of the first byte; the decoder rejects them.
    const char = new TextDecoder().decode(Uint8Array.from(bytes.slice(at, at + length)));
    if (!char.includes('\ufffd')) text += char;
    at += length;
  }
  return { text, rest: bytes.slice(at) };
}

function isByteLevel(tokens: readonly string[], letters: ByteAlphabet): boolean {
  const beyondAscii = new RegExp(`[${letters.chars.slice(0x80).join('')}]`, 'u');
  if (!tokens.some((token) => beyondAscii.test(token))) return false;
  return tokens.every((token) => {
    const bytes = bytesOfToken(token, letters);
    return bytes !== null && cutFromText(bytes);
  });
}

/** The style that a table shows: see the top of this file. */
export function styleOf(tokens: readonly string[]): TokenStyle {
  const pieces = tokens.filter((token) => token !== '' && !isSpecial(token) && byteOf(token) === null);
  if (isByteLevel(pieces, ICEFALL)) return 'icefall-bytes';
  if (pieces.some((token) => token.includes(WORD_START))) return 'sentencepiece';
  if (
    pieces.some((token) => token.startsWith(GPT.space)) &&
    pieces.every((token) => bytesOfToken(token, GPT) !== null)
  ) {
    return 'byte-level';
  }
  return tokens.some(isSpaceToken) ? 'characters' : 'words';
}

/**
 * A token's text, with a space for each word that it begins; its bytes where they are not whole characters; '' if it
 * has no text.
 */
export function textOf(token: string, style: TokenStyle): string | readonly number[] {
  if (isSpecial(token)) return token.startsWith(WORD_START) ? ' ' : '';
  const byte = byteOf(token);
  if (byte !== null) return byte < 0x80 ? String.fromCodePoint(byte) : [byte];
  const letters = alphabetOf(style);
  if (letters !== null) {
    const bytes = bytesOfToken(token, letters);
    if (bytes === null) return token;
    const { text, rest } = takeUtf8(bytes);
    return rest.length === 0 && Buffer.byteLength(text) === bytes.length ? text : bytes;
  }
  if (isSpaceToken(token)) return ' ';
  const text = token.replaceAll(WORD_START, ' ');
  return style === 'words' && token !== '' && !text.startsWith(' ') ? ` ${text}` : text;
}

export function lettersOf(tokens: readonly string[], style: TokenStyle): Letters {
  let small = false;
  let capital = false;
  for (const token of tokens) {
    const text = textOf(token, style);
    if (typeof text !== 'string') continue;
    small ||= text !== text.toUpperCase();
    capital ||= text !== text.toLowerCase();
  }
  if (small) return capital ? 'both' : 'small';
  return capital ? 'capital' : 'none';
}

/** Scripts in which every character counts as a word; to be used inside a regular expression's character class. */
export const CHARACTER_SCRIPTS = '\\p{scx=Han}\\p{scx=Hiragana}\\p{scx=Katakana}\\p{scx=Bopomofo}';

/** The language in the form that the letter-case functions take; undefined if they do not know it. */
export function localeOf(language: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(language)[0];
  } catch {
    return undefined;
  }
}
