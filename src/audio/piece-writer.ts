/**
 * Collects blocks of any rate and number of channels into pieces at 16 kHz, for files and for compressed live audio.
 */
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { BLOCK_FRAMES } from './block.js';
import type { Block } from './files/block.js';
import { MAX_FILE_RATE_HZ, MIN_RATE_HZ } from './filter.js';
import { freshMix, mixDown } from './mix.js';
import { roundSample } from './pcm.js';
import { StreamResampler } from './resampler.js';

const PIECE_SAMPLES = LIMITS.sampleRateHz;
/** Most samples that one block of input gives, at the lowest rate. */
const BLOCK_SAMPLES = Math.ceil((BLOCK_FRAMES * LIMITS.sampleRateHz) / MIN_RATE_HZ) + 1;

export class PieceWriter {
  private readonly wanted: number | 'each';
  private readonly mix = freshMix();
  private readonly mono = new Float32Array(BLOCK_FRAMES);
  private rateHz = 0;
  private resamplers: StreamResampler[] = [];
  private channels: Int16Array<ArrayBuffer>[] = [];
  /** Samples in the current piece, and in earlier pieces. */
  private length = 0;
  private before = 0;

  /**
   * @param wanted channels of a piece: 1, all are mixed; more, or 'each' for as many as the first block has: separate
   */
  constructor(wanted: number | 'each') {
    this.wanted = wanted;
  }

  /** Whether `take` is due: a second of audio, and up to a block more. */
  get full(): boolean {
    return this.length >= PIECE_SAMPLES;
  }

  /** Samples per channel, from the beginning. */
  get samples(): number {
    return this.before + this.length;
  }

  /**
   * Adds at most BLOCK_FRAMES; call `take` once it is full.
   * @throws ServerError UNSUPPORTED_MEDIA
   */
  add({ planes, rateHz }: Block): void {
    if (this.channels.length === 0) this.open(this.wanted === 'each' ? planes.length : this.wanted);
    if (rateHz !== this.rateHz) this.changeRate(rateHz);
    if (this.wanted !== 1) {
      // A later part with fewer channels leaves the others silent.
      const silent = new Float32Array(planes[0]?.length ?? 0);
      this.write(this.channels.map((_, channel) => planes[channel] ?? silent));
    } else {
      const mono = this.mono.subarray(0, planes[0]?.length ?? 0);
      mixDown(this.mix, planes, rateHz, mono);
      this.write([mono]);
    }
  }

  /** The resampler's tail. */
  finish(): void {
    this.flush();
  }

  /** Takes the collected samples, each channel in its own buffer. */
  take(): Int16Array<ArrayBuffer>[] {
    const channels = this.channels.map((samples) => samples.slice(0, this.length));
    this.before += this.length;
    this.length = 0;
    return channels;
  }

  private open(channels: number): void {
    if (channels > LIMITS.maxFileChannels) {
      throw new ServerError(
        'UNSUPPORTED_MEDIA',
        `At most ${LIMITS.maxFileChannels} channels can be transcribed separately.`,
      );
    }
    // Room for a full piece, the block that fills it, and a resampler's tail.
    this.channels = Array.from({ length: channels }, () => new Int16Array(PIECE_SAMPLES + 3 * BLOCK_SAMPLES));
  }

  /** Parts of a chained stream may have different rates. */
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
