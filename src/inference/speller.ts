/** Spells phrases with the tokens of a vocabulary, as its tokenizer would. */
import type { Manifest } from '../models/manifest.js';
import {
  alphabetOf,
  byteOf,
  byteToken,
  CHARACTER_SCRIPTS,
  isSpaceToken,
  isSpecial,
  type Letters,
  lettersOf,
  localeOf,
  styleOf,
  type TokenStyle,
} from '../models/vocabulary.js';

const WORD_START = '\u2581';
/** Runs of characters written without spaces, and the text between them. */
const RUNS = new RegExp(`[${CHARACTER_SCRIPTS}]+|[^${CHARACTER_SCRIPTS}]+`, 'gu');
const CHARACTERS = new RegExp(`^[${CHARACTER_SCRIPTS}]`, 'u');

/** Facts from the manifest about the vocabulary; missing ones are detected from the tokens. */
export type VocabularyFacts = Partial<Pick<Manifest, 'tokenStyle' | 'language'>>;

type Ids = readonly number[];

/** Cost of a byte: higher than any token, so bytes are the last resort. */
const BYTE_COST = 20;
/** BPE tokens consist of two others, except for a few added ones; this is the largest share of those. */
const MOST_ADDED = 0.05;

/**
 * Splits words into the tokens of a vocabulary: whole words; BPE, whose ids are in merge order; or a unigram model,
 * whose ids are in order of frequency.
 */
export class PieceSpeller {
  private readonly ids = new Map<string, number>();
  private readonly style: TokenStyle;
  private readonly letters: Letters;
  private readonly locale: string | undefined;
  /** The token between words, if there is one. */
  private readonly space: number | null;
  /** The tokens are from BPE. */
  private readonly merges: boolean;
  /** Characters. */
  private readonly longestPiece: number = 0;

  constructor(tokens: readonly string[], facts: VocabularyFacts = {}) {
    for (const [id, piece] of tokens.entries()) {
      if (piece !== '' && !isSpecial(piece)) this.ids.set(piece, id);
    }
    this.style = facts.tokenStyle ?? styleOf(tokens);
    this.letters = lettersOf(tokens, this.style);
    this.locale = localeOf(facts.language ?? '');
    const space = tokens.findIndex(isSpaceToken);
    this.space = this.style === 'characters' && space >= 0 ? space : null;
    this.merges = this.isBpe();
    for (const piece of this.ids.keys()) this.longestPiece = Math.max(this.longestPiece, piece.length);
  }

  private isBpe(): boolean {
    let added = 0;
    for (const piece of this.ids.keys()) {
      if (byteOf(piece) === null && !this.isMerge(piece)) added++;
      if (added > MOST_ADDED * this.ids.size) return false;
    }
    return true;
  }

  private isMerge(piece: string): boolean {
    const first = piece.codePointAt(0) ?? 0;
    for (let at = 1; at < piece.length; at++) {
      if (this.ids.has(piece.slice(0, at)) && this.ids.has(piece.slice(at))) return true;
    }
    return piece.length <= String.fromCodePoint(first).length;
  }

  /**
   * The spellings of a phrase in the vocabulary's case; several if case matters. None if the vocabulary has neither a
   * word nor its letters.
   */
  spellings(phrase: string): Ids[] {
    const found = new Map<string, Ids>();
    for (const cased of this.casesOf(phrase.normalize('NFC').trim())) {
      const ids = this.spellCased(cased);
      if (ids !== null) found.set(ids.join(), ids);
    }
    return [...found.values()];
  }

  private casesOf(phrase: string): string[] {
    const small = phrase.toLocaleLowerCase(this.locale);
    const capital = phrase.toLocaleUpperCase(this.locale);
    if (this.letters === 'capital') return [capital];
    if (this.letters !== 'both') return [small];
    const names = small.replace(/(?<=^|\s)\p{L}/gu, (letter) => letter.toLocaleUpperCase(this.locale));
    return [phrase, small, names, capital];
  }

  private spellCased(phrase: string): Ids | null {
    const words = phrase.split(/\s+/).filter(Boolean);
    const ids: number[] = [];
    for (const [i, word] of words.entries()) {
      if (i > 0 && this.space !== null) ids.push(this.space);
      for (const run of word.match(RUNS) ?? []) {
        const spelled = this.spellRun(run);
        if (spelled === null) return null;
        ids.push(...spelled);
      }
    }
    return ids.length === 0 ? null : ids;
  }

  /** Spells a word, or a run of characters written without spaces. */
  private spellRun(run: string): Ids | null {
    const isCharacters = CHARACTERS.test(run);
    const alphabet = alphabetOf(this.style);
    if (alphabet !== null) {
      const named = (text: string) =>
        alphabet.space + [...Buffer.from(text)].map((byte) => alphabet.chars[byte]).join('');
      // icefall separates such characters by spaces before it trains a tokenizer; GPT-2 does not.
      if (isCharacters && this.style === 'icefall-bytes') {
        const each = [...run].map((char) => this.spellPieces(named(char)));
        return each.includes(null) ? null : each.flatMap((ids) => ids ?? []);
      }
      return this.spellPieces(named(run)) ?? this.spellPieces(named(run).slice(alphabet.space.length));
    }
    if (this.style !== 'sentencepiece') return this.spellPieces(run);
    const forms = isCharacters ? [run, WORD_START + run] : [WORD_START + run];
    for (const form of forms) {
      const ids = this.spellPieces(form);
      if (ids !== null) return ids;
    }
    return null;
  }

  private spellPieces(text: string): Ids | null {
    const whole = this.ids.get(text);
    if (whole !== undefined) return [whole];
    const ids = this.merges ? this.merge([...text]) : this.likeliest([...text]);
    return ids === null || ids.includes(null) ? null : (ids as number[]);
  }

  /** BPE: merges the neighbours whose merge was learnt first, repeatedly. */
  private merge(parts: string[]): (number | null)[] {
    for (;;) {
      let best = -1;
      let bestId = Number.POSITIVE_INFINITY;
      for (let i = 0; i + 1 < parts.length; i++) {
        const id = this.ids.get(parts[i]! + parts[i + 1]!) ?? Number.POSITIVE_INFINITY;
        if (id < bestId) [best, bestId] = [i, id];
      }
      if (best < 0) break;
      parts.splice(best, 2, parts[best]! + parts[best + 1]!);
    }
    return parts.flatMap((part) => this.ids.get(part) ?? this.spellBytes(part));
  }

  /** Unigram vocabulary: the most likely split, with frequencies estimated from the ids by Zipf's law. */
  private likeliest(chars: readonly string[]): (number | null)[] | null {
    const text = chars.join('');
    const ends = [0];
    for (const char of chars) ends.push(ends.at(-1)! + char.length);
    /** For each position: the lowest cost to reach it, the position before, and the tokens of that step. */
    const ways: ({ cost: number; from: number; ids: (number | null)[] } | undefined)[] = [
      { cost: 0, from: 0, ids: [] },
    ];
    const offer = (at: number, cost: number, from: number, ids: (number | null)[]) => {
      if (cost < (ways[at]?.cost ?? Number.POSITIVE_INFINITY)) ways[at] = { cost, from, ids };
    };
    for (const [from, char] of chars.entries()) {
      const way = ways[from];
      if (way === undefined) continue;
      const longest = Math.min(chars.length, from + this.longestPiece);
      for (let to = from + 1; to <= longest; to++) {
        const id = this.ids.get(text.slice(ends[from], ends[to]));
        if (id !== undefined) offer(to, way.cost + Math.log(id + 2), from, [id]);
      }
      const bytes = this.spellBytes(char);
      const cost = bytes.includes(null) ? Number.POSITIVE_INFINITY : BYTE_COST * bytes.length;
      offer(from + 1, way.cost + cost, from, bytes);
    }
    const ids: (number | null)[][] = [];
    for (let at = chars.length; at > 0; ) {
      const way = ways[at];
      if (way === undefined) return null;
      ids.unshift(way.ids);
      at = way.from;
    }
    return ids.flat();
  }

  /** Spells a character that is not a token as bytes, if the vocabulary has them. */
  private spellBytes(char: string): (number | null)[] {
    return [...Buffer.from(char)].map((byte) => this.ids.get(byteToken(byte)) ?? null);
  }
}
