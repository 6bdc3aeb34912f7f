/**
 * Every error and warning that leaves the server, in one table.
 *
 * `text` is what a person reads; `closeCode` is the WebSocket close code when the error ends the connection
 * (null: the connection survives); `httpStatus` is used when the same error answers an HTTP request or
 * refuses an upgrade; `retryable` says whether the same request may succeed later.
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
  // What a client said.
  INVALID_JSON: entry('The text frame is not a JSON object.', 400),
  UNKNOWN_MESSAGE: entry('The message type is not known.', 400),
  INVALID_MESSAGE: entry('A field of the message has the wrong type or value.', 400),
  UNSUPPORTED_SAMPLE_RATE: entry('The sample rate must be between 8000 and 48000 Hz.', 415),
  TOO_MANY_RATES: entry('Too many unusual sample rates are in use; send a common one.', 503, true),
  UNSUPPORTED_ENCODING: entry('The audio encoding is not supported.', 415),
  UNSUPPORTED_CHANNELS: entry('The audio must have one or two channels.', 415),
  ALREADY_RECORDING: entry('A recording is already running; stop it first.', 409),
  NOT_RECORDING: entry('No recording is running; start one first.', 409),
  UNKNOWN_SETTING: entry('A setting is not known; it was ignored.', 400),
  AUDIO_IGNORED: entry('Audio arrived while no recording was running; it was ignored.', 409),
  CONFIG_LOCKED: entry('This field cannot change while recording.', 409),
  RECORDING_TIMEOUT: entry('No audio came for too long; the recording was ended.', 408, true),
  NOT_SUPPORTED: entry('The model cannot do this; the recording goes on without it.', 501),
  UNKNOWN_PARAMETER: entry('The parameter is not known; it was ignored.', 400),
  MESSAGE_TOO_LARGE: entry('The frame is larger than the server accepts.', 413, false, 1009),
  RATE_LIMITED: entry('Too many text frames in a short time.', 429, true, 4429),

  // Connections.
  UNAUTHORIZED: entry('A valid access token is needed.', 401, false, 1008),
  KEY_LIMIT: entry('The access key is at one of its limits.', 429, true),
  AT_CAPACITY: entry('The server is at its rated number of streams.', 503, true, 1013),
  NOT_READY: entry('The server is still starting.', 503, true, 1013),
  DRAINING: entry('The server is draining before it stops.', 503, true, 1001),
  CLIENT_ID_IN_USE: entry('Another connection uses this client_id.', 409, true, 4409),
  IDLE_TIMEOUT: entry('Nothing was received for too long.', 408, true, 4408),
  SLOW_READER: entry('The client does not read what it is sent.', 429, true, 1013),
  RESUME_EXPIRED: entry('The resume token is unknown or expired; this is a fresh session.', 410),

  // HTTP.
  NOT_FOUND: entry('There is nothing at this address.', 404),
  METHOD_NOT_ALLOWED: entry('This address takes other methods; Allow names them.', 405),
  UPGRADE_REQUIRED: entry('This address speaks WebSocket.', 426),
  UPLOAD_TOO_LARGE: entry('The upload is larger than the server accepts.', 413),
  UPLOAD_TOO_LONG: entry('The audio is longer than the server accepts in one upload.', 413),
  UPLOAD_MISSING: entry('The request carries no audio.', 400),
  UNSUPPORTED_MEDIA: entry('The audio format is not recognised.', 415),
  CORRUPT_AUDIO: entry('The audio is damaged or cut short.', 422),
  TOO_MANY_UPLOADS: entry('Too many uploads are being transcribed.', 503, true),
  BAD_REQUEST: entry('The request is not valid.', 400),

  // The server itself.
  ENGINE_FAILED: entry('The recogniser failed on this stream.', 500, true, 1011),
  INTERNAL: entry('Something went wrong inside the server.', 500, true, 1011),

  // Starting up; these end the process.
  CONFIG_INVALID: entry('The configuration is not valid.', 500),
  MODEL_MISSING: entry('A file of the model is missing.', 500),
  MODEL_CORRUPT: entry('A file of the model is damaged.', 500),
  MODEL_INVALID: entry('The model does not fit its manifest.', 500),
  MODEL_UNSUPPORTED: entry('The model cannot be imported.', 500),
  PROVIDER_UNAVAILABLE: entry('The execution provider cannot be loaded.', 500),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** The only way an expected failure is made: a code of the table plus what helps to find the cause. */
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

/** Anything thrown, as a ServerError: unexpected ones become INTERNAL and keep their cause. */
export function toServerError(error: unknown, fallback: ErrorCode = 'INTERNAL'): ServerError {
  if (error instanceof ServerError) return error;
  return new ServerError(fallback, error instanceof Error ? error.message : String(error), { cause: error });
}
