/**
 * One step of a stream according to the script, as a graph would compute it. The stream's state is a position in the
 * script, so it can be saved, moved and continued like that of any model. The audio's content does not matter, only its
 * length.
 */
import type { ResultViews } from '../inference/layout.js';
import type { Model } from '../models/store.js';
import { audioIn, placeOf, STATE, tokenOf } from './model.js';
import type { Script, ScriptWord } from './script.js';

const NOTHING = -1;
const VOICE = 0.9;
const SILENCE = 0.1;

/** A script as tokens of its model. */
export class ScriptPlayer {
  private readonly script: Script;
  private readonly ids: ReadonlyMap<string, number>;
  private readonly chunkSamples: number;
  private readonly frames: number;
  private readonly frameSamples: number;
  private readonly symbols: number;

  constructor(script: Script, { manifest, tokens }: Model) {
    this.script = script;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.chunkSamples = manifest.chunkSamples;
    this.frames = manifest.framesPerChunk;
    this.frameSamples = manifest.chunkSamples / manifest.framesPerChunk;
    this.symbols = manifest.symbolsPerFrame;
  }

  /**
   * @param place state before the step: (4) int32
   * @param valid samples of audio in the chunk; the rest of the chunk is flush silence
   * @param result receives the results, except for the levels
   * @returns the state after it
   */
  step(place: Int32Array, valid: number, result: ResultViews): Int32Array {
    const before = audioIn(place);
    // Silence of an earlier flush does not count: this is the first audio since then.
    const pad = valid > 0 ? 0 : (place[STATE.pad] ?? 0);
    const base = before + pad;
    const audio = before + valid;
    const isFlush = valid < this.chunkSamples;
    result.tokens.fill(NOTHING);
    result.logp.fill(0);
    result.preview.fill(NOTHING);
    const settled = isFlush ? audio : audio - this.script.settleSamples;
    const said = this.say(place[STATE.said] ?? 0, settled, base, result);
    this.preview(said, audio, base, result);
    for (let frame = 0; frame < this.frames; frame++) {
      const at = frame * this.frameSamples;
      result.vad[frame] = at < valid && this.isSpoken(before + at) ? VOICE : SILENCE;
    }
    return placeOf(audio, pad + this.chunkSamples - valid, said);
  }

  /** The nth word of the script, which may repeat, with times in the recording. */
  private word(n: number): ScriptWord | undefined {
    const { words, repeatEvery } = this.script;
    const round = Math.floor(n / words.length);
    const word = words[n % words.length];
    if (word === undefined || (round > 0 && !Number.isFinite(repeatEvery))) return undefined;
    const shift = round === 0 ? 0 : round * repeatEvery;
    return { ...word, start: word.start + shift, end: word.end + shift };
  }

  /**
   * Emits the words from the nth on that ended up to `until`, each in a frame at or after its end.
   * @returns number of words emitted so far
   */
  private say(n: number, until: number, base: number, result: ResultViews): number {
    let place = 0;
    let said = n;
    for (let word = this.word(said); word !== undefined && word.end <= until; word = this.word(said)) {
      const frame = Math.max(0, Math.ceil((word.end - base) / this.frameSamples) - 1);
      place = Math.max(place, frame * this.symbols);
      if (place >= result.tokens.length) break; // the rest in the next step
      result.tokens[place] = this.ids.get(tokenOf(word.text)) ?? NOTHING;
      result.logp[place] = Math.log(word.confidence);
      const frameStart = base + Math.floor(place / this.symbols) * this.frameSamples;
      result.times.set(this.timesOf(word, frameStart), 2 * place);
      place++;
      said++;
    }
    return said;
  }

  /** Shows the words that ended but are not emitted yet, with their guesses. */
  private preview(n: number, until: number, base: number, result: ResultViews): void {
    const lastFrame = base + (this.frames - 1) * this.frameSamples;
    for (let i = 0; i < result.previewLogp.length; i++) {
      const word = this.word(n + i);
      if (word === undefined || word.end > until) return;
      const token = this.ids.get(tokenOf(word.guess)) ?? NOTHING;
      result.preview.set([token, ...this.timesOf(word, lastFrame)], 3 * i);
      result.previewLogp[i] = Math.log(word.confidence);
    }
  }

  /** Age and span in frames of a word emitted in the frame that starts at `frameStart`. */
  private timesOf({ start, end }: ScriptWord, frameStart: number): [age: number, span: number] {
    const frames = (samples: number) => Math.max(0, Math.round(samples / this.frameSamples));
    return [frames(frameStart + this.frameSamples - end), frames(end - start) - 1];
  }

  private isSpoken(at: number): boolean {
    const { speech, repeatEvery } = this.script;
    const within = Number.isFinite(repeatEvery) ? at % repeatEvery : at;
    return speech.some(([from, to]) => within >= from && within < to);
  }
}
