/**
 * The page's copy of the recording: 16-bit samples on the application's timeline, for the waveform and for playback.
 * Above `maxSeconds` the oldest audio is dropped (10 min at 48 kHz: 58 MB).
 */
import { floatToPcm16, pcm16ToFloat } from '../client/encode.js';

export class Tape {
  /** @type {Int16Array[]} */
  #blocks = [];
  #firstFrame = 0;
  #endFrame = 0;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioBufferSourceNode | null} */
  #playing = null;
  #playingSince = 0;

  /**
   * @param {number} rate
   * @param {number} [maxSeconds]
   */
  constructor(rate, maxSeconds = 600) {
    this.rate = rate;
    this.maxFrames = maxSeconds * rate;
  }

  get seconds() {
    return this.#endFrame / this.rate;
  }

  /** @param {Float32Array} samples */
  push(samples) {
    this.#blocks.push(floatToPcm16(samples));
    this.#endFrame += samples.length;
    while (this.#endFrame - this.#firstFrame > this.maxFrames) {
      this.#firstFrame += this.#blocks.shift()?.length ?? 0;
    }
  }

  /**
   * A tape with saved audio.
   * @param {Int16Array} samples
   * @param {number} rate Hz.
   */
  static of(samples, rate) {
    const tape = new Tape(rate);
    tape.#blocks.push(samples);
    tape.#endFrame = samples.length;
    return tape;
  }

  /** @returns {Int16Array} All of it; silence in place of what was forgotten, so that times stay right. */
  pcm16() {
    const out = new Int16Array(this.#endFrame);
    let at = this.#firstFrame;
    for (const block of this.#blocks) {
      out.set(block, at);
      at += block.length;
    }
    return out;
  }

  /**
   * @param {number} start Seconds.
   * @param {number} end
   * @returns {Float32Array<ArrayBuffer>} Shorter where the beginning was forgotten.
   */
  slice(start, end) {
    const from = Math.max(this.#firstFrame, Math.round(start * this.rate));
    const to = Math.min(this.#endFrame, Math.round(end * this.rate));
    const out = new Float32Array(Math.max(0, to - from));
    let at = this.#firstFrame;
    for (const block of this.#blocks) {
      const lo = Math.max(from, at);
      const hi = Math.min(to, at + block.length);
      if (lo < hi) out.set(pcm16ToFloat(block.subarray(lo - at, hi - at)), lo - from);
      at += block.length;
    }
    return out;
  }

  /**
   * Plays an interval; a new playback stops the previous one.
   * @param {number} start Seconds.
   * @param {number} end
   * @returns {Promise<void>} Resolves when it has ended.
   */
  async play(start, end) {
    this.silence();
    const samples = this.slice(start, end);
    if (samples.length === 0) return;
    this.#context ??= new AudioContext();
    await this.#context.resume();
    const buffer = this.#context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(samples, 0);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    this.#playing = source;
    await new Promise((resolve) => {
      source.onended = resolve;
      this.#playingSince = this.#context?.currentTime ?? 0;
      source.start();
    });
  }

  /** Elapsed time of the current playback. */
  get playedSeconds() {
    return this.#context && this.#playing ? this.#context.currentTime - this.#playingSince : 0;
  }

  silence() {
    this.#playing?.stop();
    this.#playing = null;
  }
}
