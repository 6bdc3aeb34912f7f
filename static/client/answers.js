/** After this many requests in a row without an answer, each on its own connection, the client gives up. */
const MAX_UNANSWERED = 3;
/**
 * Time is counted in steps of a third of the timeout. A timer that comes late, since the computer slept or the page was
 * busy, is one step, and what arrived meanwhile is handled before the next.
 */
const STEPS = 3;
/** Messages that follow from what the client sent. Metrics, acknowledgements and pongs only show that the server lives. */
const RESULTS = new Set(
  'recording_started recording_stopped configured partial transcription warning error'.split(' '),
);

/**
 * Makes sure that no request waits forever. If an answer is due and no message arrives for `answerTimeoutMs`, or no
 * result for `answerLimitMs`, the connection counts as lost. After three times in a row, the operation fails.
 */
export class Answers {
  /** @type {unknown} */
  #timer = null;
  #unanswered = 0;
  #steps = 0;
  #silentSteps = 0;
  #isHeard = false;
  /** The server answers in order, so a pong means something only if its ping was sent before the request. */
  #pongCounts = false;

  /**
   * @param {{ clock: import('./types.js').Clock, answerTimeoutMs: number, answerLimitMs: number }} options
   * @param {{ due: () => boolean, pinging: () => boolean, onLate: (again: boolean) => void }} parts `due`: whether an
   *   answer is owed now. `pinging`: whether a pong is. `onLate`: with `again`, another connection is worth a try.
   */
  constructor(options, parts) {
    this.options = options;
    this.parts = parts;
  }

  /** To be called whenever an answer may be due. The time runs from the first of these calls. */
  watch() {
    const { due, pinging } = this.parts;
    if (!due()) this.pause();
    else if (this.#timer === null) {
      this.#steps = 0;
      this.#silentSteps = 0;
      this.#isHeard = false;
      this.#pongCounts = pinging();
      this.#wait();
    }
  }

  /** @param {string} type Of a message that arrived. */
  received(type) {
    if (RESULTS.has(type)) {
      this.#unanswered = 0;
      this.pause();
    } else if (type !== 'pong' || this.#pongCounts) this.#isHeard = true;
    if (type === 'pong') this.#pongCounts = false;
    this.watch();
  }

  /** No answer is expected, for example without a connection. */
  pause() {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait() {
    const { clock, answerTimeoutMs } = this.options;
    this.#timer = clock.setTimeout(() => this.#step(), answerTimeoutMs / STEPS);
  }

  #step() {
    const { answerTimeoutMs, answerLimitMs } = this.options;
    this.#timer = null;
    this.#steps += 1;
    this.#silentSteps = this.#isHeard ? 0 : this.#silentSteps + 1;
    this.#isHeard = false;
    const isOver = this.#steps * answerTimeoutMs >= STEPS * answerLimitMs;
    if (this.#silentSteps < STEPS && !isOver) return this.#wait();
    this.#unanswered += 1;
    return this.parts.onLate(this.#unanswered < MAX_UNANSWERED);
  }
}
