/**
 * Every error and warning that the server sends, in one table.
 *
 * `text` is the message for people. `closeCode` is the WebSocket close code if the error ends the connection; null: the
 * connection continues. `httpStatus` is used if the error answers an HTTP request or refuses an upgrade. `retryable`
 * says whether the same request may succeed later.
 */
export interface ErrorEntry {
  readonly text: string;
  readonly closeCode: number | null;
  readonly httpStatus: number;
  readonly retryable: boolean;
}

const entry = (
  text: string,
  httpStatus: number,
  retryable = false,
  closeCode: number | null = null,
): ErrorEntry => ({ text, closeCode, httpStatus, retryable });

export const ERRORS = {
  // About a client's messages.
  INVALID_JSON: entry('The text frame is not a JSON object.', 400),
  UNKNOWN_MESSAGE: entry('Unknown message type.', 400),
  INVALID_MESSAGE: entry('A field of the message has the wrong type or value.', 400),
  UNSUPPORTED_SAMPLE_RATE: entry('The sample rate must be between 8000 and 48000 Hz.', 415),
  TOO_MANY_RATES: entry('Too many unusual sample rates are in use; use a common one.', 503, true),
  UNSUPPORTED_ENCODING: entry('The audio encoding is not supported.', 415),
  UNSUPPORTED_CHANNELS: entry('The audio must have one or two channels.', 415),
  ALREADY_RECORDING: entry('A recording is already running; stop it first.', 409),
  NOT_RECORDING: entry('No recording is running; start one first.', 409),
  UNKNOWN_SETTING: entry('An unknown setting was ignored.', 400),
  AUDIO_IGNORED: entry('Audio was ignored, because no recording was running.', 409),
  CONFIG_LOCKED: entry('This field cannot change while recording.', 409),
  RECORDING_TIMEOUT: entry('No audio was received for too long; the recording has ended.', 408, true),
  NOT_SUPPORTED: entry('The model does not support this; the recording continues without it.', 501),
  UNKNOWN_PARAMETER: entry('An unknown parameter was ignored.', 400),
  MESSAGE_TOO_LARGE: entry('The message is larger than the server accepts.', 413, false, 1009),
  RATE_LIMITED: entry('Too many text frames in a short time.', 429, true, 4429),

  // Connections.
  UNAUTHORIZED: entry('A valid access token is required.', 401, false, 1008),
  KEY_LIMIT: entry('The access key has reached one of its limits.', 429, true),
  AT_CAPACITY: entry('The server is at its rated capacity.', 503, true, 1013),
  NOT_READY: entry('The server is still starting.', 503, true, 1013),
  DRAINING: entry('The server is shutting down.', 503, true, 1001),
  CLIENT_ID_IN_USE: entry('Another connection uses this client_id.', 409, true, 4409),
  IDLE_TIMEOUT: entry('Nothing was received for too long.', 408, true, 4408),
  SLOW_READER: entry('The client reads its messages too slowly.', 429, true, 1013),
  RESUME_EXPIRED: entry('The resume token is unknown or expired; a new session was opened.', 410),

  // HTTP.
  NOT_FOUND: entry('There is nothing at this address.', 404),
  METHOD_NOT_ALLOWED: entry('Method not allowed; the Allow header lists the allowed methods.', 405),
  UPGRADE_REQUIRED: entry('This address accepts only WebSocket connections.', 426),
  UPLOAD_TOO_LARGE: entry('The upload is larger than the server accepts.', 413),
  UPLOAD_TOO_LONG: entry('The audio is longer than the server accepts in one upload.', 413),
  UPLOAD_MISSING: entry('The request contains no audio.', 400),
  UNSUPPORTED_MEDIA: entry('The audio format is not recognised.', 415),
  CORRUPT_AUDIO: entry('The audio is damaged or cut short.', 422),
  TOO_MANY_UPLOADS: entry('Too many uploads are being transcribed.', 503, true),
  BAD_REQUEST: entry('The request is not valid.', 400),

  // About the server itself.
  ENGINE_FAILED: entry('The recogniser failed on this stream.', 500, true, 1011),
  AUDIO_FAILED: entry('The recogniser failed repeatedly on this audio; it was given up.', 422, false, 1003),
  DECODER_LOST: entry('The decoder of this recording was lost; start another recording.', 500, true),
  INTERNAL: entry('Internal server error.', 500, true, 1011),

  // At start; these end the process.
  CONFIG_INVALID: entry('The configuration is not valid.', 500),
  MODEL_MISSING: entry('A file of the model is missing.', 500),
  MODEL_CORRUPT: entry('A file of the model is damaged.', 500),
  MODEL_INVALID: entry('The model does not match its manifest.', 500),
  MODEL_UNSUPPORTED: entry('The model cannot be imported.', 500),
  PROVIDER_UNAVAILABLE: entry('The execution provider cannot be loaded.', 500),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** An expected failure: a code of the table, and a detail that helps to find the cause. The only way to create one. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions) {
    super(detail === undefined ? ERRORS[code].text : `${ERRORS[code].text} ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }

  get entry(): ErrorEntry {
    return ERRORS[this.code];
  }
}

/** Any thrown value as a ServerError. Unexpected ones become INTERNAL, with the original as their cause. */
export function toServerError(error: unknown, fallback: ErrorCode = 'INTERNAL'): ServerError {
  if (error instanceof ServerError) return error;
  return new ServerError(fallback, error instanceof Error ? error.message : String(error), { cause: error });
}
