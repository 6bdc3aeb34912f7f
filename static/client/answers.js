/** After this many requests in a row that nobody answered, over as many connections, waiting has no use. */
const MAX_UNANSWERED = 3;

/**
 * Sees to it that no request waits for ever: where an answer is due and nothing comes for `timeoutMs`, the connection
 * counts as lost, and when that has happened three times in a row, the whole undertaking fails.
 */
export class Answers {
  /** @type {unknown} */
  #timer = null;
  #unanswered = 0;

  /**
   * @param {{
   *   clock: import('./types.js').Clock, timeoutMs: number, due: () => boolean,
   *   onLate: (again: boolean) => void,
   * }} options `due`: whether an answer is owed now. `onLate`: with `again`, another connection is worth a try.
   */
  constructor(options) {
    this.options = options;
  }

  /** To be called whenever an answer may have become due. The time runs from the first of these calls. */
  watch() {
    const { clock, timeoutMs, due, onLate } = this.options;
    if (!due()) this.pause();
    else {
      this.#timer ??= clock.setTimeout(() => {
        this.#timer = null;
        this.#unanswered += 1;
        onLate(this.#unanswered < MAX_UNANSWERED);
      }, timeoutMs);
    }
  }

  /** An answer came, or something that shows that it is being worked on. */
  came() {
    this.#unanswered = 0;
    this.pause();
    this.watch();
  }

  /** Nothing is awaited, for example while there is no connection. */
  pause() {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
