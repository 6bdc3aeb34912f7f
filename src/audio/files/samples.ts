/** Uncompressed samples of every width, and G.711, as blocks. Shared by WAV, AIFF, AU, CAF, MP4 and Matroska. */
import { BLOCK_FRAMES } from '../block.js';
import { ALAW, MULAW } from '../g711.js';
import { type Block, FULL_SCALE, makePlanes } from './block.js';
import { type Span, viewOf } from './bytes.js';

export interface SampleLayout {
  readonly kind: 'int' | 'uint' | 'float' | 'alaw' | 'mulaw';
  /** Bytes of one sample of one channel. */
  readonly width: number;
  readonly littleEndian: boolean;
  readonly channels: number;
  readonly rateHz: number;
  /** 24-bit samples are in the low bytes of 32, not in the high ones. */
  readonly low24?: boolean;
}

/** One sample at a byte position → 16-bit units. */
type Read = (view: DataView, at: number) => number;

/** ±1 → 16-bit units, clamped; NaN and infinities → 0. */
const fromFloat = (value: number): number =>
  Number.isFinite(value) ? Math.max(-1, Math.min(1, value)) * FULL_SCALE : 0;

/** IEEE 754 binary16. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 31 ? Number.NaN : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Samples with fewer bits than their bytes hold use the high bits, so only the number of bytes matters. */
const READERS: Record<string, (little: boolean) => Read> = {
  uint1: () => (view, at) => (view.getUint8(at) - 128) * 256,
  uint2: (little) => (view, at) => view.getUint16(at, little) - FULL_SCALE,
  int1: () => (view, at) => view.getInt8(at) * 256,
  int2: (little) => (view, at) => view.getInt16(at, little),
  int3: (little) =>
    little
      ? (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 256
      : (view, at) => ((view.getInt8(at) << 16) | view.getUint16(at + 1, false)) / 256,
  int4: (little) => (view, at) => view.getInt32(at, little) / 65_536,
  int8: (little) =>
    little
      ? (view, at) => view.getInt32(at + 4, true) / 65_536 + view.getUint32(at, true) / 2 ** 48
      : (view, at) => view.getInt32(at, false) / 65_536 + view.getUint32(at + 4, false) / 2 ** 48,
  float2: (little) => (view, at) => fromFloat(half(view.getUint16(at, little))),
  float4: (little) => (view, at) => fromFloat(view.getFloat32(at, little)),
  float8: (little) => (view, at) => fromFloat(view.getFloat64(at, little)),
  alaw1: () => (view, at) => ALAW[view.getUint8(at)] ?? 0,
  mulaw1: () => (view, at) => MULAW[view.getUint8(at)] ?? 0,
};

const low24: Read = (view, at) => view.getInt32(at, true) / 256;

export const isReadable = ({ kind, width }: Pick<SampleLayout, 'kind' | 'width'>): boolean =>
  `${kind}${width}` in READERS;

/** The samples of a span; an incomplete last frame is left out. */
export function* sampleBlocks(bytes: Uint8Array, span: Span, layout: SampleLayout): Generator<Block, void> {
  const { kind, width, channels, rateHz, littleEndian } = layout;
  const read = layout.low24 ? low24 : READERS[`${kind}${width}`]?.(littleEndian);
  if (read === undefined) throw new RangeError(`no samples of ${kind} in ${width} bytes`);
  const view = viewOf(bytes);
  const frameBytes = width * channels;
  const frames = Math.floor((span.end - span.start) / frameBytes);
  const planes = makePlanes(channels, Math.min(frames, BLOCK_FRAMES));
  for (let done = 0; done < frames; done += BLOCK_FRAMES) {
    const count = Math.min(BLOCK_FRAMES, frames - done);
    const start = span.start + done * frameBytes;
    for (const [channel, plane] of planes.entries()) {
      let at = start + channel * width;
      for (let i = 0; i < count; i += 1, at += frameBytes) plane[i] = read(view, at);
    }
    const fraction = (start + count * frameBytes) / bytes.length;
    yield { planes: planes.map((plane) => plane.subarray(0, count)), rateHz, fraction };
  }
}
