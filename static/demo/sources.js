/** Audio from sources other than the microphone. */

/** Files are converted to this rate before they are streamed. */
export const FILE_RATE = 16_000;
/** An hour at 16 kHz is 230 MB of float32; longer files should use the upload API. */
const MAX_FILE_SECONDS = 3_600;

/**
 * Decodes any audio (or video) file that the browser knows, to 16 kHz mono.
 * @param {Blob} file
 * @returns {Promise<Float32Array<ArrayBuffer>>}
 */
export async function decodeFile(file) {
  return mixDown(await decodeChannels(file));
}

/**
 * The same, with separate channels.
 * @param {Blob} file
 * @returns {Promise<Float32Array<ArrayBuffer>[]>}
 */
export async function decodeChannels(file) {
  const context = new OfflineAudioContext(1, 1, FILE_RATE);
  /** @type {AudioBuffer} */
  let buffer;
  try {
    buffer = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error('The browser cannot read this file as audio.');
  }
  if (buffer.duration > MAX_FILE_SECONDS) throw new Error('The file is longer than one hour.');
  return Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
}

/**
 * @param {Float32Array<ArrayBuffer>[]} channels Equally long.
 * @returns {Float32Array<ArrayBuffer>} Their mean.
 */
export function mixDown(channels) {
  const out = new Float32Array(channels[0]?.length ?? 0);
  for (const channel of channels) {
    for (let i = 0; i < out.length; i += 1) out[i] = (out[i] ?? 0) + (channel[i] ?? 0) / channels.length;
  }
  return out;
}

/**
 * @param {Float32Array} samples Two channels, interleaved.
 * @returns {Float32Array<ArrayBuffer>} Their mean.
 */
export function mixPairs(samples) {
  return new Float32Array(samples.length / 2).map(
    (_, i) => ((samples[2 * i] ?? 0) + (samples[2 * i + 1] ?? 0)) / 2,
  );
}

/**
 * The speech clip included with the server.
 * @returns {Promise<{ samples: Float32Array<ArrayBuffer>, about: { text: string, source: string, licence: string } }>}
 */
export async function bundledSample() {
  const [wav, about] = await Promise.all([
    load('../sample.wav').then((response) => response.blob()),
    load('../sample.json').then((response) => response.json()),
  ]);
  return { samples: await decodeFile(wav), about };
}

/** The server of the page does not answer any more. */
export class ServerGone extends Error {}

/** @param {string} path */
async function load(path) {
  const response = await fetch(new URL(path, import.meta.url)).catch(() => null);
  if (response?.ok) return response;
  throw new ServerGone('The sample cannot be loaded. The server cannot be reached.');
}
