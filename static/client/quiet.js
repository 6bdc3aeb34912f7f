const MIN_MS = 3_000;
const SILENCES = 5;

/**
 * Notices an application that hands no audio over any more (push-to-talk, a muted microphone). The server waits for a
 * client that takes part in resuming, so that client has to say itself that its last words may become final. The time
 * is the one after which the server does it for others.
 */
export class Quiet {
  /** @type {unknown} */
  #timer = null;
  /** `silence_duration` in force, seconds. */
  silenceSeconds = 0.5;

  /**
   * @param {import('./types.js').Clock} clock
   * @param {() => void} onQuiet
   */
  constructor(clock, onQuiet) {
    this.clock = clock;
    this.onQuiet = onQuiet;
  }

  /** Audio was handed over: the time runs from here. */
  heard() {
    this.end();
    const quietMs = Math.max(MIN_MS, SILENCES * 1_000 * this.silenceSeconds);
    this.#timer = this.clock.setTimeout(this.onQuiet, quietMs);
  }

  end() {
    this.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
