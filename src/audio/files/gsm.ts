/**
 * GSM full rate (06.10, ETSI EN 300 961), decoded in integers as in the standard: 160 samples at 8 kHz from 260 bits.
 * WAV packs two frames into 65 bytes, low bits first; all others pack one into 33, high bits first, after 0xD.
 */
import { type Block, makePlanes } from './block.js';
import type { Span } from './bytes.js';

const RATE_HZ = 8_000;
export const FRAME_SAMPLES = 160;
const SUB_SAMPLES = 40;
const PULSES = 13;
/** The longest lag of the long-term predictor. */
const HISTORY = 120;

const LAR_BITS = [6, 6, 5, 5, 4, 4, 3, 3] as const;
const LAR_LEAST = [-32, -32, -16, -16, -8, -8, -4, -4] as const;
const LAR_OFFSET = [0, 0, 2048, -2560, 94, -1792, -341, -1144] as const;
const LAR_INVERSE = [13107, 13107, 13107, 13107, 19223, 17476, 31454, 29708] as const;
const MANTISSA = [18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767] as const;
const GAIN = [3277, 11469, 21299, 32767] as const;
/** Positions in a frame where the reflection coefficients move from the previous frame's to this frame's. */
const STEPS = [
  { from: 0, to: 13, mix: (old: number, now: number) => (old >> 2) + (now >> 2) + (old >> 1) },
  { from: 13, to: 27, mix: (old: number, now: number) => (old >> 1) + (now >> 1) },
  { from: 27, to: 40, mix: (old: number, now: number) => (old >> 2) + (now >> 2) + (now >> 1) },
  { from: 40, to: FRAME_SAMPLES, mix: (_old: number, now: number) => now },
] as const;

const clamp16 = (value: number): number => Math.max(-32_768, Math.min(32_767, value));
/** The product of two fractions of 2¹⁵, rounded. */
const multiply = (a: number, b: number): number =>
  a === -32_768 && b === -32_768 ? 32_767 : (a * b + 16_384) >> 15;

/** Reads the next bits of a frame. */
type ReadBits = (count: number) => number;

function bitReader(bytes: Uint8Array, firstBit: number, lowFirst: boolean): ReadBits {
  let at = firstBit;
  return (count) => {
    let value = 0;
    for (let i = 0; i < count; i += 1, at += 1) {
      const octet = bytes[at >> 3] ?? 0;
      if (lowFirst) value |= ((octet >> (at & 7)) & 1) << i;
      else value = (value << 1) | ((octet >> (7 - (at & 7))) & 1);
    }
    return value;
  };
}

export class GsmDecoder {
  private readonly residual = new Int32Array(HISTORY + FRAME_SAMPLES);
  private readonly filter = new Int32Array(9);
  private readonly reflection = new Int32Array(8);
  private logArea = new Int32Array(8);
  private lag = SUB_SAMPLES;
  private emphasis = 0;

  /** One frame's bits → 160 samples in `out[at…]`. */
  decode(bits: ReadBits, out: Float32Array, at: number): void {
    const logArea = Int32Array.from(LAR_BITS, (width, i) => {
      const level = clamp16(((bits(width) + LAR_LEAST[i]!) << 10) - (LAR_OFFSET[i]! << 1));
      return clamp16(2 * multiply(LAR_INVERSE[i]!, level));
    });
    const residual = this.residual;
    residual.copyWithin(0, FRAME_SAMPLES);
    for (let start = HISTORY; start < residual.length; start += SUB_SAMPLES) this.excite(bits, start);
    for (const { from, to, mix } of STEPS) {
      for (let i = 0; i < 8; i += 1) this.reflection[i] = reflectionOf(mix(this.logArea[i]!, logArea[i]!));
      for (let k = from; k < to; k += 1) out[at + k] = this.speak(residual[HISTORY + k]!);
    }
    this.logArea = logArea;
  }

  /** The residual of a sub-frame: the repetition of the long-term predictor, and 13 pulses on a grid. */
  private excite(bits: ReadBits, start: number): void {
    const lag = bits(7);
    const gain = GAIN[bits(2)]!;
    const grid = bits(2);
    const residual = this.residual;
    if (lag >= SUB_SAMPLES && lag <= HISTORY) this.lag = lag;
    for (let k = start; k < start + SUB_SAMPLES; k += 1) {
      residual[k] = multiply(gain, residual[k - this.lag]!);
    }
    const { exponent, mantissa } = unpackMaximum(bits(6));
    const shift = 6 - exponent;
    const rounding = shift > 0 ? 1 << (shift - 1) : 0;
    for (let pulse = 0; pulse < PULSES; pulse += 1) {
      const level = multiply(MANTISSA[mantissa]!, (2 * bits(3) - 7) << 12);
      const at = start + grid + 3 * pulse;
      residual[at] = clamp16(residual[at]! + (clamp16(level + rounding) >> shift));
    }
  }

  /** Short-term synthesis (a lattice of eight reflections) and de-emphasis. */
  private speak(excitation: number): number {
    const filter = this.filter;
    let sample = excitation;
    for (let i = 7; i >= 0; i -= 1) {
      sample = clamp16(sample - multiply(this.reflection[i]!, filter[i]!));
      filter[i + 1] = clamp16(filter[i]! + multiply(this.reflection[i]!, sample));
    }
    filter[0] = sample;
    this.emphasis = clamp16(sample + multiply(this.emphasis, 28_180));
    return clamp16(2 * this.emphasis) & ~7;
  }
}

/** Converts a logarithmic area ratio to a reflection coefficient, by three straight lines. */
function reflectionOf(logArea: number): number {
  const size = Math.min(32_767, Math.abs(logArea));
  const value =
    size < 11_059 ? size << 1 : size < 20_070 ? size + 11_059 : Math.min(32_767, (size >> 2) + 26_112);
  return logArea < 0 ? -value : value;
}

function unpackMaximum(code: number): { exponent: number; mantissa: number } {
  let exponent = code > 15 ? (code >> 3) - 1 : 0;
  let mantissa = code - (exponent << 3);
  if (mantissa === 0) return { exponent: -4, mantissa: 7 };
  while (mantissa <= 7) {
    mantissa = (mantissa << 1) | 1;
    exponent -= 1;
  }
  return { exponent, mantissa: mantissa - 8 };
}

/** Two frames in 65 bytes (WAV), or one in 33. */
export interface GsmPacking {
  readonly bytes: 33 | 65;
}

export function* gsmBlocks(
  bytes: Uint8Array,
  span: Span,
  packing: GsmPacking,
  rateHz = RATE_HZ,
  totalFrames = Number.POSITIVE_INFINITY,
): Generator<Block, void> {
  const decoder = new GsmDecoder();
  const wav = packing.bytes === 65;
  const frames = wav ? 2 : 1;
  let left = totalFrames;
  const planes = makePlanes(1, frames * FRAME_SAMPLES);
  for (let at = span.start; at + packing.bytes <= span.end && left > 0; at += packing.bytes) {
    const bits = bitReader(bytes.subarray(at, at + packing.bytes), wav ? 0 : 4, wav);
    for (let frame = 0; frame < frames; frame += 1) decoder.decode(bits, planes[0]!, frame * FRAME_SAMPLES);
    const count = Math.min(frames * FRAME_SAMPLES, left);
    left -= count;
    yield { planes: planes.map((plane) => plane.subarray(0, count)), rateHz, fraction: at / bytes.length };
  }
}

/** A bare .gsm file has no header, but every 33rd byte begins with 0xD. */
export const looksLikeGsm = (bytes: Uint8Array): boolean => {
  if (bytes.length < 33 * 10 || bytes.length % 33 !== 0) return false;
  for (let at = 0; at < bytes.length; at += 33) if (bytes[at]! >> 4 !== 0xd) return false;
  return true;
};
