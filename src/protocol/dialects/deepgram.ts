/**
 * Deepgram's live protocol, `/v1/listen`: settings in the URL, audio in binary frames, results per segment. A recording
 * begins with the first audio and lasts until `CloseStream`. Times are counted from the start of the stream.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { ErrorCode } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { deepgramError, deepgramMetadata, deepgramModel, deepgramRefusal } from '../deepgram.js';
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
import { closeCodeOf, NOTHING } from '../dialect.js';
import { isRecord, parseObject } from '../parse.js';
import { hotwordsIn, textsIn } from '../query.js';
import { toSeconds } from '../render.js';
import { DeepgramChannel } from './deepgram-channel.js';
import { type DeepgramSettings, deepgramSettings } from './deepgram-settings.js';
import { FOREIGN_POLICY } from './foreign-policy.js';

/** A close frame's reason is limited to 123 bytes. */
const MOST_REASON = 120;
const json = (message: object): Frame => JSON.stringify(message);

class DeepgramDialect implements Dialect {
  readonly policy: DialectPolicy;
  readonly headers: Readonly<Record<string, string>>;
  private readonly requestId = randomUUID();
  private readonly created = new Date();
  private readonly hash = createHash('sha256');
  private readonly model;
  private readonly settings: DeepgramSettings;
  private readonly channels: readonly DeepgramChannel[];
  private recording = false;
  /** Samples of the earlier recordings: audio may pause for longer than a recording waits. */
  private before = 0;
  private failure = '';

  constructor({ url }: DialectRequest, { manifest }: DialectHost) {
    this.settings = deepgramSettings(url.searchParams);
    this.headers = { 'dg-request-id': this.requestId };
    this.model = deepgramModel(manifest);
    this.policy = {
      ...FOREIGN_POLICY,
      defaults: this.settings.config,
      tellsProgress: tellsProgress(this.settings),
    };
    const { uuid, info } = this.model;
    const about = {
      metadata: { request_id: this.requestId, model_info: info, model_uuid: uuid },
      calibration: manifest.confidence,
      settings: this.settings,
    };
    const count = this.settings.config.multichannel ? 2 : 1;
    this.channels = Array.from({ length: count }, (_, index) => new DeepgramChannel(index, count, about));
  }

  parse(frame: Frame): readonly Input[] {
    if (typeof frame !== 'string') {
      if (frame.length === 0) return [{ type: 'close' }];
      this.hash.update(frame);
      return [{ type: 'audio', bytes: frame }];
    }
    const message = parseObject(frame);
    switch (message.type) {
      case 'KeepAlive':
        return [{ type: 'keepalive' }];
      case 'Finalize':
        // Clients wait for the answer, even before any audio.
        return this.recording ? [{ type: 'finalize' }] : [{ type: 'say', frames: this.nothingToFinalize() }];
      case 'CloseStream':
        return [{ type: 'close' }];
      case 'Configure':
        return this.configure(message);
      default: {
        const { type } = message;
        const detail =
          typeof type === 'string' ? `type: ${JSON.stringify(type.slice(0, 60))}` : 'type: must be a string';
        return [{ type: 'say', frames: [json(deepgramError('UNKNOWN_MESSAGE', detail))] }];
      }
    }
  }

  render(event: StreamEvent): readonly Frame[] {
    switch (event.type) {
      case 'started':
        this.recording = true;
        return NOTHING;
      case 'partial':
      case 'segment':
      case 'speech':
      case 'progress':
        return this.channels[event.channel]?.render(event).map(json) ?? NOTHING;
      case 'stopped':
        this.recording = false;
        this.before += event.samples;
        for (const channel of this.channels) channel.restart(this.before);
        return NOTHING;
      case 'error': {
        const error = deepgramError(event.code, event.detail);
        if (event.fatal) this.failure = error.description;
        return [json(error)];
      }
      case 'closing':
        return event.code === null ? [json({ type: 'Metadata', ...this.metadata() })] : NOTHING;
      default:
        return NOTHING;
    }
  }

  /** Deepgram's own code for audio that cannot be read is 1008. */
  closeCode(code: ErrorCode | null): number {
    const closeCode = closeCodeOf(code);
    return closeCode === 1003 ? 1008 : closeCode;
  }

  closeReason(code: ErrorCode): string {
    const isAudio = code === 'UNSUPPORTED_ENCODING' || code === 'CORRUPT_AUDIO';
    return isAudio ? `DATA-0000: ${this.failure}`.slice(0, MOST_REASON) : code;
  }

  private nothingToFinalize(): Frame[] {
    return this.channels.map((channel) => json(channel.emptyFinal()));
  }

  /**
   * Newer SDKs change key terms during the stream and wait for an answer. Older ones send `processors` and do not wait.
   */
  private configure({ keyterms, features }: Record<string, unknown>): readonly Input[] {
    const { requestId: request_id } = this;
    const say = (message: object): Input => ({ type: 'say', frames: [json({ ...message, request_id })] });
    // There are no features to turn on or off.
    if (!Array.isArray(keyterms)) return isRecord(features) ? [say({ type: 'ConfigureSuccess' })] : [];
    const terms = textsIn(keyterms).filter((term) => term.trim() !== '');
    const hotwords = hotwordsIn(terms);
    if (hotwords.length < terms.length) {
      const code = 'CONFIGURE_KEYTERM_LIMIT_EXCEEDED';
      const description = `At most ${LIMITS.maxHotwords} terms of ${LIMITS.maxHotwordChars} characters each. The previous terms stay in force.`;
      return [say({ type: 'ConfigureFailure', code, description })];
    }
    return [{ type: 'configure', config: { hotwords } }, say({ type: 'ConfigureSuccess', keyterms: terms })];
  }

  private metadata() {
    const audio = {
      requestId: this.requestId,
      sha256: this.hash.digest('hex'),
      created: this.created,
      duration: toSeconds(this.before),
      channels: this.settings.config.channels,
    };
    return deepgramMetadata(audio, this.model);
  }
}

/** Needed for messages that depend on audio time: the end of an utterance, or the end of noise without words. */
const tellsProgress = ({ utteranceEndMs, config }: DeepgramSettings): boolean =>
  utteranceEndMs !== null || (config.vad_events === true && config.partials === true);

export const deepgram: DialectDefinition = {
  name: 'deepgram',
  paths: ['/v1/listen'],
  create: (request, host) => new DeepgramDialect(request, host),
  refuse: deepgramRefusal,
};
