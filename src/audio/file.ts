/**
 * Audio files → 16 kHz mono 16-bit samples. Runs in a codec worker: it takes its time and holds its thread.
 *
 * A damaged or truncated file is refused (CORRUPT_AUDIO), never transcribed in part or as noise.
 */
import type { ErrorCode } from '../errors.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { BLOCK_FRAMES, type OnBlock } from './block.js';
import { fileFormatsText } from './file-formats.js';
import { MAX_FILE_RATE_HZ, MIN_RATE_HZ } from './filter.js';
import { decodeFlac } from './flac.js';
import type { AudioFormat } from './format.js';
import { decodeOpusFile } from './opus.js';
import { decodeFloats, frameBytesOf, roundSample } from './pcm.js';
import { StreamResampler } from './resampler.js';
import { decodeWav } from './wav.js';

export interface FileRequest {
  readonly bytes: Uint8Array;
  /** UPLOAD_TOO_LONG beyond it. */
  readonly maxSeconds: number;
  /** Given: the bytes are raw PCM of this format. Otherwise the bytes say what they are. */
  readonly format?: AudioFormat;
}

/** What a codec worker answers: errors travel as values. */
export type FileAnswer = Int16Array | { readonly code: ErrorCode; readonly detail: string | undefined };

/**
 * @returns 16 kHz mono samples in a buffer of their own (transferable).
 * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG
 */
export async function decodeFile(request: FileRequest): Promise<Int16Array> {
  const { bytes, format, maxSeconds } = request;
  const collector = new Collector(maxSeconds);
  if (format !== undefined) {
    decodeRaw(bytes, format, collector.add);
  } else {
    await containerOf(bytes)(bytes, collector.add);
  }
  return collector.finish();
}

type Decode = (bytes: Uint8Array, onBlock: OnBlock) => void | Promise<void>;

/** Recognises a file by its first bytes; names and content types lie. */
function containerOf(bytes: Uint8Array): Decode {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1');
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WAVE') return decodeWav;
  if (head.startsWith('fLaC') || (head.startsWith('OggS') && head.includes('FLAC'))) return decodeFlac;
  const isWebm = head.startsWith('\x1aE\xdf\xa3');
  if (isWebm || head.startsWith('OggS') || head.slice(4, 8) === 'ftyp') return decodeOpusFile;
  throw new ServerError('UNSUPPORTED_MEDIA', `These are understood: ${fileFormatsText}.`);
}

function decodeRaw(bytes: Uint8Array, format: AudioFormat, onBlock: OnBlock): void {
  const frameBytes = frameBytesOf(format);
  const frames = Math.floor(bytes.length / frameBytes);
  const mono = new Float32Array(BLOCK_FRAMES);
  for (let done = 0; done < frames; done += BLOCK_FRAMES) {
    const count = Math.min(BLOCK_FRAMES, frames - done);
    decodeFloats(format, bytes, done * frameBytes, count, mono, 0);
    onBlock(mono.subarray(0, count), format.sample_rate);
  }
}

/** Gathers blocks into one array of 16 kHz samples that grows by doubling, up to the bound. */
class Collector {
  private readonly maxSamples: number;
  private samples = new Int16Array(LIMITS.sampleRateHz);
  private length = 0;
  private rateHz = 0;
  private resampler: StreamResampler | undefined;

  constructor(maxSeconds: number) {
    this.maxSamples = Math.floor(maxSeconds * LIMITS.sampleRateHz);
  }

  readonly add: OnBlock = (mono, rateHz) => {
    if (this.rateHz === 0) this.begin(rateHz);
    if (rateHz !== this.rateHz) throw new ServerError('CORRUPT_AUDIO', 'The sample rate changes midway.');
    if (this.resampler !== undefined) {
      this.reserve(this.resampler.outputFor(mono.length));
      this.length += this.resampler.process(mono, this.samples, this.length);
    } else {
      this.reserve(mono.length);
      for (let i = 0; i < mono.length; i += 1) this.samples[this.length + i] = roundSample(mono[i]!);
      this.length += mono.length;
    }
    if (this.length > this.maxSamples) {
      throw new ServerError('UPLOAD_TOO_LONG', `${this.maxSamples / LIMITS.sampleRateHz} s at most.`);
    }
  };

  finish(): Int16Array<ArrayBuffer> {
    if (this.resampler !== undefined) {
      this.reserve(this.resampler.outputFor(this.resampler.latencyFrames));
      this.length += this.resampler.flush(this.samples, this.length);
    }
    if (this.length === 0) throw new ServerError('CORRUPT_AUDIO', 'There are no samples in it.');
    return this.samples.slice(0, this.length);
  }

  private begin(rateHz: number): void {
    if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_FILE_RATE_HZ) {
      throw new ServerError(
        'UNSUPPORTED_MEDIA',
        `A file's sample rate must be 8,000–192,000 Hz, not ${rateHz}.`,
      );
    }
    this.rateHz = rateHz;
    if (rateHz !== LIMITS.sampleRateHz) this.resampler = new StreamResampler(rateHz);
  }

  private reserve(samples: number): void {
    if (this.length + samples <= this.samples.length) return;
    const grown = new Int16Array(Math.max(this.samples.length * 2, this.length + samples));
    grown.set(this.samples.subarray(0, this.length));
    this.samples = grown;
  }
}
