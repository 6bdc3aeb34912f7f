/**
 * The protocol of vosk-server, for clients written for it: Jigasi, Asterisk, its own samples. They send a frame and
 * wait for one answer, in lock step. An answer therefore gives what is known when its frame arrives, a final waits for
 * the next frame, and everything left at `eof` comes in one message.
 */
import { toServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import type { Segment } from '../../transcript/transcript.js';
import { joinWords, type Word, wordConfidence } from '../../transcript/words.js';
import type {
  Dialect,
  DialectDefinition,
  DialectHost,
  DialectPolicy,
  Frame,
  Input,
  StreamEvent,
} from '../dialect.js';
import { closeCodeOf, NOTHING } from '../dialect.js';
import { parseConfig, parseObject } from '../parse.js';
import { round, toSeconds } from '../render.js';
import { FOREIGN_POLICY } from './foreign-policy.js';

/** vosk-server's own default; telephone clients send no config. */
const DEFAULT_RATE_HZ = 8_000;

const POLICY: DialectPolicy = {
  ...FOREIGN_POLICY,
  defaults: { sample_rate: DEFAULT_RATE_HZ, partial_interval_ms: 0 },
  coalescesPartials: false,
};

/**
 * Accepts 16000, 16000.0 and "16000"; NaN for anything else. An object is not converted, since its `toString` may be
 * anything.
 */
function numberIn(value: unknown): number {
  if (typeof value === 'string') return Number.parseFloat(value);
  return typeof value === 'object' && value !== null ? Number.NaN : Number(value);
}

class VoskDialect implements Dialect {
  readonly policy = POLICY;
  private readonly calibration;
  private withWords = true;
  private alternatives = 0;
  /** Finals that no frame has been answered with yet. */
  private finals: Word[][] = [];
  private partial = '';
  /** `eof` came and has not been answered. */
  private owesLast = false;

  constructor(host: DialectHost) {
    this.calibration = host.manifest.confidence;
  }

  parse(frame: Frame): readonly Input[] {
    if (typeof frame !== 'string') {
      return [
        { type: 'audio', bytes: frame },
        { type: 'say', frames: [this.answer()] },
      ];
    }
    const { eof, config } = parseObject(frame);
    if (typeof config === 'object' && config !== null) {
      return this.configure(config as Record<string, unknown>);
    }
    if (!eof) return [];
    this.owesLast = true;
    return [{ type: 'close' }];
  }

  render(event: StreamEvent): readonly Frame[] {
    switch (event.type) {
      case 'partial':
        this.partial = joinWords(event.words);
        return NOTHING;
      case 'segment':
        this.take(event.segment);
        return NOTHING;
      // What is left after eof. If nothing was recorded, no `stopped` comes before the end.
      case 'stopped':
        return this.owesLast ? [this.last()] : NOTHING;
      case 'closing':
        return this.owesLast && event.code === null ? [this.last()] : NOTHING;
      default:
        return NOTHING;
    }
  }

  closeCode = closeCodeOf;

  private configure(config: Record<string, unknown>): Input[] {
    const { sample_rate, words, max_alternatives, phrase_list } = config;
    if (words !== undefined) this.withWords = numberIn(words) > 0;
    if (max_alternatives !== undefined) this.alternatives = numberIn(max_alternatives) || 0;
    const changes: Record<string, unknown> = {};
    if (sample_rate !== undefined) changes.sample_rate = Math.round(numberIn(sample_rate));
    if (Array.isArray(phrase_list)) changes.hotwords = hotwordsOf(phrase_list);
    try {
      return [{ type: 'configure', config: parseConfig(changes) }];
    } catch (error) {
      // This protocol has no message for it, and the audio that follows would be decoded as noise.
      const { code, detail } = toServerError(error);
      return [{ type: 'fail', code, detail }];
    }
  }

  private take({ words }: Segment): void {
    this.partial = '';
    if (words.length > 0) this.finals.push([...words]);
  }

  /** The answer to one frame of audio: a waiting final, or else the current partial. */
  private answer(): string {
    const { length } = this.finals;
    if (length === 0) return JSON.stringify({ partial: this.partial });
    return this.final(this.finals.splice(0, length > LIMITS.maxQueuedFinals ? length : 1).flat());
  }

  private last(): string {
    this.owesLast = false;
    return this.final(this.finals.splice(0).flat());
  }

  private final(words: readonly Word[]): string {
    const text = joinWords(words);
    const confidences = words.map((word) => round(wordConfidence(word, this.calibration), 6));
    const told = this.withWords && words.length > 0;
    if (this.alternatives > 0) {
      const result = words.map((word) => ({ ...timesOf(word), word: word.text }));
      const mean = confidences.reduce((sum, it) => sum + it, 0) / (confidences.length || 1);
      return JSON.stringify({
        alternatives: [{ confidence: round(mean, 6), ...(told ? { result } : {}), text }],
      });
    }
    const result = words.map((word, i) => ({ conf: confidences[i], ...timesOf(word), word: word.text }));
    return JSON.stringify(told ? { result, text } : { text });
  }
}

const timesOf = ({ startSamples, endSamples }: Word) => ({
  end: toSeconds(endSamples),
  start: toSeconds(startSamples),
});

/** A grammar's phrases as hotwords, without `[unk]` and other symbols of the recogniser. */
function hotwordsOf(phrases: readonly unknown[]): { phrase: string }[] {
  return phrases
    .filter((phrase) => typeof phrase === 'string')
    .map((phrase) => phrase.trim())
    .filter((phrase) => phrase !== '' && phrase.length <= LIMITS.maxHotwordChars && !phrase.startsWith('['))
    .slice(0, LIMITS.maxHotwords)
    .map((phrase) => ({ phrase }));
}

export const vosk: DialectDefinition = {
  name: 'vosk',
  paths: ['/', '/vosk'],
  create: (_request, host) => new VoskDialect(host),
};
