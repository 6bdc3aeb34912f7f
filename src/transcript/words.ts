/**
 * Tokens to words. A space in the tokens' text begins a word, and so does every character of a script without spaces
 * (pieces.ts). Bytes are gathered until they are characters.
 *
 * Times. A transducer emits a token in some frame; the word's start is the start of its first token's frame plus
 * `startShiftMs`, its end the end of its last token's frame plus `endShiftMs`. Both shifts were fitted on an
 * alignment when the model was trained, and stand in its manifest: they undo the model's emission delay. A model may tell more:
 * a token's age, the frames since its sound ended, and its span, the frames from its first to its last. Then the word starts
 * with the first of them and ends with the last. A token says little about where its word ends, so the model's voice activity
 * has the last word there: while the frames from the end on are speech the end moves on, to the end of that speech plus
 * `speechEndShiftMs`, by `MAX_TAIL_MS` at most and never into the next word.
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
  /** No space stands between it and the word before it. */
  joined?: boolean;
}

const SAMPLES_PER_MS = LIMITS.sampleRateHz / 1000;
/** A vowel sign or tone mark belongs to the letter before it. */
const COMBINING = /^\p{M}/u;
/** Longer speech behind a word's last token is not that word. */
const MAX_TAIL_MS = 300;
/** Frames of voice activity kept, one bit each: a word that is said later than this after its end has that of its token. */
const REMEMBERED_FRAMES = 32;

export interface TokenTiming {
  readonly frameSamples: number;
  readonly startShiftSamples: number;
  readonly endShiftSamples: number;
  /** Null: tokens alone say where words end. */
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

/** What was spoken of a text, and how surely: samples, the tokens it took and the sum of their log-probabilities. */
interface Spoken {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  readonly logpSum: number;
}

/** Bytes of a character that is not complete. */
interface Tail extends Spoken {
  readonly bytes: readonly number[];
}

/** A word list as plain data: its fields, by their names. */
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

/** The words of one segment, growing token by token. A step's tokens are final: the search in the graph never takes one back.
 * What it may take back, its preview, is added to a draft of the list. */
export class WordList {
  readonly words: Word[] = [];
  /** A word has begun with a bare ▁ and has no letters yet. */
  private opening = false;
  /** How the last word ends: a word of letters goes on with letters, one of characters does not. */
  private lastKind: PartKind = 'letters';
  private tail: Tail | null = null;
  /** Where the last word that was taken ends: none begins before it. */
  private takenUntil = 0;
  /** Where the last word ends as its tokens have it. */
  private tokenEnd = 0;
  /** The latest frames, one bit each, the newest lowest: was it speech? And where the newest ends. */
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

  /** Does the token have letters, or bytes that may become some? */
  hasText(token: number): boolean {
    const piece = this.pieces[token];
    return piece !== undefined && (piece.text !== '' || piece.bytes !== undefined);
  }

  /**
   * Adds the token emitted in the frame that starts at `frameStart` samples. True if the text changed.
   * @param age frames since its sound ended. What a graph says below zero is zero
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
    // The frames after the end of a token that has an age were heard before it came.
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

  /** Shows the characters that the bytes complete; those of one that is not complete wait for more. */
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
    // What a character took is counted with it: what is left begins with the tokens that follow.
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

  /** Is it a word of its own, behind `last`? */
  private isNext(last: Word, text: string, kind: PartKind, begins: boolean): boolean {
    if (begins || kind === 'character' || last.tokens >= LIMITS.maxWordTokens) return true;
    if (kind === 'unspaced') return this.lastKind !== kind || !COMBINING.test(text);
    return kind === 'letters' && this.lastKind !== 'letters';
  }

  /** Takes the voice activity of the frame that starts at `frameStart`, after its tokens; frames come one after the other. */
  hear(speech: boolean, frameStart: number): void {
    this.heard = (this.heard << 1) | (speech ? 1 : 0);
    this.heardUntil = frameStart + this.timing.frameSamples;
    this.followSpeech();
  }

  /** Moves the last word's end to the end of the speech that goes on there, as far as it has been heard. */
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

  /** The flush is over: the frames that come next do not follow the ones before. */
  forgetSpeech(): void {
    this.heard = 0;
  }

  /** A list of its own that goes on from here: a copy of the last word, if there is one, and what is added to it. */
  draft(): WordList {
    const draft = new WordList(this.pieces, this.timing);
    const last = this.words.at(-1);
    draft.restore({ ...this.place(), words: last === undefined ? [] : [{ ...last }] });
    return draft;
  }

  /** What decides how the list goes on, the words aside. */
  private place() {
    const { opening, lastKind, takenUntil, tokenEnd, heard, heardUntil } = this;
    return { opening, lastKind, tail: this.tail, takenUntil, tokenEnd, heard, heardUntil };
  }

  /** All of it, as plain data. */
  save(): WordListState {
    return { ...this.place(), words: this.words.map((word) => ({ ...word })) };
  }

  /** Goes on from there; only a new list. */
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

  /** Takes the words before the one that may still grow; all of them if there is only one. */
  takeComplete(audioEnd: number): Word[] {
    return this.take(Math.max(1, this.words.length - 1), audioEnd);
  }

  takeAll(audioEnd: number): Word[] {
    this.opening = false;
    this.tail = null;
    return this.take(this.words.length, audioEnd);
  }

  /** The first words, none of which may point past the audio: a token can come out during a flush. */
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
