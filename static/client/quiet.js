const SILENCES = 5;
/** A timer that comes late, since the page was busy, is one step: audio that was handed over meanwhile counts first. */
const STEPS = 3;

/**
 * Notices when the application stops handing over audio (push-to-talk, a muted microphone). For a client that supports
 * resuming, the server does not finalise the last words by itself, so the client must request it. The delay is the one
 * after which the server does it for other clients.
 */
export class Quiet {
  /** @type {unknown} */
  #timer = null;
  #steps = 0;
  /** `silence_duration` in force, seconds. */
  silenceSeconds = 0.5;

  /**
   * @param {{ clock: import('./types.js').Clock, quietFinalizeMs: number | null }} options `quietFinalizeMs`: the
   *   least delay; null: never.
   * @param {{ onQuiet: () => void, isBusy: () => boolean }} parts `isBusy`: audio waits to be sent, so that the
   *   application may be waiting, too.
   */
  constructor(options, parts) {
    this.options = options;
    this.parts = parts;
  }

  /** Audio was handed over: restarts the delay. */
  heard() {
    this.end();
    if (this.options.quietFinalizeMs !== null) this.#wait();
  }

  end() {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#steps = 0;
  }

  #wait() {
    const { clock, quietFinalizeMs } = this.options;
    const quietMs = Math.max(quietFinalizeMs ?? 0, SILENCES * 1_000 * this.silenceSeconds);
    this.#timer = clock.setTimeout(() => this.#step(), quietMs / STEPS);
  }

  #step() {
    this.#steps = this.parts.isBusy() ? 0 : this.#steps + 1;
    if (this.#steps < STEPS) return this.#wait();
    this.end();
    return this.parts.onQuiet();
  }
}
