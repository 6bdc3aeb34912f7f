/**
 * OpenAI's Realtime interface for transcription: `/v1/realtime`. Audio comes as base64 in text frames. Frameworks that
 * use it end their stream at an `error`, so an unsupported setting is never answered with one.
 */
import { ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { joinWords } from '../../transcript/words.js';
import type {
  Dialect,
  DialectDefinition,
  DialectHost,
  DialectPolicy,
  DialectRequest,
  Frame,
  Input,
  PartialEvent,
  SegmentEvent,
  SpeechEvent,
  StreamEvent,
} from '../dialect.js';
import { closeCodeOf, NOTHING } from '../dialect.js';
import { openAiError, openAiRefusal } from '../openai.js';
import { parseObject } from '../parse.js';
import { AUDIO_TEXT_POLICY } from './foreign-policy.js';
import { Items } from './realtime-item.js';
import {
  betaSessionTold,
  configOf,
  FIRST_SETTINGS,
  type SessionSettings,
  sessionTold,
  updated,
} from './realtime-session.js';

/** OpenAI ends sessions after this time. Here it is only reported, since clients want to read it. */
const SESSION_SECONDS = 3_600;
/** A commit with less audio is refused. */
const MIN_COMMIT_SECONDS = 0.1;
/** Events about spoken or written answers, which this server does not give. */
const OF_CONVERSATIONS = /^(response|conversation|output_audio_buffer)\./;

class RealtimeDialect implements Dialect {
  readonly policy: DialectPolicy;
  private readonly host: DialectHost;
  private settings: SessionSettings;
  private items = new Items('');
  private sessionId = '';
  private events = 0;
  private recording = false;
  /** Samples at 16 kHz of the earlier recordings, and the position up to which audio is recognised. */
  private offset = 0;
  private end = 0;
  /** Bytes appended since the last commit or clear. */
  private buffered = 0;
  /** The purpose of each pending finalize, in order. */
  private readonly cuts: ('commit' | 'clear')[] = [];

  constructor({ url }: DialectRequest, host: DialectHost) {
    this.host = host;
    const { manifest, defaults } = host;
    this.settings = {
      ...FIRST_SETTINGS,
      turns: { type: 'server_vad', silence_duration: defaults.silence_duration },
      model: url.searchParams.get('model') ?? manifest.name,
      language: manifest.language,
    };
    this.policy = { ...AUDIO_TEXT_POLICY, defaults: configOf(this.settings, defaults) };
  }

  parse(frame: Frame): readonly Input[] {
    if (typeof frame !== 'string') return this.append(frame);
    const message = parseObject(frame);
    switch (message.type) {
      case 'input_audio_buffer.append':
        return this.append(bytesIn(message.audio));
      case 'input_audio_buffer.commit':
        return this.commit();
      case 'input_audio_buffer.clear':
        return this.clear();
      case 'session.update':
        return this.update(message.session, false);
      case 'transcription_session.update':
        return this.update(message.session, true);
      default:
        return ignored(message.type);
    }
  }

  render(event: StreamEvent): readonly Frame[] {
    switch (event.type) {
      case 'opened':
        this.sessionId = `sess_${event.sessionId}`;
        this.items = new Items(`${event.sessionId}_`);
        return this.told([{ type: 'session.created', session: this.session(false) }]);
      case 'started':
        this.recording = true;
        return NOTHING;
      case 'partial':
        return this.told(this.partial(event));
      case 'segment':
        return this.told(this.segment(event));
      case 'speech':
        return this.told(this.speech(event));
      case 'stopped':
        this.recording = false;
        this.offset += event.samples;
        this.end = this.offset;
        return this.told(this.items.speechStopped(this.end));
      case 'error':
        return this.told([{ type: 'error', error: this.error(event.code, event.detail) }]);
      default:
        return NOTHING;
    }
  }

  closeCode = closeCodeOf;

  // ---- from the client ------------------------------------------------------------------------------------

  private append(bytes: Uint8Array): Input[] {
    this.buffered += bytes.length;
    return bytes.length === 0 ? [] : [{ type: 'audio', bytes }];
  }

  private commit(): Input[] {
    const { encoding, rateHz } = this.settings;
    const bytesPerSecond = rateHz * (encoding === 'pcm16' ? 2 : 1);
    if (this.buffered < MIN_COMMIT_SECONDS * bytesPerSecond) {
      const ms = Math.floor((1000 * this.buffered) / bytesPerSecond);
      const error = {
        type: 'invalid_request_error',
        code: 'input_audio_buffer_commit_empty',
        message: `A commit needs at least 100 ms of audio; the buffer has ${ms} ms.`,
        param: null,
        event_id: null,
      };
      return [this.say({ type: 'error', error })];
    }
    this.buffered = 0;
    if (!this.recording) return [this.say(...this.items.complete('', this.end))];
    this.cuts.push('commit');
    return [{ type: 'finalize' }];
  }

  private clear(): Input[] {
    this.buffered = 0;
    const cleared = this.say({ type: 'input_audio_buffer.cleared' });
    if (!this.recording) {
      this.items.forget(this.end);
      return [cleared];
    }
    this.cuts.push('clear');
    return [{ type: 'finalize' }, cleared];
  }

  private update(session: unknown, isBeta: boolean): Input[] {
    const before = this.settings;
    const { defaults } = this.host;
    this.settings = updated(before, session, defaults.silence_duration);
    const { encoding, rateHz } = this.settings;
    const isOther = encoding !== before.encoding || rateHz !== before.rateHz;
    if (isOther) this.buffered = 0;
    const { hotwords = [], ...config } = configOf(this.settings, defaults);
    const isSameList = String(this.settings.keywords) === String(before.keywords);
    const type = isBeta ? 'transcription_session.updated' : 'session.updated';
    return [
      // The format of a recording cannot change, so another recording begins with the new one.
      ...(isOther && this.recording ? [{ type: 'stop' } as const] : []),
      // Compiling a list of phrases takes time, so it is set only when it changes.
      { type: 'configure', config: isSameList ? config : { ...config, hotwords } },
      this.say({ type, session: this.session(isBeta) }),
    ];
  }

  // ---- from the recogniser --------------------------------------------------------------------------------

  private partial({ words, stableWords, audioEndSamples }: PartialEvent) {
    this.end = this.offset + audioEndSamples;
    if (this.cuts[0] === 'clear') return [];
    if (words.length === 0) return this.items.silent();
    return this.items.words(joinWords(words.slice(0, stableWords)), this.beginning(words));
  }

  private segment({ segment, audioEndSamples }: SegmentEvent) {
    this.end = this.offset + audioEndSamples;
    const { words, reason } = segment;
    const [cut] = this.cuts;
    if (reason === 'finalize') this.cuts.shift();
    if (cut === 'clear') {
      this.items.forget(this.end);
      return [];
    }
    const text = joinWords(words);
    const isCommit = reason === 'finalize';
    const isFull = this.items.length + text.length > LIMITS.maxFinalTranscriptChars;
    if (this.settings.turns === null && !isCommit && !isFull) return this.items.append(text);
    if (this.settings.turns === null) return this.items.complete(text, this.end);
    const beginning = this.beginning(words);
    const last = words.at(-1);
    return [
      ...(beginning === null ? [] : this.items.announce(beginning)),
      ...this.items.speechStopped(last === undefined ? this.end : this.offset + last.endSamples),
      ...this.items.complete(text, this.end),
    ];
  }

  private speech({ change, atSamples }: SpeechEvent) {
    if (this.settings.turns === null || this.cuts[0] === 'clear') return [];
    const at = this.offset + atSamples;
    return change === 'started' ? this.items.speechStarted(at) : this.items.paused(at);
  }

  /** Where words begin whose start was not announced; null if nothing is announced. */
  private beginning(words: PartialEvent['words']): number | null {
    const [first] = words;
    return this.settings.turns === null || first === undefined ? null : this.offset + first.startSamples;
  }

  // ---- to the client --------------------------------------------------------------------------------------

  private session(isBeta: boolean): object {
    const expires = Math.floor(Date.now() / 1000) + SESSION_SECONDS;
    return (isBeta ? betaSessionTold : sessionTold)(this.sessionId, this.settings, expires);
  }

  private error(code: Parameters<typeof openAiError>[0], detail: string | undefined): object {
    return { ...openAiError(code, detail), event_id: null };
  }

  private told(events: readonly object[]): Frame[] {
    return events.map((event) => JSON.stringify({ event_id: `event_${++this.events}`, ...event }));
  }

  private say(...events: object[]): Input {
    return { type: 'say', frames: this.told(events) };
  }
}

/** @throws ServerError INVALID_MESSAGE */
function bytesIn(audio: unknown): Uint8Array {
  if (typeof audio !== 'string' || !/^[\w+/-]*={0,2}$/.test(audio)) {
    throw new ServerError('INVALID_MESSAGE', 'audio: base64 is needed');
  }
  const { buffer, byteOffset, length } = Buffer.from(audio, 'base64');
  return new Uint8Array(buffer, byteOffset, length);
}

/** @throws ServerError INVALID_MESSAGE, UNKNOWN_MESSAGE */
function ignored(type: unknown): Input[] {
  if (typeof type !== 'string') throw new ServerError('INVALID_MESSAGE', 'type: must be a string');
  if (OF_CONVERSATIONS.test(type)) return [];
  throw new ServerError('UNKNOWN_MESSAGE', `type: ${JSON.stringify(type.slice(0, 60))}`);
}

export const realtime: DialectDefinition = {
  name: 'openai',
  paths: ['/v1/realtime'],
  create: (request, host) => new RealtimeDialect(request, host),
  refuse: openAiRefusal,
};
