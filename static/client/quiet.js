const MIN_MS = 3_000;
const SILENCES = 5;

/**
 * Notices when the application stops handing over audio (push-to-talk, a muted microphone). For a client that supports
 * resuming, the server does not finalise the last words by itself, so the client must request it. The delay is the one
 * after which the server does it for other clients.
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

  /** Audio was handed over: restarts the delay. */
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
