/** Test audio: tones, and the telephone encodings that the client library passes through as bytes. */
import { toWireBytes } from '../client/encode.js';

/**
 * A sine at −12 dBFS with 10 ms ramps, so that it does not click.
 * @param {number} hz
 * @param {number} seconds
 * @param {number} [sampleRate]
 * @returns {Float32Array<ArrayBuffer>}
 */
export function generateTestAudio(hz, seconds, sampleRate = 16_000) {
  const samples = new Float32Array(Math.round(seconds * sampleRate));
  const ramp = Math.min(samples.length / 2, sampleRate / 100);
  for (let i = 0; i < samples.length; i += 1) {
    const gain = Math.min(1, i / ramp, (samples.length - 1 - i) / ramp);
    samples[i] = 0.25 * gain * Math.sin((2 * Math.PI * hz * i) / sampleRate);
  }
  return samples;
}

/**
 * G.711 µ-law.
 * @param {Int16Array} samples
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeMulaw(samples) {
  return Uint8Array.from(samples, (sample) => {
    const sign = sample < 0 ? 0x80 : 0;
    const magnitude = Math.min(32_635, Math.abs(sample)) + 132;
    const exponent = Math.max(0, 24 - Math.clz32(magnitude));
    return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
  });
}

/**
 * G.711 A-law.
 * @param {Int16Array} samples
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeAlaw(samples) {
  return Uint8Array.from(samples, (sample) => {
    const sign = sample < 0 ? 0 : 0x80;
    const magnitude = Math.min(32_635, sample < 0 ? ~sample : sample);
    const exponent = Math.max(0, 24 - Math.clz32(magnitude));
    const mantissa = exponent === 0 ? magnitude >> 4 : (magnitude >> (exponent + 3)) & 0x0f;
    return (sign | (exponent << 4) | mantissa) ^ 0x55;
  });
}

/**
 * Mono samples as bytes of any wire format.
 * @param {Float32Array} mono
 * @param {{ encoding: import('../client/types.js').Encoding, channels: 1 | 2 }} format
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function asFormat(mono, { encoding, channels }) {
  const samples = new Float32Array(mono.length * channels);
  for (let i = 0; i < mono.length; i += 1) samples.fill(mono[i] ?? 0, i * channels, (i + 1) * channels);
  if (encoding === 'float32') return toWireBytes(samples, 'float32');
  const bytes = toWireBytes(samples, 'pcm16');
  if (encoding === 'pcm16') return bytes;
  const pcm = new Int16Array(bytes.buffer);
  return encoding === 'mulaw' ? encodeMulaw(pcm) : encodeAlaw(pcm);
}
