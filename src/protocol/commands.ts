/**
 * What a client can ask of a session, independent of the dialect's wording. A session takes one command at a time, in
 * the order in which they arrive among the audio.
 */
import type { ErrorCode } from '../errors.js';
import type { RecordingConfig } from './types.js';

/** One message of the transport: text or bytes. The bytes are valid only until `parse` returns. */
export type Frame = string | Uint8Array;

export type Command =
  /**
   * Begin a recording; `config` applies to this one only. Answered by `started`, or by `error`: ALREADY_RECORDING,
   * AT_CAPACITY (retryable), UNSUPPORTED_SAMPLE_RATE.
   */
  | { readonly type: 'start'; readonly config: Partial<RecordingConfig> }
  /**
   * End the recording: gives its last `segment`, then `stopped`. Anything the client sent after it waits until then.
   */
  | { readonly type: 'stop' }
  /**
   * End the segment at this point of the audio: gives a `segment` with reason `finalize`, empty if nothing was said.
   */
  | { readonly type: 'finalize' }
  /** Change settings from the next chunk on, also for later recordings. Answered by `configured`. */
  | { readonly type: 'configure'; readonly config: Partial<RecordingConfig> }
  /** Answered by `pong` with the same `text`. */
  | { readonly type: 'ping'; readonly text?: string }
  /** Keeps the connection open. Not answered. */
  | { readonly type: 'keepalive' }
  /** Stop a running recording as `stop` does, then close the connection with `closeCode(null)`. */
  | { readonly type: 'close' };

/** The content of a frame, in order: commands, audio, and answers that the dialect gives by itself. */
export type Input =
  | Command
  /** Audio of the running recording, in its format. Bytes that cannot be taken at once are copied. */
  | { readonly type: 'audio'; readonly bytes: Uint8Array }
  /**
   * An answer that needs nothing from the session, sent in order with the others (Wyoming's `info`, Vosk's lock step).
   */
  | { readonly type: 'say'; readonly frames: readonly Frame[] }
  /** Part of the frame was ignored: sends a `warning`, and the rest is used. */
  | { readonly type: 'warning'; readonly code: ErrorCode; readonly detail: string }
  /** The connection cannot continue: sends a fatal `error`, then closes with `closeCode(code)`. */
  | { readonly type: 'fail'; readonly code: ErrorCode; readonly detail?: string | undefined };

/** A handler for each kind of input. */
export type InputHandlers = {
  readonly [K in Input['type']]: (input: Extract<Input, { type: K }>) => void;
};
