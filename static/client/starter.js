import { Backoff } from './backoff.js';
import { Deferred } from './emitter.js';

/** A recording that lasted this long resets the backoff; after a shorter one the waits keep growing. */
const STABLE_MS = 5_000;

/**
 * @typedef {import('./types.js').Reason} Reason
 * @typedef {Record<string, unknown>} Message
 */

/**
 * Starts a recording on the server, and starts it again if the server was full, ended the recording by itself, or lost
 * the session.
 */
export class Starter {
  /** `start_recording` was sent and has not been answered. */
  sent = false;
  /** The next start continues a recording that the server has ended or lost. */
  takesOver = false;
  /** @type {Deferred<Message> | null} */
  #waiting = null;
  /** @type {unknown} */
  #timer = null;
  #startedAtMs = 0;
  /** It starts when settings that come before it may be sent. */
  #isHeld = false;

  /**
   * @param {ReturnType<typeof import('./options.js').withDefaults>} options
   * @param {import('./connector.js').Connector} connector
   * @param {{ message: () => Message, isHeld: () => boolean, onSent: () => void }} parts `message`: the
   *   `start_recording` to send. `isHeld`: something that comes before it may not be sent yet.
   */
  constructor(options, connector, parts) {
    this.options = options;
    this.connector = connector;
    this.parts = parts;
    this.backoff = new Backoff({ ...options.reconnect, random: options.random });
  }

  /** Whether a start is scheduled for later. */
  get later() {
    return this.#timer !== null;
  }

  /** @returns {Promise<Message>} The configuration, when the first start of a recording is confirmed. */
  first() {
    this.backoff.reset();
    this.takesOver = false;
    this.#waiting = new Deferred();
    return this.#waiting.promise;
  }

  begin() {
    const { link, ready } = this.connector;
    this.#clear();
    if (!link || !ready) return;
    this.#isHeld = this.parts.isHeld();
    if (this.#isHeld) return;
    link.heartbeat = true;
    this.sent = true;
    link.sendMessage(this.parts.message());
    this.parts.onSent();
  }

  /** Everything before it has been sent. */
  released() {
    if (this.#isHeld) this.begin();
  }

  /** Skips the rest of a wait. */
  retryNow() {
    if (this.later) this.begin();
  }

  /** @param {Message} config */
  confirmed(config) {
    this.sent = false;
    this.takesOver = false;
    this.#startedAtMs = this.options.clock.now();
    this.#waiting?.resolve(config);
    this.#waiting = null;
  }

  /**
   * Waits and starts again; reported as a state.
   * @param {Reason} reason
   * @param {'refused' | 'reconnecting'} state
   * @returns {boolean} False where the attempts are used up.
   */
  again(reason, state) {
    const { clock, reconnect } = this.options;
    this.sent = false;
    if (state === 'reconnecting' && clock.now() - this.#startedAtMs >= STABLE_MS) this.backoff.reset();
    if (!reconnect.enabled || this.backoff.exhausted(clock.now())) return false;
    const retryInMs = this.backoff.next(reason.retryAfterMs);
    this.connector.setState(state, { reason, attempt: this.backoff.attempt, retryInMs });
    this.#timer = clock.setTimeout(() => this.begin(), retryInMs);
    return true;
  }

  /** The connection is lost: the next greeting starts again. */
  down() {
    this.#clear();
    this.#isHeld = false;
    this.sent = false;
  }

  /** @param {Error} error */
  fail(error) {
    this.down();
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  #clear() {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
