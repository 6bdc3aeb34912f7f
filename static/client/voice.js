import { WordLatency } from './word-latency.js';

/** @typedef {Record<string, unknown>} Message */

/** The transcript of one channel as it arrives: the end of its last final, and whether words are open after it. */
export class Voice {
  /** The newest partial shows words without a final. */
  open = false;
  /** End of the newest final, seconds on the timeline of this session. */
  end = 0;
  /** End of everything reported so far in any session, seconds on the application's timeline. */
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
   * The new part of a result. After a restart, audio is recognised again from the position of the slowest channel, so
   * the other channels get some of their words twice.
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
