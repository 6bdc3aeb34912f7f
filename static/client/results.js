import { LatencyWindow } from './latency.js';

/**
 * @typedef {import('./types.js').ClientEvents} ClientEvents
 * @typedef {import('./types.js').LatencySample} LatencySample
 * @typedef {{ [K in keyof ClientEvents]: [type: K, detail: ClientEvents[K]] }[keyof ClientEvents]} AnyEvent
 * @typedef {Record<string, unknown>} Message
 */

/**
 * What the server heard, brought onto the application's timeline and numbered over all sessions, with the
 * latency of each result measured on the way.
 */
export class Results {
  #segmentOffset = 0;
  /** How many words of the open segment were shown so far. */
  #shown = { id: 0, words: 0 };
  lag = 0;
  droppedPartials = 0;
  chunkMs = new LatencyWindow();
  wordMs = new LatencyWindow();
  /** @type {import('./types.js').Segment[]} */
  segments = [];

  /**
   * @param {import('./outgoing.js').Outgoing} outgoing
   * @param {import('./types.js').Clock} clock
   */
  constructor(outgoing, clock) {
    this.outgoing = outgoing;
    this.clock = clock;
  }

  /** A new session counts its segments from 1 again. */
  restart() {
    this.#segmentOffset = this.segments.reduce((max, s) => Math.max(max, s.segment_id), 0);
    this.#shown = { id: 0, words: 0 };
  }

  /**
   * @param {Message} message Of the present session.
   * @returns {AnyEvent[]} What the application is told; nothing for messages that it need not know.
   */
  receive(message) {
    switch (message.type) {
      case 'partial':
        return this.#partial(message);
      case 'transcription':
        return this.#segment(message);
      case 'speech_started':
      case 'speech_ended':
        return [[message.type, { audio_time: this.outgoing.appSeconds(number(message.audio_time)) }]];
      case 'metrics':
        this.lag = number(message.lag);
        this.droppedPartials = number(message.dropped_partials);
        return [['metrics', /** @type {import('./types.js').ServerMetrics} */ (message)]];
      case 'ack':
        this.outgoing.log.acknowledge(number(message.received_samples));
        return [];
      default: // A later protocol's message: ours to ignore.
        return [];
    }
  }

  /** @param {Message} message */
  #partial(message) {
    const audioEnd = number(message.audio_end);
    const partial = {
      segment_id: number(message.segment_id) + this.#segmentOffset,
      text: String(message.text ?? ''),
      words: this.#words(message.words),
      stable_chars: number(message.stable_chars),
      audio_end: this.outgoing.appSeconds(audioEnd, 'end'),
    };
    const latency = this.#wordLatency(partial.segment_id, message.words);
    const sent = this.outgoing.log.at(this.outgoing.logFrames(audioEnd));
    if (sent) {
      latency.chunkMs = this.clock.now() - sent.sentAtMs;
      this.chunkMs.add(latency.chunkMs);
    }
    return events(['partial', partial], latency);
  }

  /** @param {Message} message */
  #segment(message) {
    const raw = /** @type {Message[]} */ (Array.isArray(message.words) ? message.words : []);
    const start = message.start === undefined ? number(raw[0]?.start) : number(message.start);
    const end = raw.length > 0 ? number(raw[raw.length - 1]?.end) : start + number(message.duration);
    const segment = {
      segment_id: number(message.segment_id) + this.#segmentOffset,
      text: String(message.text ?? ''),
      words: this.#words(message.words),
      start: this.outgoing.appSeconds(start, 'start'),
      end: this.outgoing.appSeconds(end, 'end'),
      reason: String(message.reason ?? 'silence'),
    };
    const latency = this.#wordLatency(segment.segment_id, message.words);
    this.segments.push(segment);
    this.outgoing.log.keepFrom(this.outgoing.logFrames(end));
    return events(['transcription', segment], latency);
  }

  /**
   * @param {unknown} words
   * @returns {import('./types.js').Word[]}
   */
  #words(words) {
    if (!Array.isArray(words)) return [];
    return words.map((w) => ({
      word: String(w.word),
      start: this.outgoing.appSeconds(number(w.start), 'start'),
      end: this.outgoing.appSeconds(number(w.end), 'end'),
      confidence: number(w.confidence),
    }));
  }

  /**
   * Times each word when it is shown for the first time.
   * @param {number} segmentId
   * @param {unknown} words
   * @returns {LatencySample}
   */
  #wordLatency(segmentId, words) {
    if (!Array.isArray(words)) return {};
    if (this.#shown.id !== segmentId) this.#shown = { id: segmentId, words: 0 };
    /** @type {LatencySample} */
    const latency = {};
    for (const word of words.slice(this.#shown.words)) {
      const entry = this.outgoing.log.at(this.outgoing.logFrames(number(word.end)));
      if (!entry) continue;
      latency.wordMs = this.clock.now() - entry.pushedAtMs;
      this.wordMs.add(latency.wordMs);
    }
    this.#shown.words = Math.max(this.#shown.words, words.length);
    return latency;
  }
}

/**
 * @param {AnyEvent} event
 * @param {LatencySample} latency
 * @returns {AnyEvent[]}
 */
function events(event, latency) {
  return Object.keys(latency).length === 0 ? [event] : [event, ['latency', latency]];
}

/** @param {unknown} value */
function number(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
