import { AudioLog } from './audio-log.js';
import { BYTES_PER_SAMPLE, toWireBytes } from './encode.js';
import { Losses } from './losses.js';
import { Marks } from './marks.js';
import { Timeline } from './timeline.js';
import { VoiceGate } from './voice-gate.js';

/** With this many bytes waiting in the socket, no more are sent to it: 4 s of 16 kHz pcm16. */
const SOCKET_HIGH_WATER_BYTES = 128 * 1024;
const CHUNK_MS = 100;
/** `received_samples` is counted at this rate, whatever the recording's rate. */
const SERVER_RATE = 16_000;

/**
 * The audio path from the application to the socket:
 *
 *     push ─▶ wire bytes ─▶ chunks of 100 ms ─▶ bound ─▶ voice gate ─▶ log ─▶ pump ─▶ link
 */
export class Outgoing {
  /** @type {Uint8Array<ArrayBuffer>} The beginning of the next chunk. */
  #remainder = new Uint8Array(0);
  #chunkedFrames = 0;
  /** Accepted since the connection was lost. */
  #offlineFrames = 0;
  /** Handed over by the application, including dropped audio. */
  appFrames = 0;
  skippedFrames = 0;
  timeline = new Timeline();
  losses = new Losses();
  /** When audio was handed over, and when it was sent, by log position. */
  handedOver = new Marks();
  sent = new Marks();

  /**
   * @param {import('./types.js').RecordingOptions} config
   * @param {{
   *   maxQueueSeconds: number, maxBacklogSeconds: number,
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
    this.log = new AudioLog({
      bytesPerFrame: this.bytesPerFrame,
      maxKeptFrames: options.maxQueueSeconds * rate,
      maxBacklogFrames: options.maxBacklogSeconds * rate,
    });
    this.gate = options.vad ? new VoiceGate(options.vad, { rate, channels, encoding }) : null;
  }

  /**
   * Takes any amount of audio and cuts it into chunks of 100 ms.
   * @param {ArrayBuffer | ArrayBufferView} audio
   * @param {boolean} online Whether the server can be sent to now.
   * @returns {import('./losses.js').Loss | null} What was dropped because the queue is full. The rule: what is
   *   already queued is kept and the newest audio is dropped, so that one hole in time remains, not a hole in each
   *   word, and the server can still be given its sample N.
   */
  push(audio, online) {
    const added = toWireBytes(audio, this.encoding);
    const bytes = new Uint8Array(this.#remainder.length + added.length);
    bytes.set(this.#remainder);
    bytes.set(added, this.#remainder.length);
    const whole = bytes.length - (bytes.length % this.chunkBytes);
    this.appFrames = this.#chunkedFrames + Math.floor(bytes.length / this.bytesPerFrame);
    this.#remainder = bytes.slice(whole);
    const dropped = new Losses();
    for (let at = 0; at < whole; at += this.chunkBytes) {
      this.#take(bytes.slice(at, at + this.chunkBytes), online, dropped);
    }
    const [first, last] = [dropped.list[0], dropped.list.at(-1)];
    return first && last ? { ...first, to: last.to } : null;
  }

  /**
   * Adds a control message after all audio handed over so far.
   * @param {Record<string, unknown>} message
   * @param {boolean} online
   * @returns {import('./losses.js').Loss | null} As of `push`.
   */
  mark(message, online) {
    const usable = this.#remainder.length - (this.#remainder.length % this.bytesPerFrame);
    const dropped = new Losses();
    if (usable > 0) this.#take(this.#remainder.slice(0, usable), online, dropped);
    this.#remainder = this.#remainder.slice(usable);
    this.log.appendMessage(message);
    return dropped.list[0] ?? null;
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {boolean} online
   * @param {Losses} dropped
   */
  #take(bytes, online, dropped) {
    const frames = bytes.length / this.bytesPerFrame;
    const appStart = this.#chunkedFrames;
    this.#chunkedFrames += frames;
    this.#offlineFrames = online ? 0 : this.#offlineFrames + frames;
    const { maxQueueSeconds, maxBacklogSeconds, clock } = this.options;
    const tooFar = this.log.unacknowledgedFrames + frames > maxBacklogSeconds * this.rate;
    if (tooFar || this.#offlineFrames > maxQueueSeconds * this.rate) {
      const { rate } = this;
      const loss = /** @type {const} */ ({
        from: appStart / rate,
        to: this.#chunkedFrames / rate,
        why: 'queue',
      });
      for (const losses of [this.losses, dropped]) losses.add(loss);
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
      this.log.appendAudio(piece.bytes);
      this.handedOver.add(this.log.end, piece.pushedAtMs);
    }
    if (closes) this.log.appendMessage({ type: 'finalize' });
  }

  /**
   * Sends waiting audio, as much as the socket accepts.
   * @param {import('./link.js').Link} link
   * @returns {boolean} True when nothing waits any more.
   */
  pump(link) {
    while (link.bufferedAmount < SOCKET_HIGH_WATER_BYTES) {
      const entry = this.log.next();
      if (!entry) return true;
      if (entry.bytes) {
        link.sendAudio(entry.bytes);
        this.sent.add(entry.end, this.options.clock.now());
      } else if (entry.message) link.sendMessage(entry.message);
    }
    return this.log.drained;
  }

  /**
   * Records audio that is lost, because neither the server nor the log has it.
   * @param {import('./audio-log.js').Gap | null} gap
   * @returns {import('./losses.js').Loss | null}
   */
  lose(gap) {
    if (!gap) return null;
    const from = this.timeline.toApp(gap.from, 'start') / this.rate;
    const to = this.timeline.toApp(gap.to, 'end') / this.rate;
    const loss = /** @type {const} */ ({ from, to, why: 'expired' });
    this.losses.add(loss);
    return loss;
  }

  /**
   * `received_samples` as frames of this recording; both sides round to the nearest frame, half up.
   * @param {number} serverSamples At 16 kHz, from the start of the recording on the server.
   */
  frames(serverSamples) {
    return Math.round((serverSamples * this.rate) / SERVER_RATE);
  }

  /** The first sample that can be sent again, in the server's count. */
  get keptSamples() {
    return Math.ceil((this.log.keptFrames * SERVER_RATE) / this.rate);
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
