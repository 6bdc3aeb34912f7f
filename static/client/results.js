import { LatencyWindow } from './latency.js';
import { WordLatency } from './word-latency.js';

/**
 * @typedef {import('./types.js').ClientEvents} ClientEvents
 * @typedef {Record<string, unknown>} Message
 * @typedef {<K extends keyof ClientEvents>(type: K, detail: ClientEvents[K]) => void} Emit
 */

/**
 * What the server heard, brought onto the application's timeline and numbered over all sessions, with the
 * latency of each result measured on the way.
 */
export class Results {
  #segmentOffset = 0;
  #wordLatency;
  /** The newest partial shows words that no final has yet. */
  open = false;
  lag = 0;
  droppedPartials = 0;
  chunkMs = new LatencyWindow();
  wordMs = new LatencyWindow();
  /** @type {import('./types.js').Segment[]} */
  segments = [];

  /**
   * @param {import('./outgoing.js').Outgoing} outgoing
   * @param {{ clock: import('./types.js').Clock, painted?: ((done: () => void) => void) | undefined }} options
   * @param {Emit} emit
   */
  constructor(outgoing, { clock, painted }, emit) {
    this.outgoing = outgoing;
    this.clock = clock;
    this.painted = painted;
    this.emit = emit;
    this.#wordLatency = this.#newWordLatency();
  }

  /** A new recording on the server counts its segments from 1 again. */
  restart() {
    this.#segmentOffset = this.segments.reduce((max, s) => Math.max(max, s.segment_id), 0);
    this.#wordLatency = this.#newWordLatency();
    this.open = false;
  }

  /** @param {Message} message Of the present session. Messages that the application need not know are passed over. */
  receive(message) {
    switch (message.type) {
      case 'partial':
        this.#partial(message);
        break;
      case 'transcription':
        this.#segment(message);
        break;
      case 'speech_started':
      case 'speech_ended':
        this.emit(message.type, { audio_time: this.outgoing.appSeconds(number(message.audio_time)) });
        break;
      case 'metrics':
        this.lag = number(message.lag);
        this.droppedPartials = number(message.dropped_partials);
        this.emit('metrics', /** @type {import('./types.js').ServerMetrics} */ (message));
        break;
      case 'ack':
        this.outgoing.log.acknowledge(this.outgoing.frames(number(message.received_samples)));
        break;
      default: // A later protocol's message: ours to ignore.
    }
  }

  /** @param {Message} message */
  #partial(message) {
    const audioEnd = number(message.audio_end);
    const text = String(message.text ?? '');
    const arrivedMs = this.clock.now();
    this.open = text !== '';
    this.emit('partial', {
      segment_id: number(message.segment_id) + this.#segmentOffset,
      text,
      words: this.#words(message.words),
      stable_chars: number(message.stable_chars),
      audio_end: this.outgoing.appSeconds(audioEnd, 'end'),
    });
    this.#time(message, arrivedMs);
    const sentAtMs = this.outgoing.sent.chunkMs(this.outgoing.logFrames(audioEnd));
    if (sentAtMs !== undefined) {
      const chunkMs = arrivedMs - sentAtMs;
      this.chunkMs.add(chunkMs);
      this.emit('latency', { chunkMs });
    }
  }

  /** @param {Message} message */
  #segment(message) {
    const arrivedMs = this.clock.now();
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
    this.segments.push(segment);
    this.open = false;
    this.outgoing.log.keepFrom(this.outgoing.logFrames(end));
    this.emit('transcription', segment);
    this.#time(message, arrivedMs);
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

  #newWordLatency() {
    const { base } = this.outgoing.log;
    const { rate, handedOver } = this.outgoing;
    return new WordLatency((seconds) => handedOver.momentMs(Math.round(seconds * rate) + base, rate / 1_000));
  }

  /**
   * Notes when a result came, or when it was painted; a final's words are measured then.
   * @param {Message} message
   * @param {number} arrivedMs
   */
  #time(message, arrivedMs) {
    const shown = { ms: arrivedMs };
    const latency = this.#wordLatency;
    const words = latency.show(message, shown);
    const measure = () => {
      for (const wordMs of latency.measure(words)) {
        this.wordMs.add(wordMs);
        this.emit('latency', { wordMs });
      }
    };
    if (!this.painted) return measure();
    return this.painted(() => {
      shown.ms = this.clock.now();
      measure();
    });
  }
}

/** @param {unknown} value */
function number(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
