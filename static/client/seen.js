/** Messages that follow only from the client's input; the server counts the same ones. */
const COUNTED = new Set('transcription speech_started speech_ended configured warning error'.split(' '));

/**
 * The messages received in one session. A server that takes over the session from another one produces again what
 * follows from the client's audio and messages, and must know how much of it the client has.
 */
export class Seen {
  /** Recordings begun plus recordings ended: even between recordings. */
  #phase = 0;
  /** Messages since then, per channel; those without a channel count for the first one. */
  #events = [0, 0];
  /** @type {number | null} Where the last message was counted, if it is an error. */
  #last = null;

  /** @param {number} lastSeq The number of the last message. */
  constructor(lastSeq) {
    this.lastSeq = lastSeq;
  }

  /**
   * Counts a message of the session, other than `connection` and `resumed`.
   * @param {Record<string, unknown>} message
   * @returns {boolean} False for what was replayed although it had come.
   */
  take({ type, seq, channel }) {
    if (typeof seq === 'number') {
      if (seq <= this.lastSeq) return false;
      this.lastSeq = seq;
    }
    this.#last = type === 'error' ? 0 : null;
    if (type === 'recording_started' || type === 'recording_stopped') {
      this.#phase += 1;
      this.#events.fill(0);
    } else if (COUNTED.has(String(type))) {
      const index = channel === 1 ? 1 : 0;
      this.#events[index] = (this.#events[index] ?? 0) + 1;
    }
    return true;
  }

  /** The last message was an error that ended the connection: what ends it does not follow from the client's input. */
  uncountError() {
    if (this.#last !== null) this.#events[this.#last] = Math.max(0, (this.#events[this.#last] ?? 0) - 1);
    this.#last = null;
  }

  /** @returns {{ last_seq: string, events: string }} As the address says it. */
  get query() {
    return { last_seq: String(this.lastSeq), events: [this.#phase, ...this.#events].join('.') };
  }
}
