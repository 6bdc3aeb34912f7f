import { WordLatency } from './word-latency.js';

/** @typedef {Record<string, unknown>} Message */

/** One channel's transcript as it comes: where its last final ended, and whether words are open after it. */
export class Voice {
  /** The newest partial shows words that no final has yet. */
  open = false;
  /** Seconds, on the timeline of the present session: where the newest final ended. */
  end = 0;
  /** Seconds, on the application's timeline: what lies before has been said, in whichever session. */
  #said = 0;
  #repeats = false;

  /** @param {(seconds: number) => number | undefined} momentOf As WordLatency takes it. */
  constructor(momentOf) {
    this.latency = new WordLatency(momentOf);
  }

  /**
   * A new recording on the server.
   * @param {(seconds: number) => number | undefined} momentOf
   * @param {boolean} repeats Whether it may hear again what this channel has said already.
   */
  restart(momentOf, repeats) {
    this.latency = new WordLatency(momentOf);
    this.open = false;
    this.end = 0;
    this.#repeats = repeats;
  }

  /**
   * What of a result is new. After a restart audio is recognised again from where the slowest channel stood, so that the
   * others hear some of their words twice.
   * @template {{ text: string, words: import('./types.js').Word[] }} T
   * @param {T} result On the application's timeline.
   * @returns {T | null} Null where nothing is new.
   */
  fresh(result) {
    if (!this.#repeats || result.words.length === 0) return result;
    const words = result.words.filter(({ start, end }) => (start + end) / 2 > this.#said);
    if (words.length === result.words.length) return result;
    if (words.length === 0) return null;
    return { ...result, words, text: words.map(({ word }) => word).join(' ') };
  }

  /**
   * @param {number} end Seconds on the timeline of the present session.
   * @param {number} appEnd The same on the application's.
   */
  said(end, appEnd) {
    this.open = false;
    this.end = end;
    this.#said = Math.max(this.#said, appEnd);
  }
}
