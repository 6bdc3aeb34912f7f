/** Pure functions that process samples before they are sent. */

/** The highest rate that the server accepts. */
const MAX_RATE = 48_000;

/**
 * What becomes of a device's rate: every `step` samples are one, so that the server takes the rest.
 * @param {number} deviceRate Hz.
 * @returns {{ sampleRate: number, step: number }} `step` is a power of two: it divides every buffer of the browser.
 */
export function reducedRate(deviceRate) {
  let step = 1;
  while (deviceRate / step > MAX_RATE) step *= 2;
  return { sampleRate: deviceRate / step, step };
}

/**
 * @param {Float32Array} samples
 * @param {number} step
 * @returns {Float32Array<ArrayBuffer>} The mean of every `step` samples.
 */
export function reduce(samples, step) {
  const out = new Float32Array(Math.floor(samples.length / step));
  for (let i = 0; i < out.length; i += 1) {
    let sum = 0;
    for (let k = 0; k < step; k += 1) sum += samples[i * step + k] ?? 0;
    out[i] = sum / step;
  }
  return out;
}

/**
 * @param {Float32Array<ArrayBuffer>[]} channels Equally long.
 * @returns {Float32Array<ArrayBuffer>} Sample by sample, as the server takes two channels.
 */
export function interleave(channels) {
  const [only] = channels;
  if (only && channels.length === 1) return only;
  const out = new Float32Array(channels.length * (only?.length ?? 0));
  channels.forEach((channel, c) => {
    for (let i = 0; i < channel.length; i += 1) out[i * channels.length + c] = channel[i] ?? 0;
  });
  return out;
}

/**
 * @param {Float32Array} samples
 * @returns {{ rms: number, peak: number, dbfs: number }} dBFS down to −100.
 */
export function level(samples) {
  let sum = 0;
  let peak = 0;
  for (const sample of samples) {
    sum += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
  }
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return { rms, peak, dbfs: Math.max(-100, 20 * Math.log10(rms || 1e-5)) };
}
