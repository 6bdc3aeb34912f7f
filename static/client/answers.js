/** After this many requests in a row without an answer, each on its own connection, the client gives up. */
const MAX_UNANSWERED = 3;

/**
 * Makes sure that no request waits forever. If an answer is due and nothing arrives for `timeoutMs`, the connection
 * counts as lost. After three times in a row, the operation fails.
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

  /** To be called whenever an answer may be due. The time runs from the first of these calls. */
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

  /** An answer arrived, or a sign that the request is being processed. */
  came() {
    this.#unanswered = 0;
    this.pause();
    this.watch();
  }

  /** No answer is expected, for example without a connection. */
  pause() {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
