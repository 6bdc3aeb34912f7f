/**
 * How one protocol says things. A session knows commands and events; a dialect turns a frame of its client into commands
 * and audio, and an event into frames, and says by which rules its clients live:
 *
 *     frame ─▶ parse ─▶ inbox ─▶ session ─▶ event ─▶ outbox ─▶ render ─▶ frames
 *
 * There is one dialect object for each session, so it may remember what it likes: what was sent (for deltas), what waits
 * (for lock steps), ids, offsets. It never waits, sets no timer and sends nothing by itself: what it has to say it
 * returns from `parse` (as `say`) or from `render`.
 */
import type { DialectName } from '../config.js';
import { ERRORS, type ErrorCode } from '../errors.js';
import type { Manifest } from '../models/manifest.js';
import type { Frame, Input } from './commands.js';
import type { StreamEvent } from './events.js';
import type { RecordingConfig } from './types.js';

export type { Command, Frame, Input, InputHandlers } from './commands.js';
export type * from './events.js';

/** The rules of a dialect. They hold for the whole session. */
export interface DialectPolicy {
  /** What a recording is like where these clients say nothing, in place of the server's own defaults. */
  readonly defaults: Partial<RecordingConfig>;
  /**
   * There is no start message: the first audio while no recording runs begins one with the settings in force. If it
   * cannot begin, or its audio cannot be read, the connection is closed with that error.
   */
  readonly startsByItself: boolean;
  /** One text frame, in characters; MESSAGE_TOO_LARGE beyond it. */
  readonly maxTextChars: number;
  /**
   * Text frames a second, averaged, and how many may come at once; counted on arrival, unread. RATE_LIMITED ends the
   * session beyond it. Generous where audio comes in text frames.
   */
  readonly textFramesPerSecond: number;
  readonly textFrameBurst: number;
  /**
   * `frames`: a connection that gives no sign of life for `--idle-timeout` is closed. `heartbeat`: only one that does not
   * answer the server's pings is; its client may be mute for hours.
   */
  readonly idle: 'frames' | 'heartbeat';
  /**
   * Partials to a client that reads slowly are replaced by newer ones before they are rendered. False: each is rendered
   * at once, for a dialect that only notes it.
   */
  readonly coalescesPartials: boolean;
  /**
   * The client takes part in resuming: it gets `ack` and a token, and a pause in its sending is its own affair. For others
   * the segment is finalised when audio stops coming (reason `timeout`). Every frame that such a dialect renders tells its
   * number, 1, 2, 3 … per session; but that of `resumed`, which is no part of the count.
   */
  readonly resumable: boolean;
  /** It is told of every step (`progress`), for what it says when time has passed in the audio. No, if left out. */
  readonly tellsProgress?: boolean;
}

export interface Dialect {
  readonly policy: DialectPolicy;
  /** Headers of the answer that accepts the upgrade. */
  readonly headers?: Readonly<Record<string, string>>;

  /**
   * What a frame means, in order. An empty list: nothing. Bytes may be handed on in `audio` uncopied.
   * @throws ServerError what is wrong with it: told as `error`, and the connection goes on unless the code closes it
   */
  parse(frame: Frame): readonly Input[];

  /**
   * Goes on with a session of another server; resumable dialects only.
   * @param last the number of the last frame that was rendered there
   * @param config in force
   */
  goOn?(last: number, config: RecordingConfig): void;

  /** What the client is told of it: nothing, one message or several. Called once for each event, when it is sent. */
  render(event: StreamEvent): readonly Frame[];

  /** The close code of a session that ends with this error; null: as it should. */
  closeCode(code: ErrorCode | null): number;
  /** What is said beside the close code; the error's code if left out. */
  closeReason?(code: ErrorCode): string;
}

/** What the client said when it connected. */
export interface DialectRequest {
  readonly url: URL;
  /** Lower-case names, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** What a dialect may know of the server. */
export interface DialectHost {
  readonly manifest: Manifest;
  readonly defaults: RecordingConfig;
  /** Sessions outlive their connections here. */
  readonly resumes: boolean;
}

/** A refusal over HTTP, as this dialect's clients expect it. */
export interface Refusal {
  /** That of the error table if left out. */
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Told as JSON. */
  readonly body: object;
}

export interface DialectDefinition {
  /** `native`, or the name by which `--dialects` turns it on. */
  readonly name: 'native' | DialectName;
  /** Where it is served, as paths of WebSocket upgrades. */
  readonly paths: readonly string[];
  /** Its clients come back with `resume` in the address; at other paths that word means nothing. */
  readonly resumes?: true;
  /** @throws ServerError what cannot be served; answered as HTTP, before the upgrade */
  create(request: DialectRequest, host: DialectHost): Dialect;
  /** How a request to one of the paths is refused; as the native protocol does it if left out. */
  refuse?(code: ErrorCode, detail: string | undefined): Refusal;
}

export const NOTHING: readonly Frame[] = [];

/** By the error table; for errors that close no native connection: 1003 unsupported data, 1008 policy, 1011 internal. */
export function closeCodeOf(code: ErrorCode | null): number {
  if (code === null) return 1000;
  const { closeCode, httpStatus } = ERRORS[code];
  return closeCode ?? (httpStatus === 415 ? 1003 : httpStatus < 500 ? 1008 : 1011);
}
