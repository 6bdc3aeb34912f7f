/**
 * The protocol of `/ws/transcribe`: docs/WEBSOCKET_API.md. Messages are numbered (`seq`). Controls are JSON in text
 * frames; old clients send them in binary frames.
 */
import { COMMON_SAMPLE_RATES, LIVE_ENCODINGS } from '../../audio/format.js';
import { ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import type {
  Dialect,
  DialectDefinition,
  DialectHost,
  DialectPolicy,
  DialectRequest,
  Frame,
  Input,
  OpenedEvent,
  ResumedEvent,
  StreamEvent,
} from '../dialect.js';
import { closeCodeOf, NOTHING } from '../dialect.js';
import { controlInBinary, parseControl } from '../parse.js';
import {
  renderError,
  renderMetrics,
  renderStopped,
  renderTranscription,
  renderWarning,
  timestamp,
  toSeconds,
  writePartial,
} from '../render.js';
import {
  type ClientMessage,
  type ConnectionMessage,
  PROTOCOL_VERSION,
  type RecordingConfig,
  type ResumedMessage,
  type Sequenced,
  type ServerMessage,
} from '../types.js';

const isYes = (value: string | null): boolean => value !== null && /^(1|true|yes)$/i.test(value);

const isApart = ({ multichannel, channels }: RecordingConfig): boolean => multichannel && channels > 1;

class NativeDialect implements Dialect {
  readonly policy: DialectPolicy;
  private readonly host: DialectHost;
  private seq = 0;
  /** Channels are separate: messages about a channel name it. */
  private apart = false;

  constructor({ url }: DialectRequest, host: DialectHost) {
    this.host = host;
    this.policy = {
      defaults: {},
      startsByItself: false,
      maxTextChars: LIMITS.maxControlBytes,
      textFramesPerSecond: LIMITS.controlMessagesPerSecond,
      textFrameBurst: LIMITS.controlBurst,
      idle: 'frames',
      coalescesPartials: true,
      resumable: host.resumes && isYes(url.searchParams.get('resumable')),
    };
  }

  parse(frame: Frame): readonly Input[] {
    if (typeof frame !== 'string') {
      const message = controlInBinary(frame);
      return message === null ? [{ type: 'audio', bytes: frame }] : inputsOf(message);
    }
    try {
      return inputsOf(parseControl(frame));
    } catch (error) {
      // Existing web pages show every error to their users, and send message types of other servers.
      if (!(error instanceof ServerError) || error.code !== 'UNKNOWN_MESSAGE') throw error;
      return [{ type: 'warning', code: error.code, detail: error.detail ?? '' }];
    }
  }

  render(event: StreamEvent): readonly Frame[] {
    if (event.type === 'partial') {
      const json = writePartial(event, this.host.manifest.confidence);
      return [this.numbered(this.apart ? `${json.slice(0, -1)},"channel":${event.channel}}` : json)];
    }
    if (event.type === 'resumed') return [JSON.stringify(resumption(event))];
    const message = this.messageOf(event);
    return message === null ? NOTHING : [this.numbered(JSON.stringify(message))];
  }

  goOn(last: number, config: RecordingConfig): void {
    this.seq = last;
    this.apart = isApart(config);
  }

  closeCode = closeCodeOf;

  /** An object's JSON with its number as the last field. */
  private numbered(json: string): string {
    return `${json.slice(0, -1)},"seq":${++this.seq}}`;
  }

  private channelOf({ channel }: { readonly channel: number }): { channel?: number } {
    return this.apart ? { channel } : {};
  }

  private messageOf(event: Exclude<StreamEvent, { type: 'partial' | 'resumed' }>): ServerMessage | null {
    switch (event.type) {
      case 'opened':
        return this.greeting(event);
      case 'started':
        this.apart = isApart(event.config);
        return { type: 'recording_started', timestamp: timestamp(), config: event.config };
      case 'configured':
        this.apart = isApart(event.config);
        return { type: 'configured', config: event.config };
      case 'segment': {
        const { segment, processingMs, withWords } = event;
        const message = renderTranscription(segment, processingMs, withWords, this.host.manifest.confidence);
        return { ...message, ...this.channelOf(event) };
      }
      case 'speech': {
        if (!event.wanted) return null;
        const type = event.change === 'started' ? 'speech_started' : 'speech_ended';
        return {
          type,
          audio_time: toSeconds(event.atSamples),
          ...this.channelOf(event),
          timestamp: timestamp(),
        };
      }
      case 'stopped':
        return renderStopped(event);
      case 'warning':
        return renderWarning(event.code, event.detail);
      case 'error':
        return renderError(event.code, event.detail);
      case 'metrics':
        return renderMetrics(event);
      case 'pong':
        return { type: 'pong', timestamp: timestamp() };
      case 'moving':
        return { type: 'moving', timestamp: timestamp() };
      case 'ack':
        return { type: 'ack', received_samples: event.receivedSamples, ...bytesOf(event) };
      case 'progress':
      case 'closing':
        return null;
    }
  }

  private greeting({ clientId, sessionId, resumeToken }: OpenedEvent): ConnectionMessage {
    return {
      type: 'connection',
      status: 'connected',
      client_id: clientId,
      session_id: sessionId,
      ...(resumeToken === undefined ? {} : { resume_token: resumeToken }),
      message: 'Send {"type":"start_recording"}, then audio in binary frames.',
      protocol_version: PROTOCOL_VERSION,
      model: this.host.manifest.name,
      supported_audio_formats: {
        sample_rates: [...COMMON_SAMPLE_RATES],
        encodings: [...LIVE_ENCODINGS],
        channels: [1, 2],
      },
    };
  }
}

const bytesOf = ({ receivedBytes }: { readonly receivedBytes?: number | undefined }) =>
  receivedBytes === undefined ? {} : { received_bytes: receivedBytes };

const resumption = (event: ResumedEvent): Sequenced<ResumedMessage> => ({
  type: 'resumed',
  received_samples: event.receivedSamples,
  ...bytesOf(event),
  received_controls: event.receivedControls,
  state: event.state,
  resume_token: event.resumeToken,
  seq: event.seen,
});

function inputsOf(message: ClientMessage): Input[] {
  switch (message.type) {
    case 'start_recording':
      return [{ type: 'start', config: message.config }, ...unknownSettings(message.unknown)];
    case 'configure':
      return [{ type: 'configure', config: message.config }, ...unknownSettings(message.unknown)];
    case 'stop_recording':
      return [{ type: 'stop' }];
    default:
      return [{ type: message.type }];
  }
}

function unknownSettings(names: readonly string[] = []): Input[] {
  if (names.length === 0) return [];
  const named = names.slice(0, LIMITS.maxNamedSettings).map((name) => JSON.stringify(name.slice(0, 40)));
  const more = names.length > named.length ? ' …' : '';
  return [{ type: 'warning', code: 'UNKNOWN_SETTING', detail: `${named.join(', ')}${more}` }];
}

export const native: DialectDefinition = {
  name: 'native',
  paths: ['/ws/transcribe'],
  resumes: true,
  create: (request, host) => new NativeDialect(request, host),
};
