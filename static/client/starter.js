import { Backoff } from './backoff.js';
import { Deferred } from './emitter.js';

/** A recording on the server that lasted this long was a good one; after a shorter one the waits go on growing. */
const STABLE_MS = 5_000;

/**
 * @typedef {import('./types.js').Reason} Reason
 * @typedef {Record<string, unknown>} Message
 */

/**
 * Gets a recording started on the server, and started again: where it has no room yet, where it has ended the
 * recording by itself, and where a new session has to take over.
 */
export class Starter {
  /** `start_recording` is sent and not answered. */
  sent = false;
  /** The next start takes over from a recording that the server has ended or forgotten. */
  takesOver = false;
  /** @type {Deferred<Message> | null} */
  #waiting = null;
  /** @type {unknown} */
  #timer = null;
  #startedAtMs = 0;

  /**
   * @param {ReturnType<typeof import('./options.js').withDefaults>} options
   * @param {import('./connector.js').Connector} connector
   * @param {{ message: () => Message, onSent: () => void }} parts `message`: the `start_recording` to send.
   */
  constructor(options, connector, parts) {
    this.options = options;
    this.connector = connector;
    this.parts = parts;
    this.backoff = new Backoff({ ...options.reconnect, random: options.random });
  }

  /** A start is waited for, and not yet due. */
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
    link.heartbeat = true;
    this.sent = true;
    link.sendMessage(this.parts.message());
    this.parts.onSent();
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
   * Waits and begins again; shows as a state.
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

  /** The connection is gone: the next greeting begins again. */
  down() {
    this.#clear();
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
