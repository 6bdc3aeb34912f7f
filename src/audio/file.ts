/**
 * Decodes audio files to 16-bit samples at 16 kHz, mono or per channel, piece by piece. Runs in a codec worker, since
 * it occupies its thread.
 *
 * A damaged or truncated file is refused (CORRUPT_AUDIO), never transcribed in part or as noise. The error comes at the
 * damaged place, after the pieces before it.
 */
import { performance } from 'node:perf_hooks';
import type { ErrorCode } from '../errors.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { type Block, slices } from './files/block.js';
import { sampleBlocks } from './files/samples.js';
import { fileBlocks } from './files/sniff.js';
import type { AudioFormat } from './format.js';
import { PieceWriter } from './piece-writer.js';

export interface FileRequest {
  readonly bytes: Uint8Array;
  /** Longer files fail with UPLOAD_TOO_LONG. */
  readonly maxSeconds: number;
  /** If given, the bytes are raw PCM in this format. Otherwise the format is detected. */
  readonly format?: AudioFormat | undefined;
  /** True: separate channels. Otherwise all are mixed to one. */
  readonly separate?: boolean | undefined;
}

export interface FilePiece {
  /** Samples of each channel at 16 kHz, all of the same length, at most one second. Each in its own buffer. */
  readonly channels: readonly Int16Array<ArrayBuffer>[];
  /** How much of the file has been read, 0…1; 0 if unknown. */
  readonly fraction: number;
}

/** The form in which a worker reports a failure, since an Error would lose its code. */
export interface FileFailure {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
}

/**
 * @returns pieces in order; at least one sample in all
 * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG
 */
export async function* openFile(request: FileRequest): AsyncGenerator<FilePiece, void> {
  const { bytes, format, maxSeconds } = request;
  const writer = new PieceWriter(request.separate ? 'each' : 1);
  const maxSamples = Math.floor(maxSeconds * LIMITS.sampleRateHz);
  const blocks = format === undefined ? fileBlocks(bytes) : rawBlocks(bytes, format);
  const watch = new Stopwatch();
  for await (const block of watch.timed(blocks)) {
    for (const part of slices(block)) {
      writer.add(part);
      if (writer.samples > maxSamples) throw new ServerError('UPLOAD_TOO_LONG', `At most ${maxSeconds} s.`);
      if (writer.full) yield { channels: writer.take(), fraction: block.fraction };
    }
    watch.check(writer.samples / LIMITS.sampleRateHz);
  }
  writer.finish();
  if (writer.samples === 0) throw new ServerError('CORRUPT_AUDIO', 'It contains no samples.');
  yield { channels: writer.take(), fraction: 1 };
}

/**
 * Decodes a whole file at once.
 * @throws as `openFile`
 */
export async function decodeFile(request: Omit<FileRequest, 'separate'>): Promise<Int16Array<ArrayBuffer>> {
  const pieces: Int16Array[] = [];
  for await (const { channels } of openFile(request)) pieces.push(...channels.slice(0, 1));
  return joinSamples(pieces);
}

export function joinSamples(pieces: readonly Int16Array[]): Int16Array<ArrayBuffer> {
  const all = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const SAMPLES = {
  pcm16: { kind: 'int', width: 2 },
  float32: { kind: 'float', width: 4 },
  mulaw: { kind: 'mulaw', width: 1 },
  alaw: { kind: 'alaw', width: 1 },
} as const;

function* rawBlocks(bytes: Uint8Array, format: AudioFormat): Generator<Block, void> {
  const { encoding, channels, sample_rate: rateHz } = format;
  const span = { start: 0, end: bytes.length };
  yield* sampleBlocks(bytes, span, { ...SAMPLES[encoding], littleEndian: true, channels, rateHz });
}

/** Limits decoding time in proportion to the audio: a file that exceeds it is malicious. */
class Stopwatch {
  private busyMs = 0;

  async *timed<T>(blocks: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void> {
    let startedMs = performance.now();
    for await (const block of blocks) {
      this.busyMs += performance.now() - startedMs;
      yield block;
      startedMs = performance.now();
    }
  }

  check(seconds: number): void {
    if (this.busyMs <= LIMITS.fileDecodeMs + seconds * 1000) return;
    throw new ServerError(
      'CORRUPT_AUDIO',
      `Its decoder gave only ${seconds.toFixed(1)} s of audio in ${Math.round(this.busyMs / 1000)} s.`,
    );
  }
}
