import { AudioLog } from './audio-log.js';
import { BYTES_PER_SAMPLE, toWireBytes } from './encode.js';
import { Timeline } from './timeline.js';
import { VoiceGate } from './voice-gate.js';

/** Above this many bytes in the socket nothing more is handed to it: 4 s of 16 kHz pcm16. */
const SOCKET_HIGH_WATER_BYTES = 128 * 1024;
const CHUNK_MS = 100;

/**
 * The way of the audio from the application to the socket:
 *
 *     push ─▶ wire bytes ─▶ chunks of 100 ms ─▶ bound ─▶ voice gate ─▶ log ─▶ pump ─▶ link
 */
export class Outgoing {
  /** @type {Uint8Array<ArrayBuffer>} The beginning of the next chunk. */
  #remainder = new Uint8Array(0);
  #chunkedFrames = 0;
  /** Handed over by the application, dropped or not. */
  appFrames = 0;
  droppedFrames = 0;
  skippedFrames = 0;
  timeline = new Timeline();

  /**
   * @param {import('./types.js').RecordingOptions} config
   * @param {{
   *   maxQueueSeconds: number, maxBacklogSeconds: number, resumable: boolean,
   *   vad: import('./types.js').VoiceGateOptions | null, clock: import('./types.js').Clock,
   * }} options
   */
  constructor(config, options) {
    const { sample_rate: rate = 16_000, encoding = 'pcm16', channels = 1 } = config;
    this.options = options;
    this.rate = rate;
    this.encoding = encoding;
    this.bytesPerFrame = BYTES_PER_SAMPLE[encoding] * channels;
    this.chunkBytes = Math.round((rate * CHUNK_MS) / 1_000) * this.bytesPerFrame;
    const maxKeptFrames = options.maxQueueSeconds * rate;
    this.log = new AudioLog({ bytesPerFrame: this.bytesPerFrame, maxKeptFrames });
    this.log.resumable = options.resumable;
    this.gate = options.vad ? new VoiceGate(options.vad, { rate, channels, encoding }) : null;
  }

  /**
   * Takes any amount of audio and cuts it into chunks of 100 ms.
   * @param {ArrayBuffer | ArrayBufferView} audio
   * @param {boolean} connected
   * @returns {number} Seconds that were dropped because the queue is full. The rule: what is already queued
   *   is kept and the newest audio is dropped, so that one hole in time remains, not a hole in each word,
   *   and the server can still be given its sample N.
   */
  push(audio, connected) {
    const added = toWireBytes(audio, this.encoding);
    const bytes = new Uint8Array(this.#remainder.length + added.length);
    bytes.set(this.#remainder);
    bytes.set(added, this.#remainder.length);
    const whole = bytes.length - (bytes.length % this.chunkBytes);
    this.appFrames = this.#chunkedFrames + Math.floor(bytes.length / this.bytesPerFrame);
    this.#remainder = bytes.slice(whole);
    const droppedBefore = this.droppedFrames;
    for (let at = 0; at < whole; at += this.chunkBytes) {
      this.#take(bytes.slice(at, at + this.chunkBytes), connected);
    }
    return (this.droppedFrames - droppedBefore) / this.rate;
  }

  /**
   * Places a control message after all audio that was handed over so far.
   * @param {Record<string, unknown>} message
   * @param {boolean} connected
   */
  mark(message, connected) {
    const usable = this.#remainder.length - (this.#remainder.length % this.bytesPerFrame);
    if (usable > 0) this.#take(this.#remainder.slice(0, usable), connected);
    this.#remainder = this.#remainder.slice(usable);
    this.log.appendMessage(message);
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {boolean} connected
   */
  #take(bytes, connected) {
    const frames = bytes.length / this.bytesPerFrame;
    const appStart = this.#chunkedFrames;
    this.#chunkedFrames += frames;
    const { maxQueueSeconds, maxBacklogSeconds, clock } = this.options;
    const full =
      this.log.unacknowledgedFrames + frames > maxBacklogSeconds * this.rate ||
      (!connected && this.log.unsentFrames + frames > maxQueueSeconds * this.rate);
    if (full) {
      this.droppedFrames += frames;
      return;
    }
    const chunk = { bytes, frames, appStart, pushedAtMs: clock.now() };
    const { send, skippedFrames, closes } = this.gate?.accept(chunk) ?? {
      send: [chunk],
      skippedFrames: 0,
      closes: false,
    };
    this.skippedFrames += skippedFrames;
    for (const piece of send) {
      this.timeline.mark(this.log.end, piece.appStart);
      this.log.appendAudio(piece.bytes, piece.pushedAtMs);
    }
    if (closes) this.log.appendMessage({ type: 'finalize' });
  }

  /**
   * Sends what waits, as far as the socket takes it.
   * @param {import('./link.js').Link} link
   * @returns {boolean} True when nothing waits any more.
   */
  pump(link) {
    while (link.bufferedAmount < SOCKET_HIGH_WATER_BYTES) {
      const entry = this.log.next(this.options.clock.now());
      if (!entry) return true;
      if (entry.bytes) link.sendAudio(entry.bytes);
      else if (entry.message) link.sendMessage(entry.message);
    }
    return this.log.drained;
  }

  /** @param {number} serverSeconds On the timeline of the present session. */
  logFrames(serverSeconds) {
    return Math.round(serverSeconds * this.rate) + this.log.base;
  }

  /**
   * @param {number} serverSeconds On the timeline of the present session.
   * @param {'start' | 'end'} [edge]
   * @returns {number} On the application's timeline.
   */
  appSeconds(serverSeconds, edge = 'start') {
    return this.timeline.toApp(this.logFrames(serverSeconds), edge) / this.rate;
  }
}
