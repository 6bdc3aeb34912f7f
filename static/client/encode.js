/** Converts samples to bytes in the encoding of the recording. */

/** @type {Record<import('./types.js').Encoding, number>} */
export const BYTES_PER_SAMPLE = { pcm16: 2, float32: 4, mulaw: 1, alaw: 1 };

/**
 * −1…1 to signed 16 bit, clipped. 32768 on both sides, so that Int16 → Float32 → Int16 gives back the same.
 * @param {Float32Array} samples
 * @returns {Int16Array<ArrayBuffer>}
 */
export function floatToPcm16(samples) {
  const out = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) {
    const scaled = Math.round((samples[i] ?? 0) * 32_768);
    out[i] = Math.max(-32_768, Math.min(32_767, scaled));
  }
  return out;
}

/**
 * @param {Int16Array} samples
 * @returns {Float32Array<ArrayBuffer>}
 */
export function pcm16ToFloat(samples) {
  const out = new Float32Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) out[i] = (samples[i] ?? 0) / 32_768;
  return out;
}

/**
 * A copy of the samples as wire bytes. Int16Array and Float32Array are converted where the encoding asks
 * for the other; an ArrayBuffer (or any other view) is taken to be in the wire's encoding already.
 * @param {ArrayBuffer | ArrayBufferView} audio
 * @param {import('./types.js').Encoding} encoding
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function toWireBytes(audio, encoding) {
  if (audio instanceof Float32Array && encoding !== 'float32') {
    if (encoding !== 'pcm16') throw new TypeError(`${encoding} audio must be handed over as encoded bytes`);
    return new Uint8Array(floatToPcm16(audio).buffer);
  }
  if (audio instanceof Int16Array && encoding !== 'pcm16') {
    if (encoding !== 'float32') throw new TypeError(`${encoding} audio must be handed over as encoded bytes`);
    return new Uint8Array(pcm16ToFloat(audio).buffer);
  }
  if (audio instanceof ArrayBuffer) return new Uint8Array(audio.slice(0));
  if (ArrayBuffer.isView(audio)) {
    return new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength).slice();
  }
  throw new TypeError('send() requires an Int16Array, a Float32Array or an ArrayBuffer');
}

/**
 * The loudest 20 ms of a chunk.
 * @param {Uint8Array} bytes Wire bytes of a chunk; byteOffset must be aligned, as chunks are.
 * @param {import('./types.js').Encoding} encoding
 * @param {number} windowSamples Samples of 20 ms, all channels.
 * @returns {number} RMS 0–1; 1 for encodings that it cannot look into, so that nothing is ever held back.
 */
export function peakRms(bytes, encoding, windowSamples) {
  if (encoding !== 'pcm16' && encoding !== 'float32') return 1;
  const samples =
    encoding === 'pcm16'
      ? new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1)
      : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const scale = encoding === 'pcm16' ? 1 / 32_768 : 1;
  let peak = 0;
  for (let from = 0; from < samples.length; from += windowSamples) {
    const to = Math.min(samples.length, from + windowSamples);
    let sum = 0;
    for (let i = from; i < to; i += 1) sum += ((samples[i] ?? 0) * scale) ** 2;
    peak = Math.max(peak, Math.sqrt(sum / (to - from)));
  }
  return peak;
}
