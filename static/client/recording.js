import { AudioLog } from './audio-log.js';
import { BYTES_PER_SAMPLE, toWireBytes } from './encode.js';
import { LatencyWindow } from './latency.js';
import { Timeline } from './timeline.js';
import { VoiceGate } from './voice-gate.js';

/** Above this many bytes in the socket nothing more is handed to it: 4 s of 16 kHz pcm16. */
const SOCKET_HIGH_WATER_BYTES = 128 * 1024;
const CHUNK_MS = 100;

/**
 * One recording, from `start()` to the final transcript, over as many connections and server sessions as it
 * takes. It knows positions and times; it knows nothing about sockets beyond "send this".
 */
export class Recording {
  #timeline = new Timeline();
  /** @type {Uint8Array<ArrayBuffer>} The beginning of the next chunk. */
  #remainder = new Uint8Array(0);
  #appFrames = 0;
  #chunkedFrames = 0;
  #segmentOffset = 0;
  /** @type {{ id: number, words: number }} How many words of the open segment were shown so far. */
  #shown = { id: 0, words: 0 };

  /** The server has confirmed the start, in the present session. */
  confirmed = false;
  stopping = false;
  droppedFrames = 0;
  skippedFrames = 0;
  lag = 0;
  droppedPartials = 0;
  chunkMs = new LatencyWindow();
  wordMs = new LatencyWindow();
  /** @type {import('./types.js').Segment[]} */
  segments = [];

  /**
   * @param {import('./types.js').RecordingOptions} config
   * @param {{
   *   maxQueueSeconds: number, maxBacklogSeconds: number, resumable: boolean,
   *   vad: import('./types.js').VoiceGateOptions | null, clock: import('./types.js').Clock,
   * }} options
   */
  constructor(config, options) {
    this.config = config;
    this.options = options;
    this.rate = config.sample_rate ?? 16_000;
    this.encoding = config.encoding ?? 'pcm16';
    this.bytesPerFrame = BYTES_PER_SAMPLE[this.encoding] * (config.channels ?? 1);
    this.chunkBytes = Math.round((this.rate * CHUNK_MS) / 1_000) * this.bytesPerFrame;
    const maxKeptFrames = options.maxQueueSeconds * this.rate;
    this.log = new AudioLog({ bytesPerFrame: this.bytesPerFrame, maxKeptFrames });
    this.log.resumable = options.resumable;
    const format = { rate: this.rate, channels: config.channels ?? 1, encoding: this.encoding };
    this.gate = options.vad ? new VoiceGate(options.vad, format) : null;
  }

  get startMessage() {
    return { type: 'start_recording', config: this.config };
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
    this.#appFrames = this.#chunkedFrames + Math.floor(bytes.length / this.bytesPerFrame);
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
      this.#timeline.mark(this.log.end, piece.appStart);
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

  /** The server forgot the session: record what no final covers again, and keep ids and times going. */
  restart() {
    this.log.rebase();
    this.confirmed = false;
    this.#segmentOffset = this.segments.reduce((max, s) => Math.max(max, s.segment_id), 0);
    this.#shown = { id: 0, words: 0 };
  }

  /**
   * @param {Record<string, unknown>} message A `partial` of the present session.
   * @returns {{ partial: import('./types.js').Partial, latency: import('./types.js').LatencySample }}
   */
  partial(message) {
    const audioEnd = number(message.audio_end);
    const partial = {
      segment_id: number(message.segment_id) + this.#segmentOffset,
      text: String(message.text ?? ''),
      words: this.#words(message.words),
      stable_chars: number(message.stable_chars),
      audio_end: this.#appSeconds(audioEnd, 'end'),
    };
    const latency = this.#wordLatency(partial.segment_id, message.words);
    const sent = this.log.at(this.#logFrames(audioEnd));
    if (sent) {
      latency.chunkMs = this.options.clock.now() - sent.sentAtMs;
      this.chunkMs.add(latency.chunkMs);
    }
    return { partial, latency };
  }

  /**
   * @param {Record<string, unknown>} message A `transcription` of the present session.
   * @returns {{ segment: import('./types.js').Segment, latency: import('./types.js').LatencySample }}
   */
  segment(message) {
    const words = this.#words(message.words);
    const raw = /** @type {Record<string, unknown>[]} */ (Array.isArray(message.words) ? message.words : []);
    const start = message.start === undefined ? number(raw[0]?.start) : number(message.start);
    const end = raw.length > 0 ? number(raw[raw.length - 1]?.end) : start + number(message.duration);
    const segment = {
      segment_id: number(message.segment_id) + this.#segmentOffset,
      text: String(message.text ?? ''),
      words,
      start: this.#appSeconds(start, 'start'),
      end: this.#appSeconds(end, 'end'),
      reason: String(message.reason ?? 'silence'),
    };
    const latency = this.#wordLatency(segment.segment_id, message.words);
    this.segments.push(segment);
    this.log.keepFrom(this.#logFrames(end));
    return { segment, latency };
  }

  /**
   * @param {number} seconds On the server's timeline.
   * @param {'start' | 'end'} [edge]
   */
  appTime(seconds, edge = 'start') {
    return this.#appSeconds(seconds, edge);
  }

  /** @returns {import('./types.js').RecordingResult} */
  result() {
    const texts = this.segments.map((s) => s.text).filter((text) => text !== '');
    return {
      transcript: texts.join(' '),
      segments: [...this.segments],
      duration: this.#appFrames / this.rate,
      droppedSeconds: this.droppedFrames / this.rate,
      skippedSeconds: this.skippedFrames / this.rate,
    };
  }

  /** @param {number} serverSeconds */
  #logFrames(serverSeconds) {
    return Math.round(serverSeconds * this.rate) + this.log.base;
  }

  /**
   * @param {number} serverSeconds
   * @param {'start' | 'end'} edge
   */
  #appSeconds(serverSeconds, edge) {
    return this.#timeline.toApp(this.#logFrames(serverSeconds), edge) / this.rate;
  }

  /**
   * @param {unknown} words
   * @returns {import('./types.js').Word[]}
   */
  #words(words) {
    if (!Array.isArray(words)) return [];
    return words.map((w) => ({
      word: String(w.word),
      start: this.#appSeconds(number(w.start), 'start'),
      end: this.#appSeconds(number(w.end), 'end'),
      confidence: number(w.confidence),
    }));
  }

  /**
   * Times each word when it is shown for the first time.
   * @param {number} segmentId
   * @param {unknown} words
   * @returns {import('./types.js').LatencySample}
   */
  #wordLatency(segmentId, words) {
    if (!Array.isArray(words)) return {};
    if (this.#shown.id !== segmentId) this.#shown = { id: segmentId, words: 0 };
    /** @type {import('./types.js').LatencySample} */
    const latency = {};
    for (const word of words.slice(this.#shown.words)) {
      const entry = this.log.at(this.#logFrames(number(word.end)));
      if (!entry) continue;
      latency.wordMs = this.options.clock.now() - entry.pushedAtMs;
      this.wordMs.add(latency.wordMs);
    }
    this.#shown.words = Math.max(this.#shown.words, words.length);
    return latency;
  }
}

/** @param {unknown} value */
function number(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
