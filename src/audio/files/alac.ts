/**
 * Apple Lossless: adaptive Golomb codes, an adaptive predictor, and a matrix for two channels, all in 32-bit integers.
 * Follows Apple's published description and reference decoder (Apache-2.0), including its names.
 */
import { type Blocks, checkChannels, damaged, makePlanes, unsupported } from './block.js';
import { viewOf } from './bytes.js';
import type { PacketStream } from './packets.js';

export interface AlacConfig {
  readonly frameLength: number;
  readonly bitDepth: number;
  readonly pb: number;
  readonly mb: number;
  readonly kb: number;
  readonly channels: number;
  readonly rateHz: number;
}

const MAX_FRAME_LENGTH = 1 << 16;
const ELEMENT = { single: 0, pair: 1, lfe: 3, data: 4, fill: 6, end: 7 } as const;

/** The cookie of 24 bytes, as MP4 and CAF keep it. */
export function alacConfig(cookie: Uint8Array, container: string): AlacConfig {
  if (cookie.length < 24) throw damaged(`${container} with ALAC`, 'the header of the codec is not whole');
  const view = viewOf(cookie);
  const [bitDepth, pb, mb, kb, channels] = [5, 6, 7, 8, 9].map((at) => view.getUint8(at)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const frameLength = view.getUint32(0, false);
  const config = { frameLength, bitDepth, pb, mb, kb, channels, rateHz: view.getUint32(20, false) };
  if (![16, 20, 24, 32].includes(bitDepth)) throw unsupported(container, `ALAC of ${bitDepth} bits`);
  if (frameLength < 1 || frameLength > MAX_FRAME_LENGTH || kb > 16) {
    throw damaged(`${container} with ALAC`, 'the header of the codec contradicts itself');
  }
  checkChannels(container, 'ALAC', channels);
  return config;
}

export async function* alacBlocks(stream: PacketStream, config: AlacConfig): Blocks {
  const { rateHz, channels } = config;
  const name = `${stream.container} with ALAC`;
  const decoder = new AlacDecoder(config);
  let at = 0;
  for await (const { data, fraction } of stream.packets) {
    const planes = decoder.decode(data);
    if (planes === undefined) {
      throw damaged(name, `a packet cannot be decoded, ${(at / rateHz).toFixed(1)} s into the audio`);
    }
    at += planes[0]?.length ?? 0;
    yield { planes: planes.slice(0, channels), rateHz, fraction };
  }
}

/** Reads the bits of a packet, high bits first. Past the end they are 0, and `overrun` is set. */
class Bits {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  get overrun(): boolean {
    return this.at > this.bytes.length * 8;
  }

  /** Up to 32 bits, as an unsigned number. */
  peek(count: number): number {
    if (count === 0) return 0;
    const first = this.at >> 3;
    let value = 0;
    for (let i = 0; i < 5; i += 1) value = value * 256 + (this.bytes[first + i] ?? 0);
    return Math.floor(value / 2 ** (40 - (this.at & 7) - count)) % 2 ** count;
  }

  skip(count: number): void {
    this.at += count;
  }

  take(count: number): number {
    const value = this.peek(count);
    this.at += count;
    return value;
  }

  signed(count: number): number {
    return (this.take(count) << (32 - count)) >> (32 - count);
  }

  align(): void {
    this.at = (this.at + 7) & ~7;
  }

  fork(): Bits {
    const copy = new Bits(this.bytes);
    copy.at = this.at;
    return copy;
  }
}

interface Predictor {
  readonly mode: number;
  readonly shift: number;
  readonly pbFactor: number;
  readonly coefficients: Int16Array;
}

class AlacDecoder {
  private readonly config: AlacConfig;
  private readonly residual: Int32Array;
  private readonly channels: Int32Array[];

  constructor(config: AlacConfig) {
    this.config = config;
    this.residual = new Int32Array(config.frameLength);
    this.channels = Array.from({ length: config.channels + 1 }, () => new Int32Array(config.frameLength));
  }

  /** One packet → planes in 16-bit units; undefined if it is damaged. */
  decode(packet: Uint8Array): Float32Array[] | undefined {
    const bits = new Bits(packet);
    let channel = 0;
    let frames = 0;
    while (!bits.overrun) {
      const element = bits.take(3);
      if (element === ELEMENT.end) break;
      if (element === ELEMENT.data || element === ELEMENT.fill) {
        skipElement(bits, element);
        continue;
      }
      const width = element === ELEMENT.pair ? 2 : 1;
      if (element === 2 || element === 5 || channel + width > this.config.channels) return undefined;
      const count = this.element(bits, channel, width);
      if (count === 0 || (channel > 0 && count !== frames)) return undefined;
      frames = count;
      channel += width;
    }
    if (bits.overrun || channel !== this.config.channels) return undefined;
    const scale = 2 ** (16 - this.config.bitDepth);
    const planes = makePlanes(channel, frames);
    for (const [index, plane] of planes.entries()) {
      const samples = this.channels[index]!;
      for (let i = 0; i < frames; i += 1) plane[i] = samples[i]! * scale;
    }
    return planes;
  }

  /** One channel or a pair; returns the samples, 0 if the element is damaged. */
  private element(bits: Bits, channel: number, width: 1 | 2): number {
    const { bitDepth, frameLength } = this.config;
    bits.skip(4); // instance
    if (bits.take(12) !== 0) return 0;
    const partial = bits.take(1) === 1;
    const shiftedBits = bits.take(2) * 8;
    const escaped = bits.take(1) === 1;
    const frames = partial ? bits.take(32) : frameLength;
    if (frames < 1 || frames > frameLength || shiftedBits > 16) return 0;
    const outputs = this.channels.slice(channel, channel + width);
    if (escaped) {
      for (let i = 0; i < frames && !bits.overrun; i += 1) {
        for (const out of outputs) out[i] = bits.signed(bitDepth);
      }
      return frames;
    }
    const sampleBits = bitDepth - shiftedBits + width - 1;
    const mixBits = bits.take(8);
    const mixRes = (bits.take(8) << 24) >> 24;
    const predictors = outputs.map(() => readPredictor(bits));
    const low = bits.fork();
    bits.skip(shiftedBits * width * frames);
    if (bits.overrun) return 0;
    for (const [i, out] of outputs.entries()) {
      if (!this.residuals(bits, predictors[i]!, frames, sampleBits)) return 0;
      predict(this.residual, out, frames, predictors[i]!, sampleBits);
    }
    if (width === 2 && mixRes !== 0) unmix(outputs[0]!, outputs[1]!, frames, mixBits, mixRes);
    if (shiftedBits > 0) {
      for (let i = 0; i < frames; i += 1) {
        for (const out of outputs) out[i] = (out[i]! << shiftedBits) | low.take(shiftedBits);
      }
    }
    return frames;
  }

  /** Adaptive Golomb codes; runs of zeros have codes of their own. */
  private residuals(bits: Bits, { pbFactor }: Predictor, frames: number, sampleBits: number): boolean {
    const { kb } = this.config;
    const pb = Math.floor((this.config.pb * pbFactor) / 4);
    const out = this.residual;
    let mean = this.config.mb;
    let afterZeros = 0;
    for (let i = 0; i < frames; ) {
      if (bits.overrun) return false;
      const k = Math.min(kb, 31 - Math.clz32((mean >>> 9) + 3));
      const n = golomb(bits, k, 2 ** k - 1, sampleBits);
      const code = n + afterZeros;
      out[i] = code % 2 === 1 ? -((code + 1) / 2) : code / 2;
      i += 1;
      mean = n > 0xffff ? 0xffff : pb * code + mean - ((pb * mean) >>> 9);
      afterZeros = 0;
      if (mean * 4 >= 512 || i >= frames) continue;
      const zeroK = Math.clz32(mean) - 24 + ((mean + 16) >>> 6);
      const zeros = golomb(bits, zeroK, (2 ** zeroK - 1) & (2 ** kb - 1), 16);
      if (zeros > frames - i) return false;
      out.fill(0, i, i + zeros);
      i += zeros;
      afterZeros = zeros >= 0xffff ? 0 : 1;
      mean = 0;
    }
    return true;
  }
}

function skipElement(bits: Bits, element: number): void {
  if (element === ELEMENT.fill) {
    let count = bits.take(4);
    if (count === 15) count += bits.take(8) - 1;
    bits.skip(count * 8);
    return;
  }
  bits.skip(4);
  const aligned = bits.take(1) === 1;
  let count = bits.take(8);
  if (count === 255) count += bits.take(8);
  if (aligned) bits.align();
  bits.skip(count * 8);
}

/** A prefix of ones (nine: the value follows as it is), then k bits. */
function golomb(bits: Bits, k: number, m: number, escapeBits: number): number {
  let prefix = 0;
  while (prefix < 9 && bits.take(1) === 1) prefix += 1;
  if (prefix === 9) return bits.take(escapeBits);
  const rest = bits.peek(k);
  bits.skip(rest < 2 ? Math.max(0, k - 1) : k);
  return prefix * m + (rest < 2 ? 0 : rest - 1);
}

function readPredictor(bits: Bits): Predictor {
  const mode = bits.take(4);
  const shift = bits.take(4);
  const pbFactor = bits.take(3);
  const coefficients = Int16Array.from({ length: bits.take(5) }, () => bits.signed(16));
  return { mode, shift, pbFactor, coefficients };
}

function predict(
  residual: Int32Array,
  out: Int32Array,
  frames: number,
  predictor: Predictor,
  sampleBits: number,
): void {
  const { coefficients, shift, mode } = predictor;
  const unused = 32 - sampleBits;
  if (mode !== 0) accumulate(residual, residual, frames, unused); // a first pass that adds up differences
  const order = coefficients.length;
  if (order === 0) {
    out.set(residual.subarray(0, frames));
    return;
  }
  if (order === 31) {
    accumulate(residual, out, frames, unused);
    return;
  }
  const half = shift > 0 ? 1 << (shift - 1) : 0;
  accumulate(residual, out, Math.min(frames, order + 1), unused);
  for (let j = order + 1; j < frames; j += 1) {
    const top = out[j - order - 1]!;
    let sum = half;
    for (let k = 0; k < order; k += 1) sum = (sum + Math.imul(coefficients[k]!, out[j - 1 - k]! - top)) | 0;
    let error = residual[j]!;
    out[j] = ((error + top + (sum >> shift)) << unused) >> unused;
    const sign = Math.sign(error);
    for (let k = order - 1; k >= 0 && Math.sign(error) === sign && sign !== 0; k -= 1) {
      const difference = top - out[j - 1 - k]!;
      const step = Math.sign(difference) * sign;
      coefficients[k] = coefficients[k]! - step;
      error -= (order - k) * ((step * difference) >> shift);
    }
  }
}

/** Each output is the one before it and a difference. */
function accumulate(from: Int32Array, to: Int32Array, count: number, unused: number): void {
  let sum = 0;
  for (let i = 0; i < count; i += 1) {
    sum = i === 0 ? from[0]! : ((from[i]! + sum) << unused) >> unused;
    to[i] = sum;
  }
}

function unmix(first: Int32Array, second: Int32Array, frames: number, mixBits: number, mixRes: number): void {
  for (let i = 0; i < frames; i += 1) {
    const left = first[i]! + second[i]! - ((mixRes * second[i]!) >> mixBits);
    second[i] = left - second[i]!;
    first[i] = left;
  }
}
