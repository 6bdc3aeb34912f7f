import { Deferred, RNNTClientError } from './emitter.js';
import { REASONS } from './reasons.js';

/**
 * @typedef {Record<string, unknown>} Message
 * @typedef {{ answer: Deferred<Message>, direct: boolean }} Request `direct`: sent at once, outside a recording.
 */

/** The `configure` requests that wait for their answers, which come in the order of the requests. */
export class Configuring {
  /** @type {Request[]} */
  #requests = [];

  /** @param {{ clock: import('./types.js').Clock, longestMs: number }} options `longestMs`: of any wait. */
  constructor(options) {
    this.options = options;
  }

  get waiting() {
    return this.#requests.length > 0;
  }

  /** Whether the next answer is for a request that was sent outside a recording. */
  get direct() {
    return this.#requests[0]?.direct ?? false;
  }

  /**
   * @param {boolean} direct
   * @returns {Promise<Message>} The configuration in force.
   */
  ask(direct) {
    const answer = /** @type {Deferred<Message>} */ (new Deferred());
    const request = { answer, direct };
    this.#requests.push(request);
    const { clock, longestMs } = this.options;
    const timer = clock.setTimeout(() => {
      this.#requests = this.#requests.filter((other) => other !== request);
      answer.reject(new RNNTClientError(REASONS.TIMEOUT));
    }, longestMs);
    return answer.promise.finally(() => clock.clearTimeout(timer));
  }

  /** @param {Message} config */
  answered(config) {
    this.#requests.shift()?.answer.resolve(config);
  }

  /** @param {Error} error */
  refused(error) {
    this.#requests.shift()?.answer.reject(error);
  }

  /**
   * A restart includes all settings requested before it.
   * @param {Message} config
   */
  allAnswered(config) {
    for (const { answer } of this.#requests.splice(0)) answer.resolve(config);
  }

  /** @param {Error} error */
  allRefused(error) {
    for (const { answer } of this.#requests.splice(0)) answer.reject(error);
  }
}
