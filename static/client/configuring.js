import { Deferred, RNNTClientError } from './emitter.js';
import { REASONS } from './reasons.js';

/**
 * @typedef {Record<string, unknown>} Message
 *
 * @typedef {object} Request
 * @property {Message} message
 * @property {Deferred<Message>} answer
 * @property {boolean} direct Sent at once, outside a recording; the others stand in the audio log.
 * @property {boolean} isSent Of a direct one: on the present connection or before in the same session.
 * @property {boolean} repeats Sent by the library itself.
 */

/** Errors that are no answer to a `configure`: they concern the audio, or another message. */
const OF_OTHERS = new Set(['CORRUPT_AUDIO', 'NOT_RECORDING', 'ALREADY_RECORDING']);

/**
 * The `configure` requests that wait for their answers, which come in the order of the requests, and the settings that
 * they leave behind. A server forgets settings with the session; a new session is told them again.
 */
export class Configuring {
  /** @type {Request[]} */
  #requests = [];
  /** Settings for later recordings. */
  #lasting = /** @type {Message} */ ({});
  /** @type {Message[]} Accepted ones that stand in the log. They are sent again with the audio around them. */
  #inLog = [];
  /** @type {WeakSet<Message>} */
  #refused = new WeakSet();
  /**
   * Nothing is sent outside a recording: there is no session yet, or answers to what was sent before the connection was
   * lost may be among the replayed messages.
   */
  #isHeld = true;

  /**
   * @param {{ clock: import('./types.js').Clock, answerLimitMs: number }} options
   * @param {(message: Message) => void} send
   */
  constructor(options, send) {
    this.options = options;
    this.send = send;
  }

  /** Whether the next answer is for a request that was sent outside a recording. */
  get direct() {
    return this.#requests[0]?.direct ?? false;
  }

  /** Whether something waits that is sent before anything else. */
  get holds() {
    return this.#isHeld && this.direct;
  }

  /**
   * @param {Message} message
   * @param {boolean} direct
   * @returns {Promise<Message>} The configuration in force.
   */
  ask(message, direct) {
    const { answer } = this.#add(message, direct);
    this.#flush();
    const { clock, answerLimitMs } = this.options;
    // The request keeps its place, since its answer may still come.
    const timer = clock.setTimeout(() => answer.reject(new RNNTClientError(REASONS.TIMEOUT)), answerLimitMs);
    return answer.promise.finally(() => clock.clearTimeout(timer));
  }

  /**
   * @param {Message} config
   * @param {boolean} recording Whether a recording is running.
   */
  answered(config, recording) {
    const request = this.#requests.shift();
    if (!request) return;
    if (request.direct || !recording) this.#keep(request.message);
    else this.#inLog.push(request.message);
    request.answer.resolve(config);
  }

  /**
   * @param {RNNTClientError} error
   * @param {boolean} starting A `start_recording` is unanswered. What stands in the log is sent after its answer.
   * @returns {boolean} False if this is no answer to a request: what can be retried ends the connection or a start.
   */
  refused(error, starting) {
    const [request] = this.#requests;
    if (!request || (starting && !request.direct) || error.retryable || OF_OTHERS.has(error.code))
      return false;
    this.#requests.shift();
    this.#refused.add(request.message);
    request.answer.reject(error);
    return true;
  }

  /** @param {Error} error */
  allRefused(error) {
    for (const { answer } of this.#requests.splice(0)) answer.reject(error);
    this.recordingEnded();
  }

  // ---- connections and sessions -----------------------------------------------------------------------

  /** The connection is lost. Requests in the log are sent again from there. */
  down() {
    for (const request of this.#requests) request.isSent = false;
    this.#isHeld = true;
  }

  /** A new session: tells it all settings for later recordings. */
  greeted() {
    const others = this.#requests.filter(({ repeats }) => !repeats);
    this.#requests = [];
    if (Object.keys(this.#lasting).length > 0) this.#add({ type: 'configure', ...this.#lasting }, true, true);
    this.#requests.push(...others);
    this.replayed();
  }

  /** The server has sent everything that it had to replay. */
  replayed() {
    this.#isHeld = false;
    this.#flush();
  }

  /** Sends what was asked for outside a recording. */
  #flush() {
    if (this.#isHeld) return;
    for (const request of this.#requests) {
      if (!request.direct || request.isSent) continue;
      request.isSent = true;
      this.send(request.message);
    }
  }

  // ---- the log of the running recording ---------------------------------------------------------------

  /** @param {Message} message Whether it need not be sent again. */
  isRefused = (message) => this.#refused.has(message);

  /**
   * A message will not be sent again.
   * @param {Message} message
   * @returns {Message | null} The settings that it made; null if it made none.
   */
  forgotten(message) {
    const index = this.#inLog.indexOf(message);
    if (index === -1) return null;
    this.#inLog.splice(index, 1);
    return this.#keep(message);
  }

  /**
   * The recording begins anew.
   * @param {Message[]} log The messages that are sent again, which are answered again.
   */
  restarted(log) {
    const waiting = new Map(this.#requests.map((request) => [request.message, request]));
    const gone = this.#requests.filter(({ message }) => !log.includes(message));
    for (const request of gone) request.direct = true;
    this.#requests = gone;
    this.#inLog = [];
    for (const message of log) {
      const request = waiting.get(message);
      if (request) this.#requests.push(request);
      else if (message.type === 'configure') this.#add(message, false);
    }
  }

  recordingEnded() {
    for (const message of this.#inLog.splice(0)) this.#keep(message);
  }

  /**
   * @param {Message} message
   * @param {boolean} direct
   * @param {boolean} [repeats]
   */
  #add(message, direct, repeats = false) {
    /** @type {Request} */
    const request = { message, answer: new Deferred(), direct, isSent: false, repeats };
    this.#requests.push(request);
    return request;
  }

  /** @param {Message} message */
  #keep({ type: _, ...settings }) {
    this.#lasting = { ...this.#lasting, ...settings };
    return settings;
  }
}
