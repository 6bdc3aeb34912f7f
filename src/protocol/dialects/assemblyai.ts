/**
 * AssemblyAI's Universal-Streaming, version 3, `/v3/ws`: settings in the URL, audio in binary frames, a segment as a
 * turn. Times are integer milliseconds from the start of the stream, since clients fail on fractions. Only `Error`
 * messages may have a key `error`, which clients treat as fatal.
 */
import type { LiveEncoding } from '../../audio/format.js';
import { ERRORS, type ErrorCode, ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { joinWords, type Word } from '../../transcript/words.js';
import type {
  Dialect,
  DialectDefinition,
  DialectHost,
  DialectPolicy,
  DialectRequest,
  Frame,
  Input,
  StreamEvent,
} from '../dialect.js';
import { NOTHING } from '../dialect.js';
import { parseConfig, parseObject } from '../parse.js';
import { hotwordsIn, numberIn, silenceSeconds } from '../query.js';
import { meanConfidence, renderError, wordResult } from '../render.js';
import type { RecordingConfig } from '../types.js';
import { FOREIGN_POLICY } from './foreign-policy.js';

const ENCODINGS: Record<string, LiveEncoding> = {
  pcm_s16le: 'pcm16',
  pcm_mulaw: 'mulaw',
  opus: 'opus',
  ogg_opus: 'container',
};
/** Reported lifetime of a session; it does not actually end then. */
const SESSION_S = 3 * 60 * 60;
const MAX_TURN_SILENCE_MS = 1_280;
const SAMPLES_PER_MS = LIMITS.sampleRateHz / 1000;

const CLOSE_CODES: Partial<Record<ErrorCode, number>> = {
  UNAUTHORIZED: 4001,
  AT_CAPACITY: 3009,
  RATE_LIMITED: 4029,
  IDLE_TIMEOUT: 3008,
};
const [INPUT_CODE, SERVER_CODE] = [3006, 3005];

/** Looks up a setting by its name in the URL or in `UpdateConfiguration`. */
type Given = (name: string) => unknown;

/** Settings that may change during the stream. Missing ones keep the recording's values. */
function tuningOf(given: Given): Partial<RecordingConfig> {
  const minMs = numberIn(given('min_turn_silence') ?? given('min_end_of_turn_silence_when_confident'));
  const maxMs = numberIn(given('max_turn_silence'));
  // With an unreachable confidence, the longer silence ends a turn.
  const isNeverSure = (numberIn(given('end_of_turn_confidence_threshold')) ?? 0) >= 1;
  const ms = isNeverSure ? (maxMs ?? MAX_TURN_SILENCE_MS) : minMs;
  const terms = given('keyterms_prompt') ?? given('keyterms');
  return {
    ...(ms === undefined ? {} : { silence_duration: silenceSeconds(ms) }),
    ...(terms === undefined ? {} : { hotwords: hotwordsIn([terms]) }),
  };
}

/** @throws ServerError UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE */
function settingsOf(query: URLSearchParams): Partial<RecordingConfig> {
  const name = query.get('encoding') || 'pcm_s16le';
  const encoding = ENCODINGS[name.toLowerCase()];
  if (encoding === undefined) {
    throw new ServerError('UNSUPPORTED_ENCODING', `encoding: ${JSON.stringify(name.slice(0, 40))}`);
  }
  const sample_rate = query.has('sample_rate')
    ? (numberIn(query.get('sample_rate')) ?? 0)
    : LIMITS.sampleRateHz;
  const tuning = tuningOf((key) => query.get(key) ?? undefined);
  return parseConfig({ sample_rate, encoding, ...tuning }, 'BAD_REQUEST');
}

class AssemblyAiDialect implements Dialect {
  readonly policy: DialectPolicy;
  private readonly calibration;
  private readonly openedAt = Date.now();
  private readonly openedMs = performance.now();
  private turn = 0;
  /** `SpeechStarted` was sent for this turn. */
  private announced = false;
  /** The turn has words, as far as known. */
  private hasWords = false;
  private speaking = false;
  /** Start of speech that is not in a turn yet, milliseconds; null: unknown. */
  private speechMs: number | null = null;
  private recording = false;
  /** Samples of the earlier recordings: audio may pause for longer than a recording waits. */
  private before = 0;
  /** The client sent `Terminate`. */
  private terminating = false;

  constructor({ url }: DialectRequest, { manifest }: DialectHost) {
    this.calibration = manifest.confidence;
    this.policy = { ...FOREIGN_POLICY, defaults: settingsOf(url.searchParams) };
  }

  parse(frame: Frame): readonly Input[] {
    if (typeof frame !== 'string') return [{ type: 'audio', bytes: frame }];
    const message = parseObject(frame);
    switch (message.type) {
      case 'ForceEndpoint':
        return this.recording ? [{ type: 'finalize' }] : [];
      case 'UpdateConfiguration': {
        const changes = tuningOf((name) => message[name] ?? undefined);
        return [{ type: 'configure', config: parseConfig(changes) }];
      }
      case 'Terminate':
        this.terminating = true;
        return [{ type: 'close' }];
      default:
        return [{ type: 'keepalive' }];
    }
  }

  render(event: StreamEvent): readonly Frame[] {
    switch (event.type) {
      case 'opened': {
        const expires_at = Math.floor(this.openedAt / 1000) + SESSION_S;
        return [JSON.stringify({ type: 'Begin', id: event.sessionId, expires_at })];
      }
      case 'started':
        this.recording = true;
        return NOTHING;
      case 'speech':
        this.speaking = event.change === 'started';
        if (this.speaking) this.speechMs ??= this.milliseconds(event.atSamples);
        return this.endIfEmpty();
      case 'partial':
        this.hasWords = event.words.length > 0;
        if (!this.hasWords) return this.endIfEmpty();
        return [...this.beginning(event.words), this.told(event.words, event.stableWords, false)];
      case 'segment': {
        const { words } = event.segment;
        // A ForceEndpoint without any words has no answer.
        if (words.length === 0 && !this.announced) return NOTHING;
        return [...this.beginning(words), this.end(words)];
      }
      case 'stopped':
        this.recording = false;
        this.speechMs = null;
        this.before += event.samples;
        return NOTHING;
      case 'error':
        // Clients give up on any error, so only fatal ones are sent.
        return event.fatal ? [this.failure(event.code, event.detail)] : NOTHING;
      case 'closing':
        return event.code === null && this.terminating ? [this.termination()] : NOTHING;
      default:
        return NOTHING;
    }
  }

  closeCode(code: ErrorCode | null): number {
    return code === null ? 1000 : codeOf(code);
  }

  /**
   * Sent once per turn, before its first words: agents take it as the start of a turn. A second one, or one for noise
   * without words, would interrupt the agent needlessly.
   */
  private beginning([first]: readonly Word[]): readonly Frame[] {
    if (this.announced || first === undefined) return NOTHING;
    this.announced = true;
    const wordMs = this.milliseconds(first.startSamples);
    const timestamp = Math.min(this.speechMs ?? wordMs, wordMs);
    return [JSON.stringify({ type: 'SpeechStarted', timestamp })];
  }

  private end(words: readonly Word[]): Frame {
    const turn = this.told(words, words.length, true);
    this.turn++;
    this.announced = false;
    this.hasWords = false;
    this.speechMs = null;
    return turn;
  }

  /** The supposed words turned out to be none. No segment follows, but a turn that was begun must end. */
  private endIfEmpty(): readonly Frame[] {
    return this.announced && !this.hasWords && !this.speaking ? [this.end([])] : NOTHING;
  }

  private told(words: readonly Word[], stableWords: number, isFinal: boolean): Frame {
    const results = words.map((word) => wordResult(word, this.calibration));
    return JSON.stringify({
      type: 'Turn',
      turn_order: this.turn,
      turn_is_formatted: isFinal,
      end_of_turn: isFinal,
      transcript: joinWords(words),
      end_of_turn_confidence: isFinal ? meanConfidence(results) : 0,
      words: words.map((word, index) => ({
        text: word.text,
        start: this.milliseconds(word.startSamples),
        end: this.milliseconds(word.endSamples),
        confidence: results[index]?.confidence ?? 0,
        word_is_final: index < stableWords,
      })),
    });
  }

  private failure(code: ErrorCode, detail: string | undefined): Frame {
    const { error, detail: why } = renderError(code, detail);
    return JSON.stringify({
      type: 'Error',
      error_code: codeOf(code),
      error: why === undefined ? error : `${error} ${why}`,
    });
  }

  private termination(): Frame {
    return JSON.stringify({
      type: 'Termination',
      audio_duration_seconds: Math.round(this.before / LIMITS.sampleRateHz),
      session_duration_seconds: Math.round((performance.now() - this.openedMs) / 1000),
    });
  }

  /** Milliseconds from the start of the stream. */
  private milliseconds(samples: number): number {
    return Math.round((this.before + samples) / SAMPLES_PER_MS);
  }
}

/** 3006 for client errors, 3005 for server errors; some errors have their own code. */
function codeOf(code: ErrorCode): number {
  return CLOSE_CODES[code] ?? (ERRORS[code].httpStatus < 500 ? INPUT_CODE : SERVER_CODE);
}

export const assemblyAi: DialectDefinition = {
  name: 'assemblyai',
  paths: ['/v3/ws'],
  create: (request, host) => new AssemblyAiDialect(request, host),
  refuse: (code, detail) => {
    const { error, detail: why } = renderError(code, detail);
    return { headers: {}, body: { error: why === undefined ? error : `${error} ${why}` } };
  },
};
