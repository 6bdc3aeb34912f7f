/**
 * The transcript of one recording: step results in, partials and final segments out. Pure bookkeeping: no clock,
 * no socket. Every decision rests on the audio's own time, so that a recording always gives the same segments.
 */
import type { ResultViews } from '../inference/layout.js';
import { LIMITS } from '../limits.js';
import type { Manifest } from '../models/manifest.js';
import type { SegmentReason, TuningConfig } from '../protocol/types.js';
import { Endpointer } from './endpoint.js';
import { joinWords, type Piece, type TokenTiming, tokenTiming, type Word, WordList } from './words.js';

export interface Segment {
  /** 1, 2, 3 … within the recording. */
  readonly id: number;
  readonly words: readonly Word[];
  readonly reason: SegmentReason;
}

export interface TranscriptListener {
  /** The words of the open segment changed, and the partial interval allows to say so. */
  onPartial(segmentId: number, words: readonly Word[], stableWords: number, audioEndSamples: number): void;
  onSegment(segment: Segment): void;
  onSpeech(change: 'started' | 'ended', audioSamples: number): void;
}

export type Tuning = Pick<
  TuningConfig,
  'partials' | 'partial_interval_ms' | 'vad_threshold' | 'silence_duration' | 'max_segment_duration'
>;

const seconds = (value: number): number => Math.round(value * LIMITS.sampleRateHz);

/** Silence from a model that goes on hearing speech in noise: no token for this long ends the segment as well. */
const tokenlessSamples = (silence: number): number => Math.max(2 * silence, silence + seconds(1));

export class Transcript {
  /** Samples of audio recognised, and of silence put in by the flush under way. */
  audioSamples = 0;
  private padSamples = 0;
  segments = 0;
  private readonly texts: string[] = [];

  private readonly words: WordList;
  private readonly endpointer: Endpointer;
  private readonly rules = { vadThreshold: null as number | null, silenceSamples: 0 };
  private readonly timing: TokenTiming;
  private readonly symbols: number;
  private readonly chunkSamples: number;
  private readonly listener: TranscriptListener;
  private tuning: Tuning;
  private changed = false;
  private lastPartialAt = Number.NEGATIVE_INFINITY;
  /** Where the last token was spoken, which is some time before the model said it. */
  private lastTokenAt = 0;

  constructor(manifest: Manifest, pieces: readonly Piece[], tuning: Tuning, listener: TranscriptListener) {
    this.timing = tokenTiming(manifest);
    this.symbols = manifest.symbolsPerFrame;
    this.chunkSamples = manifest.chunkSamples;
    this.words = new WordList(pieces, this.timing);
    this.endpointer = new Endpointer(this.rules, manifest.vadThreshold);
    this.listener = listener;
    this.tuning = tuning;
    this.configure(tuning);
  }

  /** In force from the next step on. */
  configure(tuning: Tuning): void {
    this.tuning = tuning;
    this.rules.vadThreshold = tuning.vad_threshold;
    this.rules.silenceSamples = seconds(tuning.silence_duration);
  }

  /** `final_transcript`: all segments joined by one space. */
  get text(): string {
    return this.texts.join(' ');
  }

  get speaking(): boolean {
    return this.endpointer.speaking;
  }

  /**
   * Takes the result of one step that covered `valid` samples of audio; the rest of the chunk was flush silence.
   * A token's frame counts from the audio's position plus the silence put in so far.
   */
  step(result: ResultViews, valid: number): void {
    const base = this.audioSamples + this.padSamples;
    const { frameSamples } = this.timing;
    const frames = result.rms.length;
    this.audioSamples += valid;
    this.padSamples += this.chunkSamples - valid;
    for (let frame = 0; frame < frames; frame++) {
      const start = base + frame * frameSamples;
      this.takeTokens(result, frame, start);
      this.words.hear(this.endpointer.modelHears(result.vad[frame]!), start);
      // Silence that a flush put in is no pause of the speaker's.
      if (this.padSamples === 0) this.takeActivity(result, frame, start);
    }
    this.maybePartial();
  }

  private takeTokens(result: ResultViews, frame: number, start: number): void {
    for (let i = frame * this.symbols; i < (frame + 1) * this.symbols; i++) {
      const token = result.tokens[i]!;
      if (token < 0) continue;
      this.lastTokenAt = start + this.timing.frameSamples + this.timing.endShiftSamples;
      if (this.words.add(token, result.logp[i]!, start)) this.changed = true;
    }
  }

  private takeActivity(result: ResultViews, frame: number, start: number): void {
    const end = start + this.timing.frameSamples;
    const change = this.endpointer.frame(result.vad[frame]!, result.rms[frame]!, start, end);
    if (change === 'started') this.listener.onSpeech('started', this.endpointer.speechStart);
    if (change === 'ended') this.listener.onSpeech('ended', this.endpointer.speechEnd);
    const first = this.words.words[0];
    if (first === undefined) return;

    const { silenceSamples } = this.rules;
    const sinceToken = end - this.lastTokenAt;
    // However short the silence asked for: what was said before it must have had the time to come out.
    const settled = Math.max(silenceSamples, -this.timing.startShiftSamples);
    const quiet = !this.endpointer.speaking && this.endpointer.silence(end) >= settled;
    if ((quiet && sinceToken >= silenceSamples) || sinceToken >= tokenlessSamples(silenceSamples)) {
      this.emit(this.words.takeAll(this.audioSamples), 'silence');
    } else if (
      end - first.startSamples >= seconds(this.tuning.max_segment_duration) ||
      this.words.words.length >= LIMITS.maxSegmentWords
    ) {
      this.emit(this.words.takeComplete(this.audioSamples), 'max_duration');
    }
  }

  private maybePartial(): void {
    if (!this.changed || !this.tuning.partials || this.words.isEmpty) return;
    const interval = (this.tuning.partial_interval_ms / 1000) * LIMITS.sampleRateHz;
    const now = this.audioSamples + this.padSamples;
    if (now - this.lastPartialAt < interval) return;
    this.changed = false;
    this.lastPartialAt = now;
    const words = this.words.words;
    // The last word may still grow, even after the speaker fell silent: tokens come late.
    this.listener.onPartial(this.segments + 1, words, words.length - 1, this.audioSamples);
  }

  /** The flush is over: audio goes on where it stopped, as if no silence had been put in. */
  flushed(): void {
    this.padSamples = 0;
    this.words.forgetSpeech();
    this.lastTokenAt = Math.min(this.lastTokenAt, this.audioSamples);
    this.endpointer.speechEnd = Math.min(this.endpointer.speechEnd, this.audioSamples);
    this.lastPartialAt = Math.min(this.lastPartialAt, this.audioSamples);
  }

  /** Ends the open segment. `finalize` is always answered, with an empty segment if there were no words. */
  close(reason: SegmentReason): void {
    if (reason === 'stop' && this.endpointer.speaking) {
      this.endpointer.speaking = false;
      this.listener.onSpeech('ended', this.endpointer.speechEnd);
    }
    if (this.words.isEmpty && reason !== 'finalize') return;
    this.emit(this.words.takeAll(this.audioSamples), reason);
  }

  private emit(words: Word[], reason: SegmentReason): void {
    this.segments++;
    this.changed = !this.words.isEmpty;
    if (words.length > 0) this.texts.push(joinWords(words));
    this.listener.onSegment({ id: this.segments, words, reason });
  }
}
