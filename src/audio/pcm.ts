/**
 * Bytes from a client → samples. Everything is little-endian; stereo becomes mono (`mix.ts`); float32 is
 * clamped to ±1 and NaN and infinities become 0. Sample values are in units of 16-bit samples (±32,768).
 *
 * Byte-wise copies stand in for unaligned typed-array views, so the host must be little-endian, as every
 * platform of Node and of ONNX Runtime is.
 */

import { LIMITS } from '../limits.js';
import { BLOCK_FRAMES } from './block.js';
import type { Encoding } from './format.js';
import { ALAW, MULAW } from './g711.js';
import { freshMix, type MixState, mixStereo } from './mix.js';

export interface PcmFormat {
  readonly encoding: Encoding;
  readonly channels: 1 | 2;
}

const SAMPLE_BYTES: Record<Encoding, number> = { pcm16: 2, float32: 4, mulaw: 1, alaw: 1 };

/** Bytes of one sample-frame (one sample of each channel): 1, 2, 4 or 8. */
export const frameBytesOf = (format: PcmFormat): number => SAMPLE_BYTES[format.encoding] * format.channels;

const scratchBytes = new Uint8Array(BLOCK_FRAMES * 8);
const scratchInt16 = new Int16Array(scratchBytes.buffer);
const scratchFloat32 = new Float32Array(scratchBytes.buffer);
const scratchMono = new Float32Array(BLOCK_FRAMES);
const scratchLeft = new Float32Array(BLOCK_FRAMES);
const scratchRight = new Float32Array(BLOCK_FRAMES);

/** State of the mixer of a stream's two channels. */
export interface LiveMix {
  readonly state: MixState;
  readonly rateHz: number;
}

/**
 * Decodes `frames` (at most 1,024) sample-frames from `bytes[byteAt…]` into `out[outAt…]` as mono floats in
 * 16-bit units, not yet rounded. Allocates nothing that grows with the input.
 */
export function decodeFloats(
  format: PcmFormat,
  bytes: Uint8Array,
  byteAt: number,
  frames: number,
  out: Float32Array,
  outAt: number,
  mix: LiveMix,
): void {
  const { encoding, channels } = format;
  const values = frames * channels;
  if (encoding === 'mulaw' || encoding === 'alaw') {
    const table = encoding === 'mulaw' ? MULAW : ALAW;
    if (channels === 1) {
      for (let i = 0; i < frames; i += 1) out[outAt + i] = table[bytes[byteAt + i]!]!;
    } else {
      for (let i = 0, at = byteAt; i < frames; i += 1, at += 2) {
        scratchLeft[i] = table[bytes[at]!]!;
        scratchRight[i] = table[bytes[at + 1]!]!;
      }
      mixStereo(mix.state, scratchLeft, scratchRight, frames, mix.rateHz, out, outAt);
    }
    return;
  }
  // An aligned copy, since a socket's frames may begin at any byte.
  scratchBytes.set(bytes.subarray(byteAt, byteAt + values * SAMPLE_BYTES[encoding]));
  const source = encoding === 'pcm16' ? scratchInt16 : scratchFloat32;
  if (encoding === 'float32') cleanFloats(scratchFloat32, values);
  if (channels === 1) {
    for (let i = 0; i < frames; i += 1) out[outAt + i] = source[i]!;
  } else {
    for (let i = 0; i < frames; i += 1) {
      scratchLeft[i] = source[2 * i]!;
      scratchRight[i] = source[2 * i + 1]!;
    }
    mixStereo(mix.state, scratchLeft, scratchRight, frames, mix.rateHz, out, outAt);
  }
}

/** ±1 → 16-bit units, clamped; NaN and ±Infinity → 0. */
function cleanFloats(values: Float32Array, count: number): void {
  for (let i = 0; i < count; i += 1) {
    const value = values[i]!;
    if (value - value !== 0) values[i] = 0;
    else values[i] = value >= 1 ? 32_768 : value <= -1 ? -32_768 : value * 32_768;
  }
}

/** The nearest 16-bit sample; halves go up. */
export function roundSample(value: number): number {
  if (value >= 32_767) return 32_767;
  if (value <= -32_768) return -32_768;
  return ((value + 32_768.5) | 0) - 32_768;
}

/**
 * Splits messages of any length at sample-frames; an incomplete frame is kept for the next message. For each message
 * call `completeSplit`, then `wholeFrames`.
 */
export class FrameCutter {
  private readonly frameBytes: number;
  private readonly carry: Uint8Array;
  private carried = 0;
  /** Bytes of the current message that completed the carried frame. */
  private skip = 0;
  private frameCount = 0;

  constructor(format: PcmFormat) {
    this.frameBytes = frameBytesOf(format);
    this.carry = new Uint8Array(this.frameBytes);
  }

  /** Whole sample-frames so far. */
  get frames(): number {
    return this.frameCount;
  }

  /** The sample-frame that was split before this message, if the message completes it; valid until the next call. */
  completeSplit(message: Uint8Array): Uint8Array | undefined {
    this.skip = 0;
    if (this.carried === 0) return undefined;
    this.skip = Math.min(this.frameBytes - this.carried, message.length);
    this.carry.set(message.subarray(0, this.skip), this.carried);
    this.carried += this.skip;
    if (this.carried < this.frameBytes) return undefined;
    this.carried = 0;
    this.frameCount += 1;
    return this.carry;
  }

  /** The message without the bytes that completed a frame and those that begin another. */
  wholeFrames(message: Uint8Array): Uint8Array {
    const rest = (message.length - this.skip) % this.frameBytes;
    const end = message.length - rest;
    this.frameCount += (end - this.skip) / this.frameBytes;
    if (rest > 0) {
      this.carry.set(message.subarray(end));
      this.carried = rest;
    }
    return this.skip === 0 && rest === 0 ? message : message.subarray(this.skip, end);
  }

  /** Drops an incomplete sample-frame: the client will send it again. */
  discardPartial(): void {
    this.carried = 0;
  }
}

/** Decodes whole sample-frames into a ring of 16-bit samples, one sample each (no resampling). */
export class PcmDecoder {
  readonly format: PcmFormat;
  readonly frameBytes: number;
  private readonly mix: LiveMix = { state: freshMix(), rateHz: LIMITS.sampleRateHz };
  private ring: Int16Array | undefined;
  private ringBytes: Uint8Array = new Uint8Array(0);

  constructor(format: PcmFormat) {
    this.format = format;
    this.frameBytes = frameBytesOf(format);
  }

  /**
   * Decodes all of `bytes` to `ring[at…]`, wrapping around, and returns the number of samples written. The caller
   * ensures that there is room and that the bytes end with a complete sample-frame.
   */
  decodeInto(bytes: Uint8Array, ring: Int16Array, at: number): number {
    const frames = Math.floor(bytes.length / this.frameBytes);
    const untilWrap = Math.min(frames, ring.length - at);
    this.place(bytes, 0, untilWrap, ring, at);
    this.place(bytes, untilWrap * this.frameBytes, frames - untilWrap, ring, 0);
    return frames;
  }

  /** Decodes `frames` sample-frames to `ring[at…]` without a wrap. */
  private place(bytes: Uint8Array, byteAt: number, frames: number, ring: Int16Array, at: number): void {
    if (frames <= 0) return;
    const { encoding, channels } = this.format;
    if (channels === 1 && encoding === 'pcm16') {
      // The most common case: a plain copy, aligned or not.
      this.bytesOf(ring).set(bytes.subarray(byteAt, byteAt + frames * 2), at * 2);
    } else if (channels === 1 && encoding !== 'float32') {
      const table = encoding === 'mulaw' ? MULAW : ALAW;
      for (let i = 0; i < frames; i += 1) ring[at + i] = table[bytes[byteAt + i]!]!;
    } else {
      for (let done = 0; done < frames; done += BLOCK_FRAMES) {
        const count = Math.min(BLOCK_FRAMES, frames - done);
        decodeFloats(this.format, bytes, byteAt + done * this.frameBytes, count, scratchMono, 0, this.mix);
        for (let i = 0; i < count; i += 1) ring[at + done + i] = roundSample(scratchMono[i]!);
      }
    }
  }

  /** The ring's bytes. A stream always writes to the same ring, so the view is created once. */
  private bytesOf(ring: Int16Array): Uint8Array {
    if (this.ring !== ring) {
      this.ring = ring;
      this.ringBytes = new Uint8Array(ring.buffer, ring.byteOffset, ring.byteLength);
    }
    return this.ringBytes;
  }
}
