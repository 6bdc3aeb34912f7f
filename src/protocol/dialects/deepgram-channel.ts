/** State of one channel of a live Deepgram stream, and the messages about it. */
import { LIMITS } from '../../limits.js';
import type { Manifest } from '../../models/manifest.js';
import type { SegmentReason } from '../../transcript/tuning.js';
import type { Word } from '../../transcript/words.js';
import { deepgramAlternative } from '../deepgram.js';
import type { PartialEvent, ProgressEvent, SegmentEvent, SpeechEvent } from '../events.js';
import { round, toSeconds } from '../render.js';
import type { DeepgramSettings } from './deepgram-settings.js';

export interface DeepgramAbout {
  /** Included in every result. */
  readonly metadata: object;
  readonly calibration: Manifest['confidence'];
  readonly settings: DeepgramSettings;
}

interface Result {
  readonly endSamples: number;
  readonly words: readonly Word[];
  /** Null: not final. */
  readonly reason: SegmentReason | null;
}

type ChannelEvent = PartialEvent | SegmentEvent | SpeechEvent | ProgressEvent;

/** Words are emitted later than they are spoken; after this long, none will come. */
const WORDS_WITHIN_SAMPLES = LIMITS.sampleRateHz / 2;

export class DeepgramChannel {
  private readonly index: number;
  private readonly count: number;
  private readonly about: DeepgramAbout;
  /** Where this recording began in the stream, samples. */
  private offset = 0;
  /** Where the last final ended, samples of the recording. */
  private startSamples = 0;
  private speaking = false;
  /** `SpeechStarted` was sent for the words to come. */
  private announced = false;
  /** No final has been sent since then. */
  private owesFinal = false;
  /** Where the last speech ended. */
  private speechEnd = 0;
  /** Words were sent that are not in a final yet. */
  private open = false;
  private lastWordEnd = 0;
  /** Words were sent since the last `UtteranceEnd`. */
  private owesEnd = false;

  constructor(index: number, count: number, about: DeepgramAbout) {
    this.index = index;
    this.count = count;
    this.about = about;
  }

  /** Another recording begins in the same stream. */
  restart(offset: number): void {
    this.offset = offset;
    this.startSamples = 0;
    this.speaking = false;
    this.announced = false;
    this.owesFinal = false;
    this.open = false;
    this.owesEnd = false;
  }

  render(event: ChannelEvent): object[] {
    switch (event.type) {
      case 'speech':
        return this.speech(event);
      case 'partial':
        return this.partial(event);
      case 'segment':
        return this.segment(event);
      case 'progress':
        return this.progress(event);
    }
  }

  /** The answer to a Finalize with nothing before it. */
  emptyFinal(): object {
    return this.result({ endSamples: this.startSamples, words: [], reason: 'finalize' });
  }

  private speech({ change, atSamples, wanted }: SpeechEvent): object[] {
    this.speaking = change === 'started';
    if (!this.speaking) {
      this.speechEnd = atSamples;
      return [];
    }
    this.announced = true;
    return wanted ? [this.speechStarted(atSamples)] : [];
  }

  private partial({ words, audioEndSamples }: PartialEvent): object[] {
    const announcement = this.hear(words);
    this.open = words.length > 0;
    return [...announcement, this.result({ endSamples: audioEndSamples, words, reason: null })];
  }

  private segment({ segment, audioEndSamples }: SegmentEvent): object[] {
    const { words, reason } = segment;
    const announcement = this.hear(words);
    this.open = false;
    this.owesFinal = false;
    this.announced = this.speaking;
    // A cut segment ends with its last word; the next segment has the words after it.
    const endSamples = reason === 'max_duration' ? this.lastWordEnd : audioEndSamples;
    const result = this.result({ endSamples, words, reason });
    this.startSamples = Math.max(this.startSamples, endSamples);
    return [...announcement, result];
  }

  /** Words may be known before the voice activity is certain. Clients still receive the start of speech first. */
  private hear(words: readonly Word[]): object[] {
    const [first] = words;
    const last = words.at(-1);
    if (first === undefined || last === undefined) return [];
    this.lastWordEnd = last.endSamples;
    this.owesEnd = true;
    const isNews = !this.announced && this.about.settings.config.vad_events === true;
    this.announced = true;
    return isNews ? [this.speechStarted(first.startSamples)] : [];
  }

  private progress({ audioEndSamples }: ProgressEvent): object[] {
    return [...this.noiseEnd(audioEndSamples), ...this.utteranceEnd(audioEndSamples)];
  }

  /** Speech was announced but had no words. Agents wait for its end, which only a final announces. */
  private noiseEnd(audioEndSamples: number): object[] {
    // Without interim results it is unknown until the final whether there were words.
    if (!this.owesFinal || this.open || this.speaking || !this.about.settings.config.partials) return [];
    if (audioEndSamples - this.speechEnd < WORDS_WITHIN_SAMPLES) return [];
    this.owesFinal = false;
    this.announced = false;
    return [this.result({ endSamples: this.startSamples, words: [], reason: 'silence' })];
  }

  private utteranceEnd(audioEndSamples: number): object[] {
    const { utteranceEndMs } = this.about.settings;
    const quiet = toSeconds(audioEndSamples - this.lastWordEnd) * 1000;
    if (utteranceEndMs === null || !this.owesEnd || this.open || quiet < utteranceEndMs) return [];
    this.owesEnd = false;
    const last_word_end = this.seconds(this.lastWordEnd);
    return [{ type: 'UtteranceEnd', channel: [this.index, this.count], last_word_end }];
  }

  private speechStarted(atSamples: number): object {
    this.owesFinal = true;
    return { type: 'SpeechStarted', channel: [this.index], timestamp: this.seconds(atSamples) };
  }

  private result({ endSamples, words, reason }: Result): object {
    const { metadata, calibration, settings } = this.about;
    const start = this.seconds(this.startSamples);
    const alternative = deepgramAlternative(words, calibration);
    const offset = toSeconds(this.offset);
    const placed =
      offset === 0
        ? alternative
        : {
            ...alternative,
            words: alternative.words.map((word) => ({
              ...word,
              start: round(word.start + offset, 2),
              end: round(word.end + offset, 2),
            })),
          };
    return {
      type: 'Results',
      channel_index: [this.index, this.count],
      duration: Math.max(0, round(this.seconds(endSamples) - start, 2)),
      start,
      is_final: reason !== null,
      speech_final: endsSpeech(reason, settings.tellsPauses),
      channel: { alternatives: [placed] },
      metadata,
      from_finalize: reason === 'finalize',
    };
  }

  /** Seconds from the start of the stream. */
  private seconds(samples: number): number {
    return toSeconds(this.offset + samples);
  }
}

function endsSpeech(reason: SegmentReason | null, tellsPauses: boolean): boolean {
  if (reason === null || reason === 'max_duration') return false;
  return tellsPauses || (reason !== 'silence' && reason !== 'timeout');
}
