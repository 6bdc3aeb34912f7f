/**
 * Audio files → 16-bit samples at 16 kHz, mono or channel by channel, piece by piece. Runs in a codec worker: it takes
 * its time and holds its thread.
 *
 * A damaged or truncated file is refused (CORRUPT_AUDIO), never transcribed in part or as noise; the error comes where
 * the damage is, after the pieces before it.
 */
import { performance } from 'node:perf_hooks';
import type { ErrorCode } from '../errors.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { BLOCK_FRAMES } from './block.js';
import { type Block, cutPlanes } from './files/block.js';
import { sampleBlocks } from './files/samples.js';
import { fileBlocks } from './files/sniff.js';
import { MAX_FILE_RATE_HZ, MIN_RATE_HZ } from './filter.js';
import type { AudioFormat } from './format.js';
import { freshMix, mixDown } from './mix.js';
import { roundSample } from './pcm.js';
import { StreamResampler } from './resampler.js';

export interface FileRequest {
  readonly bytes: Uint8Array;
  /** UPLOAD_TOO_LONG beyond it. */
  readonly maxSeconds: number;
  /** Given: the bytes are raw PCM of this format. Otherwise the bytes say what they are. */
  readonly format?: AudioFormat | undefined;
  /** True: each channel by itself. Otherwise all are mixed to one. */
  readonly separate?: boolean | undefined;
}

export interface FilePiece {
  /** 16 kHz samples of each channel, all of one length, at most a second. Each in a buffer of its own. */
  readonly channels: readonly Int16Array<ArrayBuffer>[];
  /** How much of the file has been read, 0…1; 0 where that is not known. */
  readonly fraction: number;
}

/** How a failure travels from a worker: an Error would lose its code on the way. */
export interface FileFailure {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
}

const PIECE_SAMPLES = LIMITS.sampleRateHz;
/** The most samples that one block of input gives, at the lowest rate. */
const BLOCK_SAMPLES = Math.ceil((BLOCK_FRAMES * LIMITS.sampleRateHz) / MIN_RATE_HZ) + 1;

/**
 * @returns pieces in order; at least one sample in all
 * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG
 */
export async function* openFile(request: FileRequest): AsyncGenerator<FilePiece, void> {
  const { bytes, format, maxSeconds } = request;
  const writer = new PieceWriter(maxSeconds, request.separate ?? false);
  const blocks = format === undefined ? fileBlocks(bytes) : rawBlocks(bytes, format);
  const watch = new Stopwatch();
  for await (const block of watch.timed(blocks)) {
    const frames = block.planes[0]?.length ?? 0;
    for (let at = 0; at < frames; at += BLOCK_FRAMES) {
      const end = Math.min(frames, at + BLOCK_FRAMES);
      writer.add({ ...block, planes: cutPlanes(block.planes, at, end) });
      if (writer.full) yield writer.take(block.fraction);
    }
    watch.check(writer.seconds);
  }
  writer.finish();
  yield writer.take(1);
}

/** All of a file at once. @throws as `openFile` */
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

/** Gathers blocks of any rate and number of channels into pieces of 16 kHz. */
class PieceWriter {
  private readonly maxSamples: number;
  private readonly separate: boolean;
  private readonly mix = freshMix();
  private readonly mono = new Float32Array(BLOCK_FRAMES);
  private rateHz = 0;
  private resamplers: StreamResampler[] = [];
  private channels: Int16Array<ArrayBuffer>[] = [];
  /** Samples in the piece that is being filled, and before it. */
  private length = 0;
  private before = 0;

  constructor(maxSeconds: number, separate: boolean) {
    this.maxSamples = Math.floor(maxSeconds * LIMITS.sampleRateHz);
    this.separate = separate;
  }

  get full(): boolean {
    return this.length >= PIECE_SAMPLES;
  }

  get seconds(): number {
    return (this.before + this.length) / LIMITS.sampleRateHz;
  }

  /** At most BLOCK_FRAMES. @throws ServerError UPLOAD_TOO_LONG, UNSUPPORTED_MEDIA */
  add({ planes, rateHz }: Block): void {
    if (this.channels.length === 0) this.open(this.separate ? planes.length : 1);
    if (rateHz !== this.rateHz) this.changeRate(rateHz);
    if (this.separate) {
      // A later part with fewer channels leaves the others silent.
      const silent = new Float32Array(planes[0]?.length ?? 0);
      this.write(this.channels.map((_, channel) => planes[channel] ?? silent));
    } else {
      const mono = this.mono.subarray(0, planes[0]?.length ?? 0);
      mixDown(this.mix, planes, rateHz, mono);
      this.write([mono]);
    }
    if (this.before + this.length > this.maxSamples) {
      throw new ServerError('UPLOAD_TOO_LONG', `${this.maxSamples / LIMITS.sampleRateHz} s at most.`);
    }
  }

  /** The resampler's tail. @throws ServerError CORRUPT_AUDIO if nothing came at all */
  finish(): void {
    this.flush();
    if (this.before + this.length === 0) {
      throw new ServerError('CORRUPT_AUDIO', 'There are no samples in it.');
    }
  }

  take(fraction: number): FilePiece {
    const channels = this.channels.map((samples) => samples.slice(0, this.length));
    this.before += this.length;
    this.length = 0;
    return { channels, fraction };
  }

  private open(channels: number): void {
    if (channels > LIMITS.maxFileChannels) {
      throw new ServerError(
        'UNSUPPORTED_MEDIA',
        `${LIMITS.maxFileChannels} channels at most can be kept apart.`,
      );
    }
    // A full piece, the block that fills it, and a resampler's tail.
    this.channels = Array.from({ length: channels }, () => new Int16Array(PIECE_SAMPLES + 3 * BLOCK_SAMPLES));
  }

  /** Parts of a chained file may have rates of their own. */
  private changeRate(rateHz: number): void {
    if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_FILE_RATE_HZ) {
      throw new ServerError(
        'UNSUPPORTED_MEDIA',
        `A file's sample rate must be 8,000–192,000 Hz, not ${rateHz}.`,
      );
    }
    this.flush();
    this.rateHz = rateHz;
    const resampled = rateHz !== LIMITS.sampleRateHz;
    this.resamplers = resampled ? this.channels.map(() => new StreamResampler(rateHz)) : [];
  }

  private write(planes: readonly Float32Array[]): void {
    let written = planes[0]?.length ?? 0;
    for (const [channel, plane] of planes.entries()) {
      const samples = this.channels[channel]!;
      const resampler = this.resamplers[channel];
      if (resampler !== undefined) written = resampler.process(plane, samples, this.length);
      else for (let i = 0; i < plane.length; i += 1) samples[this.length + i] = roundSample(plane[i]!);
    }
    this.length += written;
  }

  private flush(): void {
    const tails = this.resamplers.map((resampler, channel) =>
      resampler.flush(this.channels[channel]!, this.length),
    );
    this.length += tails[0] ?? 0;
    this.resamplers = [];
  }
}

/** A file that costs its decoder much more than its sound is worth was made to. */
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
      `Its decoder made only ${seconds.toFixed(1)} s of audio in ${Math.round(this.busyMs / 1000)} s.`,
    );
  }
}
