/**
 * Wyoming, the protocol of Home Assistant's voice assistants, over TCP. An utterance is a recording and has one
 * `transcript`. A frame is one read from TCP; an empty frame is the end of the client's input.
 */
import { ERRORS, ServerError, toServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { packageVersion } from '../../paths.js';
import { spaceBetween } from '../../transcript/pieces.js';
import { joinWords, type Word } from '../../transcript/words.js';
import type {
  Dialect,
  DialectHost,
  DialectPolicy,
  Frame,
  Input,
  StoppedEvent,
  StreamEvent,
} from '../dialect.js';
import { closeCodeOf, NOTHING } from '../dialect.js';
import { parseConfig } from '../parse.js';
import { WyomingReader, wyomingMessage } from './wyoming-frames.js';

const POLICY: DialectPolicy = {
  defaults: { sample_rate: 16_000, encoding: 'pcm16', channels: 1 },
  startsByItself: true,
  maxTextChars: LIMITS.maxControlBytes,
  // A read from TCP counts as a text frame if it begins with a message without audio.
  textFramesPerSecond: LIMITS.audioTextFramesPerSecond,
  textFrameBurst: LIMITS.audioTextFrameBurst,
  idle: 'frames',
  coalescesPartials: true,
  resumable: false,
};

type Data = Readonly<Record<string, unknown>>;

/** Wyoming also allows other sample sizes, which no known client sends. */
const SAMPLE_BYTES = 2;

class WyomingDialect implements Dialect {
  readonly policy = POLICY;
  private readonly host: DialectHost;
  private readonly reader: WyomingReader;
  /** Inputs read from the current frame so far. */
  private inputs: Input[] = [];
  /** The payload that follows is audio. */
  private isAudio = false;
  /** The client is in the middle of an utterance. */
  private inUtterance = false;
  /** Hotwords of the next utterance. */
  private phrases: readonly unknown[] = [];
  /** The last completed segment, and what was sent of the one after it. */
  private before = '';
  private sent = '';

  constructor(host: DialectHost) {
    this.host = host;
    this.reader = new WyomingReader({
      onMessage: (type, data) => this.onMessage(type, data),
      onPayload: (bytes) => {
        if (this.isAudio) this.inputs.push({ type: 'audio', bytes });
      },
    });
  }

  parse(frame: Frame): readonly Input[] {
    this.inputs = [];
    if (frame.length === 0) return [{ type: 'close' }];
    try {
      this.reader.push(typeof frame === 'string' ? Buffer.from(frame) : frame);
    } catch (error) {
      const { code, detail } = toServerError(error);
      this.inputs.push({ type: 'fail', code, detail });
    }
    return this.inputs;
  }

  render(event: StreamEvent): readonly Frame[] {
    switch (event.type) {
      case 'started':
        this.before = '';
        this.sent = '';
        return [this.message('transcript-start', { language: this.host.manifest.language })];
      case 'partial':
        return this.chunk(event.words.slice(0, event.stableWords));
      case 'segment': {
        const chunk = this.chunk(event.segment.words);
        this.before = joinWords(event.segment.words) || this.before;
        this.sent = '';
        return chunk;
      }
      case 'stopped':
        return this.transcript(event);
      case 'error':
        // The utterance had already ended by itself, because no audio came.
        if (event.code === 'NOT_RECORDING') return NOTHING;
        return [wyomingError(new ServerError(event.code, event.detail))];
      default:
        return NOTHING;
    }
  }

  closeCode = closeCodeOf;

  // ---- from the client ------------------------------------------------------------------------------------

  /** Unknown messages are always ignored. */
  private onMessage(type: string, data: Data): void {
    this.isAudio = false;
    switch (type) {
      case 'describe':
        this.say(this.message('info', infoOf(this.host)));
        break;
      case 'ping':
        this.say(this.message('pong', typeof data.text === 'string' ? { text: data.text } : {}));
        break;
      case 'transcribe':
        this.phrases = [data.transcript_names, data.transcript_terms].flatMap((it) =>
          Array.isArray(it) ? it : [],
        );
        break;
      case 'audio-start':
        this.begin(data);
        break;
      case 'audio-chunk':
        if (!this.inUtterance) this.begin(data);
        this.isAudio = true;
        break;
      case 'audio-stop':
        this.end();
        break;
    }
  }

  private begin(data: Data): void {
    if (this.inUtterance) this.end();
    const { rate = 16_000, width = SAMPLE_BYTES, channels = 1 } = data;
    if (width !== SAMPLE_BYTES) {
      throw new ServerError('UNSUPPORTED_ENCODING', `width: ${SAMPLE_BYTES} bytes per sample are required.`);
    }
    const config = parseConfig({ sample_rate: rate, channels, hotwords: hotwordsOf(this.phrases) });
    this.phrases = [];
    this.inUtterance = true;
    this.inputs.push({ type: 'configure', config }, { type: 'start', config: {} });
  }

  /** Answers even without an utterance, since the client waits for it. */
  private end(): void {
    if (this.inUtterance) this.inputs.push({ type: 'stop' });
    else this.say(...this.final(''));
    this.inUtterance = false;
  }

  private say(...frames: Uint8Array[]): void {
    this.inputs.push({ type: 'say', frames });
  }

  // ---- to the client --------------------------------------------------------------------------------------

  /** The new words of the open segment. */
  private chunk(words: readonly Word[]): Frame[] {
    const text = joinWords(words);
    if (text.length <= this.sent.length || !text.startsWith(this.sent)) return [];
    const isFirst = this.sent === '' && this.before !== '';
    const space = isFirst && spaceBetween(this.before, text) ? ' ' : '';
    const piece = space + text.slice(this.sent.length);
    this.sent = text;
    return [this.message('transcript-chunk', { text: piece })];
  }

  private transcript({ text }: StoppedEvent): Frame[] {
    return this.final(text);
  }

  private final(text: string): Uint8Array[] {
    const { language } = this.host.manifest;
    return [this.message('transcript', { text, language }), this.message('transcript-stop', {})];
  }

  private message(type: string, data: object): Uint8Array {
    return wyomingMessage(type, data, packageVersion);
  }
}

function hotwordsOf(phrases: readonly unknown[]): { phrase: string }[] {
  return phrases
    .filter((phrase) => typeof phrase === 'string')
    .map((phrase) => phrase.trim())
    .filter((phrase) => phrase !== '' && phrase.length <= LIMITS.maxHotwordChars)
    .slice(0, LIMITS.maxHotwords)
    .map((phrase) => ({ phrase }));
}

/** Fields that look empty are required: Home Assistant raises an error without them. */
function infoOf({ manifest }: DialectHost): object {
  const { name, version, description, language } = manifest;
  const attribution = { name: 'rnnt-server', url: '' };
  const languages = [...new Set([language.split('-')[0] ?? language, language])];
  const model = { name, description, attribution, installed: true, version, languages };
  const program = {
    name: 'rnnt-server',
    description: 'Streaming speech recognition',
    attribution,
    installed: true,
    version: packageVersion,
    models: [model],
    supports_transcript_streaming: true,
    requires_external_vad: true,
  };
  return { asr: [program], tts: [], handle: [], intent: [], wake: [], mic: [], snd: [] };
}

/** The message sent to a client before its connection is closed. */
export const wyomingError = ({ message, code }: ServerError): Uint8Array =>
  wyomingMessage('error', { text: code === 'INTERNAL' ? ERRORS[code].text : message, code }, packageVersion);

export const wyoming = (host: DialectHost): Dialect => new WyomingDialect(host);
