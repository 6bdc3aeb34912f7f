/**
 * Turns tokens into words. A space in the tokens' text begins a word, and so does every character of a script without
 * spaces (pieces.ts). Bytes are collected until they form characters.
 *
 * Times. A transducer emits a token in some frame. A word starts at the start of its first token's frame plus
 * `startShiftMs`, and ends at the end of its last token's frame plus `endShiftMs`. Both shifts are in the model's
 * manifest; they were fitted to an alignment at training time and undo the model's emission delay. A model may give
 * more: a token's age (frames since its sound ended) and its span (frames from its first to its last). The word then
 * starts with the first of these frames and ends with the last. A token says little about where its word ends, so voice
 * activity refines the end: while the frames after it are speech, the end moves to the end of that speech plus
 * `speechEndShiftMs`, by at most `MAX_TAIL_MS` and never into the next word.
 *
 * Confidence. The mean log-probability of a word's tokens, as a probability p, calibrated on held-out speech:
 * sigmoid(scale · logit(p) + bias).
 */
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import { takeUtf8 } from '../models/vocabulary.js';
import { type PartKind, type Piece, partsOf } from './pieces.js';

/** Times in samples at 16 kHz from the start of the recording. */
export interface Word {
  text: string;
  startSamples: number;
  endSamples: number;
  tokens: number;
  logpSum: number;
  /** No space separates it from the word before it. */
  joined?: boolean;
}

const SAMPLES_PER_MS = LIMITS.sampleRateHz / 1000;
/** A vowel sign or tone mark belongs to the letter before it. */
const COMBINING = /^\p{M}/u;
/** Longer speech after a word's last token does not belong to that word. */
const MAX_TAIL_MS = 300;
/** Frames of voice activity kept, one bit each. A word emitted later than this after its end ends with its token. */
const REMEMBERED_FRAMES = 32;

export interface TokenTiming {
  readonly frameSamples: number;
  readonly startShiftSamples: number;
  readonly endShiftSamples: number;
  /** Null: word ends come from tokens alone. */
  readonly speechEndShiftSamples: number | null;
}

export function tokenTiming(manifest: Manifest): TokenTiming {
  const { startShiftMs, endShiftMs, speechEndShiftMs } = manifest.timing;
  return {
    frameSamples: manifest.chunkSamples / manifest.framesPerChunk,
    startShiftSamples: startShiftMs * SAMPLES_PER_MS,
    endShiftSamples: endShiftMs * SAMPLES_PER_MS,
    speechEndShiftSamples: speechEndShiftMs === undefined ? null : speechEndShiftMs * SAMPLES_PER_MS,
  };
}

/** The audio and confidence behind a text: its samples, number of tokens and sum of their log-probabilities. */
interface Spoken {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  readonly logpSum: number;
}

/** Bytes of an incomplete character. */
interface Tail extends Spoken {
  readonly bytes: readonly number[];
}

/** A word list as plain data: its fields by name. */
export interface WordListState {
  readonly words: readonly Word[];
  readonly opening: boolean;
  readonly lastKind: PartKind;
  readonly tail: Tail | null;
  readonly takenUntil: number;
  readonly tokenEnd: number;
  readonly heard: number;
  readonly heardUntil: number;
}

/** The words of one segment, growing token by token. Emitted tokens are final; a preview goes into a draft. */
export class WordList {
  readonly words: Word[] = [];
  /** A word has begun with a bare ▁ and has no letters yet. */
  private opening = false;
  /** Kind of the end of the last word: letters continue letters, but not a character. */
  private lastKind: PartKind = 'letters';
  private tail: Tail | null = null;
  /** End of the last word taken; no word begins before it. */
  private takenUntil = 0;
  /** End of the last word according to its tokens. */
  private tokenEnd = 0;
  /** Voice activity of the latest frames, one bit each, the newest lowest; and where the newest ends. */
  private heard = 0;
  private heardUntil = 0;
  private readonly pieces: readonly Piece[];
  private readonly timing: TokenTiming;

  constructor(pieces: readonly Piece[], timing: TokenTiming) {
    this.pieces = pieces;
    this.timing = timing;
  }

  get isEmpty(): boolean {
    return this.words.length === 0;
  }

  /** Whether the token has letters, or bytes that may become letters. */
  hasText(token: number): boolean {
    const piece = this.pieces[token];
    return piece !== undefined && (piece.text !== '' || piece.bytes !== undefined);
  }

  /**
   * Adds the token emitted in the frame that starts at `frameStart` samples. True if the text changed.
   * @param age frames since its sound ended; negative values count as zero
   * @param span frames from its first to its last
   */
  add(token: number, logp: number, frameStart: number, age = 0, span = 0): boolean {
    const piece = this.pieces[token];
    if (piece === undefined) return false;
    const { frameSamples, startShiftSamples, endShiftSamples } = this.timing;
    const lastFrame = frameStart - Math.max(0, age) * frameSamples;
    const start = lastFrame - Math.max(0, span) * frameSamples + startShiftSamples;
    const spoken = { start, end: lastFrame + frameSamples + endShiftSamples, tokens: 1, logpSum: logp };
    const changed = piece.bytes === undefined ? this.addText(piece, spoken) : this.addBytes(piece, spoken);
    // For a token with an age, the frames after its end were heard before the token came.
    if (changed && age > 0) this.followSpeech();
    return changed;
  }

  private addText(piece: Omit<Piece, 'bytes'>, spoken: Spoken): boolean {
    this.tail = null;
    const { parts = null } = piece;
    if (parts !== null) {
      const step = (spoken.end - spoken.start) / parts.length;
      for (const [i, { text, kind, beginsWord }] of parts.entries()) {
        const start = spoken.start + i * step;
        this.addPart(text, kind, beginsWord, { ...spoken, start, end: start + step });
      }
    } else if (piece.text !== '') {
      this.addPart(piece.text, 'letters', piece.beginsWord, spoken);
    }
    if (piece.text === '' ? piece.beginsWord : piece.endsWord) this.opening = true;
    return piece.text !== '';
  }

  /** Adds the characters that the bytes complete; bytes of an incomplete character wait for more. */
  private addBytes({ bytes = [], small = false }: Piece, spoken: Spoken): boolean {
    const { tail } = this;
    const { text, rest } = takeUtf8(tail === null ? bytes : [...tail.bytes, ...bytes]);
    const since =
      tail === null
        ? spoken
        : {
            start: tail.start,
            end: Math.max(tail.end, spoken.end),
            tokens: tail.tokens + spoken.tokens,
            logpSum: tail.logpSum + spoken.logpSum,
          };
    if (text !== '') {
      const { parts, endsWord } = partsOf(small ? text.toLowerCase() : text);
      const shown = parts.map((part) => part.text).join('');
      this.addText({ beginsWord: endsWord, text: shown, parts, endsWord }, since);
    }
    // The tokens so far count towards the completed character; an incomplete one counts from the tokens that follow.
    const left = text === '' ? since : { ...spoken, tokens: 0, logpSum: 0 };
    this.tail = rest.length === 0 ? null : { ...left, bytes: rest };
    return text !== '';
  }

  private addPart(text: string, kind: PartKind, spaced: boolean, spoken: Spoken): void {
    const last = this.words.at(-1);
    const begins = spaced || this.opening;
    this.opening = false;
    if (last === undefined || this.isNext(last, text, kind, begins)) {
      const joined = kind === 'character' ? this.lastKind === kind : !begins && this.lastKind === kind;
      this.begin(text, spoken, last !== undefined && joined);
      this.tokenEnd = spoken.end;
      this.lastKind = kind === 'mark' ? 'letters' : kind;
      return;
    }
    last.text += text;
    last.endSamples = Math.max(last.endSamples, spoken.end);
    last.tokens += spoken.tokens;
    last.logpSum += spoken.logpSum;
    this.tokenEnd = Math.max(this.tokenEnd, spoken.end);
  }

  /** Whether it is a new word after `last`. */
  private isNext(last: Word, text: string, kind: PartKind, begins: boolean): boolean {
    if (begins || kind === 'character' || last.tokens >= LIMITS.maxWordTokens) return true;
    if (kind === 'unspaced') return this.lastKind !== kind || !COMBINING.test(text);
    return kind === 'letters' && this.lastKind !== 'letters';
  }

  /** Takes the voice activity of the frame that starts at `frameStart`, after its tokens. Frames come in order. */
  hear(speech: boolean, frameStart: number): void {
    this.heard = (this.heard << 1) | (speech ? 1 : 0);
    this.heardUntil = frameStart + this.timing.frameSamples;
    this.followSpeech();
  }

  /** Moves the last word's end to the end of the speech that continues from it, as far as heard. */
  private followSpeech(): void {
    const { frameSamples, speechEndShiftSamples: shift } = this.timing;
    const last = this.words.at(-1);
    if (last === undefined || shift === null) return;
    const latest = this.tokenEnd + MAX_TAIL_MS * SAMPLES_PER_MS;
    let frames = Math.floor((this.heardUntil - this.tokenEnd) / frameSamples);
    if (frames > REMEMBERED_FRAMES) return;
    while (frames > 0 && (this.heard >>> (frames - 1)) & 1) {
      frames--;
      const speechEnd = this.heardUntil - frames * frameSamples + shift;
      last.endSamples = Math.max(last.endSamples, Math.min(speechEnd, latest));
    }
  }

  /** After a flush, the next frames do not follow the previous ones. */
  forgetSpeech(): void {
    this.heard = 0;
  }

  /** A separate list that continues from here: a copy of the last word, if any, and what is added to it. */
  draft(): WordList {
    const draft = new WordList(this.pieces, this.timing);
    const last = this.words.at(-1);
    draft.restore({ ...this.place(), words: last === undefined ? [] : [{ ...last }] });
    return draft;
  }

  /** Everything that decides how the list continues, except the words. */
  private place() {
    const { opening, lastKind, takenUntil, tokenEnd, heard, heardUntil } = this;
    return { opening, lastKind, tail: this.tail, takenUntil, tokenEnd, heard, heardUntil };
  }

  /** All of it, as plain data. */
  save(): WordListState {
    return { ...this.place(), words: this.words.map((word) => ({ ...word })) };
  }

  /** Continues from a saved state. Only on a new list. */
  restore({ words, ...place }: WordListState): void {
    Object.assign(this, place);
    this.words.push(...words);
  }

  private begin(text: string, { start, end, tokens, logpSum }: Spoken, joined: boolean): void {
    const last = this.words.at(-1);
    const startSamples = Math.max(start, last?.startSamples ?? this.takenUntil);
    if (last && last.endSamples > startSamples) last.endSamples = startSamples;
    this.words.push({
      text,
      startSamples,
      endSamples: Math.max(end, startSamples),
      tokens,
      logpSum,
      ...(joined && { joined }),
    });
  }

  /** Takes the words before the last, which may still grow; a single word is taken as it is. */
  takeComplete(audioEnd: number): Word[] {
    return this.take(Math.max(1, this.words.length - 1), audioEnd);
  }

  takeAll(audioEnd: number): Word[] {
    this.opening = false;
    this.tail = null;
    return this.take(this.words.length, audioEnd);
  }

  /** The first words, with times limited to the audio: a token can come out during a flush. */
  private take(count: number, audioEnd: number): Word[] {
    const taken = this.words.splice(0, count);
    for (const word of taken) {
      word.endSamples = Math.min(word.endSamples, audioEnd);
      word.startSamples = Math.min(word.startSamples, word.endSamples);
      this.takenUntil = word.endSamples;
    }
    return taken;
  }
}

/** Calibrated probability that a word is right, 0–1. */
export function wordConfidence(word: Word, calibration: Manifest['confidence']): number {
  const p = Math.min(1 - 1e-6, Math.max(1e-6, Math.exp(word.logpSum / word.tokens)));
  const logit = Math.log(p / (1 - p));
  return 1 / (1 + Math.exp(-(calibration.scale * logit + calibration.bias)));
}

export function joinWords(words: readonly Word[]): string {
  let text = '';
  for (const [i, word] of words.entries()) text += i > 0 && !word.joined ? ` ${word.text}` : word.text;
  return text;
}
