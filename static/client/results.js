import { LatencyWindow } from './latency.js';
import { Voice } from './voice.js';

/**
 * @typedef {import('./types.js').ClientEvents} ClientEvents
 * @typedef {Record<string, unknown>} Message
 * @typedef {<K extends keyof ClientEvents>(type: K, detail: ClientEvents[K]) => void} Emit
 */

/**
 * A channel without open words may still have some that no partial has shown. Seconds: longer than any model takes to
 * show a word.
 */
const UNSEEN_SECONDS = 3;

/** The server's results, on the application's timeline and numbered across sessions, with the latency of each. */
export class Results {
  #segmentOffset = 0;
  /** One voice; with `multichannel` one per channel. */
  #voices;
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
   * @param {number} [voices] How many channels have a transcript of their own.
   */
  constructor(outgoing, { clock, painted }, emit, voices = 1) {
    this.outgoing = outgoing;
    this.clock = clock;
    this.painted = painted;
    this.emit = emit;
    const momentOf = this.#spoken();
    this.#voices = Array.from({ length: voices }, () => new Voice(momentOf));
  }

  /** Whether the newest partial of any channel shows words without a final. */
  get open() {
    return this.#voices.some((voice) => voice.open);
  }

  /** A new recording on the server restarts its segment numbers at 1. */
  restart() {
    this.#segmentOffset = this.segments.reduce((max, s) => Math.max(max, s.segment_id), 0);
    const momentOf = this.#spoken();
    for (const voice of this.#voices) voice.restart(momentOf, this.#voices.length > 1);
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
        this.emit(message.type, {
          audio_time: this.outgoing.appSeconds(number(message.audio_time)),
          ...channelOf(message),
        });
        break;
      case 'metrics':
        this.lag = number(message.lag);
        this.droppedPartials = number(message.dropped_partials);
        this.emit('metrics', /** @type {import('./types.js').ServerMetrics} */ (message));
        break;
      case 'ack':
        this.outgoing.log.acknowledge(this.outgoing.frames(number(message.received_samples)));
        break;
      default: // A message of a later protocol version is ignored.
    }
  }

  /** @param {Message} message */
  #partial(message) {
    const audioEnd = number(message.audio_end);
    const text = String(message.text ?? '');
    const arrivedMs = this.clock.now();
    const voice = this.#voiceOf(message);
    const partial = {
      segment_id: number(message.segment_id) + this.#segmentOffset,
      ...channelOf(message),
      text,
      words: this.#words(message.words),
      stable_chars: number(message.stable_chars),
      audio_end: this.outgoing.appSeconds(audioEnd, 'end'),
    };
    const fresh = voice.fresh(partial) ?? { ...partial, text: '', words: [] };
    voice.open = fresh.text !== '';
    const cut = partial.text.length - fresh.text.length;
    this.emit('partial', { ...fresh, stable_chars: Math.max(0, partial.stable_chars - cut) });
    this.#time(message, voice, arrivedMs);
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
    const voice = this.#voiceOf(message);
    const heard = {
      segment_id: number(message.segment_id) + this.#segmentOffset,
      ...channelOf(message),
      text: String(message.text ?? ''),
      words: this.#words(message.words),
      start: this.outgoing.appSeconds(start, 'start'),
      end: this.outgoing.appSeconds(end, 'end'),
      reason: String(message.reason ?? 'silence'),
    };
    const segment = voice.fresh(heard);
    voice.said(end, heard.end);
    this.outgoing.log.keepFrom(this.outgoing.logFrames(this.#settledSeconds(end)));
    if (heard.reason === 'finalize' && this.#voices.length === 1) this.outgoing.log.finalized();
    if (segment) {
      this.segments.push(segment);
      this.emit('transcription', segment);
    }
    this.#time(message, voice, arrivedMs);
  }

  /**
   * The position up to which no channel needs the audio any more.
   * @param {number} newest Where the final that just came ends. Seconds on the timeline of the present session.
   */
  #settledSeconds(newest) {
    const needed = this.#voices.map(({ open, end }) => (open ? end : Math.max(end, newest - UNSEEN_SECONDS)));
    return Math.min(...needed);
  }

  /** @param {Message} message */
  #voiceOf(message) {
    return /** @type {Voice} */ (this.#voices[number(message.channel)] ?? this.#voices[0]);
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

  /** @returns {(seconds: number) => number | undefined} When the audio of the present session was spoken, ms. */
  #spoken() {
    const { base } = this.outgoing.log;
    const { rate, handedOver } = this.outgoing;
    return (seconds) => handedOver.momentMs(Math.round(seconds * rate) + base, rate / 1_000);
  }

  /**
   * Records when a result arrived or was painted, and measures the words of a final.
   * @param {Message} message
   * @param {Voice} voice
   * @param {number} arrivedMs
   */
  #time(message, { latency }, arrivedMs) {
    const shown = { ms: arrivedMs };
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

/**
 * @param {Message} message
 * @returns {{ channel?: number }} As the server names it: only with `multichannel`.
 */
function channelOf({ channel }) {
  return typeof channel === 'number' ? { channel } : {};
}

/** @param {unknown} value */
function number(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
