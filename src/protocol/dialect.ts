/**
 * One protocol's wording. A session knows commands and events. A dialect turns its client's frames into commands and
 * audio, turns events into frames, and defines the rules for its clients:
 *
 *     frame ─▶ parse ─▶ inbox ─▶ session ─▶ event ─▶ outbox ─▶ render ─▶ frames
 *
 * Each session has its own dialect object, which may keep state: what was sent (for deltas), what waits (for lock
 * step), ids, offsets. It never waits, sets no timers and sends nothing by itself: its messages are the results of
 * `parse` (as `say`) and `render`.
 */
import type { DialectName } from '../config.js';
import { ERRORS, type ErrorCode } from '../errors.js';
import type { Manifest } from '../models/manifest.js';
import type { Frame, Input } from './commands.js';
import type { StreamEvent } from './events.js';
import type { RecordingConfig } from './types.js';

export type { Command, Frame, Input, InputHandlers } from './commands.js';
export type * from './events.js';

/** The rules of a dialect, for the whole session. */
export interface DialectPolicy {
  /** Default settings of a recording for these clients, instead of the server's. */
  readonly defaults: Partial<RecordingConfig>;
  /**
   * There is no start message: the first audio while no recording runs begins one with the settings in force. If it
   * cannot begin, or its audio cannot be read, the connection is closed with that error.
   */
  readonly startsByItself: boolean;
  /** Most characters in one text frame; MESSAGE_TOO_LARGE above it. */
  readonly maxTextChars: number;
  /**
   * Text frames per second, on average, and how many may come at once; counted on arrival, before parsing. RATE_LIMITED
   * ends the session above it. Higher if audio comes in text frames.
   */
  readonly textFramesPerSecond: number;
  readonly textFrameBurst: number;
  /**
   * `frames`: a connection from which nothing was received for `--idle-timeout` is closed. `heartbeat`: only a
   * connection that does not answer the server's pings is closed; its client may be silent for hours.
   */
  readonly idle: 'frames' | 'heartbeat';
  /**
   * Replace partials by newer ones before they are rendered, for clients that read slowly. False: each is rendered at
   * once, for a dialect that only records them.
   */
  readonly coalescesPartials: boolean;
  /**
   * The client supports resuming: it gets `ack` and a token, and may pause sending. For other clients, the segment is
   * finalised when audio stops coming (reason `timeout`). Every frame that such a dialect renders carries its number,
   * 1, 2, 3 … per session, except `resumed`, which is not counted.
   */
  readonly resumable: boolean;
  /** Send it every step (`progress`), for messages that depend on audio time. Default: no. */
  readonly tellsProgress?: boolean;
}

export interface Dialect {
  readonly policy: DialectPolicy;
  /** Headers of the response that accepts the upgrade. */
  readonly headers?: Readonly<Record<string, string>>;

  /**
   * The meaning of a frame, in order; may be empty. Bytes may be passed on in `audio` without a copy.
   * @throws ServerError sent as `error`; the connection continues unless the code closes it
   */
  parse(frame: Frame): readonly Input[];

  /**
   * Continues a session of another server; only for resumable dialects.
   * @param last the number of the last frame that was rendered there
   * @param config in force
   */
  goOn?(last: number, config: RecordingConfig): void;

  /** The messages for the client about an event: none, one or several. Called once for each event, when it is sent. */
  render(event: StreamEvent): readonly Frame[];

  /** The close code of a session that ends with this error; null: a normal end. */
  closeCode(code: ErrorCode | null): number;
  /** The reason sent with the close code; default: the error's code. */
  closeReason?(code: ErrorCode): string;
}

/** What the client sent when it connected. */
export interface DialectRequest {
  readonly url: URL;
  /** Lower-case names, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The facts about the server that a dialect may use. */
export interface DialectHost {
  readonly manifest: Manifest;
  readonly defaults: RecordingConfig;
  /** Whether sessions outlive their connections here. */
  readonly resumes: boolean;
}

/** A refusal over HTTP, in the format that this dialect's clients expect. */
export interface Refusal {
  /** Default: that of the error table. */
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body: object;
}

export interface DialectDefinition {
  /** `native`, or the name for `--dialects`. */
  readonly name: 'native' | DialectName;
  /** Paths of the WebSocket upgrades. */
  readonly paths: readonly string[];
  /** Whether its clients resume with `resume` in the URL, which has no meaning at other paths. */
  readonly resumes?: true;
  /** @throws ServerError for an unsupported request; answered as HTTP, before the upgrade */
  create(request: DialectRequest, host: DialectHost): Dialect;
  /** The refusal of a request to one of the paths; default: the native protocol's. */
  refuse?(code: ErrorCode, detail: string | undefined): Refusal;
}

export const NOTHING: readonly Frame[] = [];

/**
 * From the error table. For errors that do not close a native connection: 1003 unsupported data, 1008 policy, 1011
 * internal.
 */
export function closeCodeOf(code: ErrorCode | null): number {
  if (code === null) return 1000;
  const { closeCode, httpStatus } = ERRORS[code];
  return closeCode ?? (httpStatus === 415 ? 1003 : httpStatus < 500 ? 1008 : 1011);
}
