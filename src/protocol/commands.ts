/**
 * What a client can ask of a session, whatever words its dialect has for it. A session takes one at a time, in the
 * order of their arrival among the audio.
 */
import type { ErrorCode } from '../errors.js';
import type { RecordingConfig } from './types.js';

/** One message of the carrier: text, or bytes. The bytes are valid only until `parse` returns. */
export type Frame = string | Uint8Array;

export type Command =
  /**
   * Begin a recording; `config` holds for this one only. Answered by `started`, or by `error`: ALREADY_RECORDING,
   * AT_CAPACITY (retryable), UNSUPPORTED_SAMPLE_RATE.
   */
  | { readonly type: 'start'; readonly config: Partial<RecordingConfig> }
  /** End the recording: its last `segment`, then `stopped`. What the client sent behind it waits until then. */
  | { readonly type: 'stop' }
  /** End the segment where it stands in the audio: a `segment` with reason `finalize`, empty if nothing was said. */
  | { readonly type: 'finalize' }
  /** Settings from the next chunk on, and for the recordings that follow. Answered by `configured`. */
  | { readonly type: 'configure'; readonly config: Partial<RecordingConfig> }
  /** Answered by `pong` with the same `text`. */
  | { readonly type: 'ping'; readonly text?: string }
  /** A sign of life. Not answered. */
  | { readonly type: 'keepalive' }
  /** Goodbye: a running recording is stopped as by `stop`, then the connection is closed with `closeCode(null)`. */
  | { readonly type: 'close' };

/** What a frame holds: commands, audio, and what its dialect answers by itself, in this order. */
export type Input =
  | Command
  /** Audio of the running recording, in its format. A copy is made of what cannot be taken at once. */
  | { readonly type: 'audio'; readonly bytes: Uint8Array }
  /** An answer that needs nothing of the session, in its place among the others (Wyoming's `info`, Vosk's lock step). */
  | { readonly type: 'say'; readonly frames: readonly Frame[] }
  /** Something in the frame was left out: told by a `warning`, and what remains is taken. */
  | { readonly type: 'warning'; readonly code: ErrorCode; readonly detail: string }
  /** The connection cannot go on like this: told by a fatal `error`, then closed with `closeCode(code)`. */
  | { readonly type: 'fail'; readonly code: ErrorCode; readonly detail?: string | undefined };

/** What is done about each kind of input. */
export type InputHandlers = {
  readonly [K in Input['type']]: (input: Extract<Input, { type: K }>) => void;
};
