/**
 * The transcript of one recording: takes step results, gives partials and final segments. It does only bookkeeping,
 * without clock or socket. Every decision rests on audio time, so the same recording always gives the same segments.
 */
import type { ResultViews } from '../inference/layout.js';
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import { BoundedText, type BoundedTextState } from './bounded-text.js';
import { Endpointer, type EndpointerState } from './endpoint.js';
import type { Piece } from './pieces.js';
import type { SegmentReason, TuningConfig } from './tuning.js';
import {
  joinWords,
  type TokenTiming,
  tokenTiming,
  type Word,
  WordList,
  type WordListState,
} from './words.js';

export interface Segment {
  /** 1, 2, 3 … within the recording. */
  readonly id: number;
  readonly words: readonly Word[];
  readonly reason: SegmentReason;
}

export interface TranscriptListener {
  /** The words of the open segment or its preview changed, and the partial interval has passed. */
  onPartial(segmentId: number, words: readonly Word[], stableWords: number, audioEndSamples: number): void;
  onSegment(segment: Segment): void;
  onSpeech(change: 'started' | 'ended', audioSamples: number): void;
}

export type Tuning = Pick<
  TuningConfig,
  'partials' | 'partial_interval_ms' | 'vad_threshold' | 'silence_duration' | 'max_segment_duration'
>;

/** The state of a transcript between two steps, outside a flush, as plain data without the settings. */
export interface TranscriptState {
  readonly audioSamples: number;
  readonly segments: number;
  readonly told: BoundedTextState;
  readonly words: WordListState;
  readonly endpointer: EndpointerState;
  readonly changed: boolean;
  readonly holding: boolean;
  readonly shownPreview: string;
  /** Null: there was none. */
  readonly lastPartialAt: number | null;
  readonly lastTokenAt: number;
}

const seconds = (value: number): number => Math.round(value * LIMITS.sampleRateHz);

/** A model may keep reporting speech in noise. A segment therefore also ends when no token has come for this long. */
const tokenlessSamples = (silence: number): number => Math.max(2 * silence, silence + seconds(1));

export class Transcript {
  /** Samples of audio recognised, and samples of silence inserted by the current flush. */
  audioSamples = 0;
  private padSamples = 0;
  segments = 0;
  private readonly told: BoundedText;

  private readonly words: WordList;
  private readonly endpointer: Endpointer;
  private readonly rules = { vadThreshold: null as number | null, silenceSamples: 0 };
  private readonly timing: TokenTiming;
  private readonly symbols: number;
  private readonly settlingSamples: number;
  private readonly chunkSamples: number;
  private readonly listener: TranscriptListener;
  private tuning: Tuning;
  private changed = false;
  /** At the end of the last step, the search held words that it had not emitted. */
  private holding = false;
  /** Those held words as the last partial showed them, after the last emitted word. */
  private shownPreview = '';
  private lastPartialAt = Number.NEGATIVE_INFINITY;
  /** Where the last token was spoken, which is some time before the model emitted it. */
  private lastTokenAt = 0;

  /** @param keptChars of `text` */
  constructor(
    manifest: Manifest,
    pieces: readonly Piece[],
    tuning: Tuning,
    listener: TranscriptListener,
    keptChars = Number.POSITIVE_INFINITY,
  ) {
    this.told = new BoundedText(keptChars);
    this.timing = tokenTiming(manifest);
    this.symbols = manifest.symbolsPerFrame;
    this.settlingSamples = seconds((manifest.previewFlushMs ?? Number.POSITIVE_INFINITY) / 1000);
    this.chunkSamples = manifest.chunkSamples;
    this.words = new WordList(pieces, this.timing);
    this.endpointer = new Endpointer(this.rules, manifest.vadThreshold);
    this.listener = listener;
    this.tuning = tuning;
    this.configure(tuning);
  }

  /** Applies from the next step. */
  configure(tuning: Tuning): void {
    this.tuning = tuning;
    this.rules.vadThreshold = tuning.vad_threshold;
    this.rules.silenceSamples = seconds(tuning.silence_duration);
  }

  save(): TranscriptState {
    const { audioSamples, segments, changed, holding, shownPreview, lastPartialAt, lastTokenAt } = this;
    return {
      ...{ audioSamples, segments, changed, holding, shownPreview, lastTokenAt },
      lastPartialAt: Number.isFinite(lastPartialAt) ? lastPartialAt : null,
      told: this.told.save(),
      words: this.words.save(),
      endpointer: this.endpointer.save(),
    };
  }

  /** Continues from a saved state, with results of the same model. Only on a new transcript. */
  restore({ told, words, endpointer, lastPartialAt, ...place }: TranscriptState): void {
    Object.assign(this, place);
    this.lastPartialAt = lastPartialAt ?? Number.NEGATIVE_INFINITY;
    this.told.restore(told);
    this.words.restore(words);
    this.endpointer.restore(endpointer);
  }

  /** The text of all segments; only the latest of them if there is more than is kept. */
  get text(): string {
    return this.told.text;
  }

  /** Whether `text` is only the end of a longer text. */
  get truncated(): boolean {
    return this.told.truncated;
  }

  /** Something is being said, or was said and is not in a segment yet. */
  get pending(): boolean {
    return !this.words.isEmpty || this.holding || this.shownPreview !== '' || this.endpointer.speaking;
  }

  /** The flush has inserted so much silence that no word can come any more, unless it is already in the preview. */
  get settled(): boolean {
    return !this.holding && this.padSamples >= this.settlingSamples;
  }

  get speaking(): boolean {
    return this.endpointer.speaking;
  }

  /**
   * Takes the result of one step that covered `valid` samples of audio; the rest of the chunk was flush silence. A
   * token's frame is counted from the audio's position plus the silence inserted so far.
   */
  step(result: ResultViews, valid: number): void {
    const base = this.audioSamples + this.padSamples;
    const { frameSamples } = this.timing;
    const frames = result.rms.length;
    this.audioSamples += valid;
    this.padSamples += this.chunkSamples - valid;
    const held = this.holding;
    this.holding = this.holdsWords(result);
    for (let frame = 0; frame < frames; frame++) {
      const start = base + frame * frameSamples;
      this.takeTokens(result, frame, start);
      this.words.hear(this.endpointer.modelHears(result.vad[frame]!), start);
      // Words that the search held before the step may remain held until the step's end.
      const holding = this.holding || (held && frame < frames - 1);
      // Silence inserted by a flush is not a pause of the speaker.
      if (this.padSamples === 0) this.takeActivity(result, frame, start, holding);
    }
    this.maybePartial(result, base + (frames - 1) * frameSamples);
  }

  private holdsWords({ preview }: ResultViews): boolean {
    for (let i = 0; i < preview.length; i += 3) if (this.words.hasText(preview[i]!)) return true;
    return false;
  }

  private takeTokens(result: ResultViews, frame: number, start: number): void {
    for (let i = frame * this.symbols; i < (frame + 1) * this.symbols; i++) {
      const token = result.tokens[i]!;
      if (token < 0) continue;
      const age = Math.max(0, result.times[2 * i] ?? 0);
      const span = result.times[2 * i + 1] ?? 0;
      const { frameSamples, endShiftSamples } = this.timing;
      const said = start + frameSamples + endShiftSamples;
      // Whatever its age, a token was spoken after the one before it.
      this.lastTokenAt = age === 0 ? said : Math.max(this.lastTokenAt, said - age * frameSamples);
      if (this.words.add(token, result.logp[i]!, start, age, span)) this.changed = true;
    }
  }

  private takeActivity(result: ResultViews, frame: number, start: number, holding: boolean): void {
    const end = start + this.timing.frameSamples;
    const change = this.endpointer.frame(result.vad[frame]!, result.rms[frame]!, start, end);
    if (change === 'started') this.listener.onSpeech('started', this.endpointer.speechStart);
    if (change === 'ended') this.listener.onSpeech('ended', this.endpointer.speechEnd);
    const first = this.words.words[0];
    if (first === undefined) return;

    const { silenceSamples } = this.rules;
    const sinceToken = end - this.lastTokenAt;
    // However short the requested silence: words said before it must have had time to come out.
    const settled = Math.max(silenceSamples, -this.timing.startShiftSamples);
    const quiet = !this.endpointer.speaking && this.endpointer.silence(end) >= settled;
    const silent = (quiet && sinceToken >= silenceSamples) || sinceToken >= tokenlessSamples(silenceSamples);
    // Words held by the search are about to be emitted and belong to this segment.
    if (silent && !holding) {
      this.emit(this.words.takeAll(this.audioSamples), 'silence');
    } else if (
      end - first.startSamples >= seconds(this.tuning.max_segment_duration) ||
      this.words.words.length >= LIMITS.maxSegmentWords
    ) {
      this.emit(this.words.takeComplete(this.audioSamples), 'max_duration');
    }
  }

  private maybePartial(result: ResultViews, lastFrameStart: number): void {
    const interval = (this.tuning.partial_interval_ms / 1000) * LIMITS.sampleRateHz;
    const now = this.audioSamples + this.padSamples;
    if (!this.tuning.partials || now - this.lastPartialAt < interval) return;
    const draft = this.holding ? this.draft(result, lastFrameStart) : null;
    const preview = draft === null ? '' : joinWords(draft.words);
    if (!this.changed && preview === this.shownPreview) return;
    this.changed = false;
    this.shownPreview = preview;
    this.lastPartialAt = now;
    this.tellPartial(draft);
  }

  /** The last word, followed by what the search holds at the end of the step. */
  private draft({ preview, previewLogp }: ResultViews, lastFrameStart: number): WordList {
    const draft = this.words.draft();
    for (let i = 0; i < previewLogp.length; i++) {
      draft.add(preview[3 * i]!, previewLogp[i]!, lastFrameStart, preview[3 * i + 1], preview[3 * i + 2]);
    }
    return draft;
  }

  private tellPartial(draft: WordList | null): void {
    const { words } = this.words;
    const last = words.at(-1);
    const shown = draft === null ? words : [...words.slice(0, -1), ...draft.words];
    // The last word may still grow even after the speaker fell silent, because tokens come late. Not once another word
    // has begun after it.
    const complete = last !== undefined && shown.length > words.length && draft?.words[0]?.text === last.text;
    const stable = complete ? words.length : Math.max(0, words.length - 1);
    this.listener.onPartial(this.segments + 1, shown, stable, this.audioSamples);
  }

  /** The flush is over: audio continues where it stopped, as if no silence had been inserted. */
  flushed(): void {
    this.padSamples = 0;
    this.holding = false;
    this.words.forgetSpeech();
    this.lastTokenAt = Math.min(this.lastTokenAt, this.audioSamples);
    this.endpointer.speechEnd = Math.min(this.endpointer.speechEnd, this.audioSamples);
    this.lastPartialAt = Math.min(this.lastPartialAt, this.audioSamples);
  }

  /**
   * Ends the open segment. `finalize` always gives a segment, empty if there were no words.
   * @param isLast no audio follows
   */
  close(reason: SegmentReason, isLast = reason === 'stop'): void {
    if (isLast && this.endpointer.speaking) {
      this.endpointer.speaking = false;
      this.listener.onSpeech('ended', this.endpointer.speechEnd);
    }
    if (this.words.isEmpty && reason !== 'finalize') {
      // The shown preview is withdrawn here, since no segment will replace it.
      if (this.shownPreview !== '' && this.tuning.partials) this.tellPartial(null);
      this.shownPreview = '';
      return;
    }
    this.emit(this.words.takeAll(this.audioSamples), reason);
  }

  private emit(words: Word[], reason: SegmentReason): void {
    this.segments++;
    this.changed = !this.words.isEmpty;
    this.shownPreview = '';
    if (words.length > 0) this.told.add(joinWords(words));
    this.listener.onSegment({ id: this.segments, words, reason });
  }
}
