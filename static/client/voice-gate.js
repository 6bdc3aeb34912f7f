import { peakRms } from './encode.js';

/**
 * @typedef {object} Chunk One piece of audio on its way to the server, 100 ms unless it is a recording's last.
 * @property {Uint8Array<ArrayBuffer>} bytes
 * @property {number} frames Sample frames (samples per channel).
 * @property {number} appStart Position on the application's timeline, frames.
 * @property {number} pushedAtMs When the application handed its last sample over.
 */

/**
 * Client-side voice activity detection by energy, with hang-over and pre-roll. During a long silence nothing is sent,
 * not even zeros. At the end of the hang-over, `finalize` closes the segment, so that no segment spans a gap. The
 * server counts times in the audio that it received; `Timeline` maps them back to the application's timeline. The
 * hang-over is longer than the server's default silence, so the server still decides normal ends of sentences.
 */
export class VoiceGate {
  #open = false;
  #quietFrames = 0;
  /** @type {Chunk[]} The newest silence, sent first when somebody speaks. */
  #preroll = [];
  #prerollFrames = 0;

  /**
   * @param {import('./types.js').VoiceGateOptions} options
   * @param {{ rate: number, channels: number, encoding: import('./types.js').Encoding }} format
   */
  constructor({ threshold = 0.006, hangoverMs = 1_200, prerollMs = 300 }, format) {
    this.threshold = threshold;
    this.format = format;
    this.hangoverFrames = (hangoverMs / 1_000) * format.rate;
    this.prerollLimit = (prerollMs / 1_000) * format.rate;
    this.windowSamples = Math.max(1, Math.round(format.rate / 50)) * format.channels;
  }

  /**
   * @param {Chunk} chunk
   * @returns {{ send: Chunk[], skippedFrames: number, closes: boolean }} What to send now, how much was given
   *   up for good, and whether the gate closes after these chunks.
   */
  accept(chunk) {
    const voiced = peakRms(chunk.bytes, this.format.encoding, this.windowSamples) >= this.threshold;
    if (voiced) {
      const send = [...this.#preroll, chunk];
      this.#preroll = [];
      this.#prerollFrames = 0;
      this.#quietFrames = 0;
      this.#open = true;
      return { send, skippedFrames: 0, closes: false };
    }
    if (this.#open) {
      this.#quietFrames += chunk.frames;
      this.#open = this.#quietFrames < this.hangoverFrames;
      return { send: [chunk], skippedFrames: 0, closes: !this.#open };
    }
    return { send: [], skippedFrames: this.#hold(chunk), closes: false };
  }

  /**
   * @param {Chunk} chunk
   * @returns {number} Frames that fell out of the pre-roll.
   */
  #hold(chunk) {
    this.#preroll.push(chunk);
    this.#prerollFrames += chunk.frames;
    let skipped = 0;
    while (this.#prerollFrames > this.prerollLimit) {
      const oldest = this.#preroll.shift();
      if (!oldest) break;
      this.#prerollFrames -= oldest.frames;
      skipped += oldest.frames;
    }
    return skipped;
  }
}
