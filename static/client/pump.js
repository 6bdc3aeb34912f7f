import { Deferred } from './emitter.js';

/** How often to check a full socket for room. */
const INTERVAL_MS = 20;
/** `drain()` waits until less than this is waiting to be sent. */
const DRAINED_SECONDS = 1;

/** Moves audio from the log of a recording to the socket as fast as the socket takes it. */
export class Pump {
  /** @type {Deferred<void>[]} */
  #draining = [];
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {{ clock: import('./types.js').Clock, maxBacklogSeconds: number }} options
   * @param {{
   *   recording: () => import('./recording.js').Recording | null,
   *   link: () => import('./link.js').Link | null, onEmpty: () => void,
   * }} parts `link`: null while audio may not be sent; `onEmpty`: everything has been sent.
   */
  constructor(options, parts) {
    this.options = options;
    this.parts = parts;
  }

  run() {
    const recording = this.parts.recording();
    const link = this.parts.link();
    if (recording && link && this.#timer === null) {
      if (recording.outgoing.pump(link)) this.parts.onEmpty();
      else {
        this.#timer = this.options.clock.setTimeout(() => {
          this.#timer = null;
          this.run();
        }, INTERVAL_MS);
      }
    }
    this.release();
  }

  pause() {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** @returns {Promise<void>} Resolves when there is room for more, or the recording is over. */
  async drain() {
    if (this.#roomy) return;
    const waiter = /** @type {Deferred<void>} */ (new Deferred());
    this.#draining.push(waiter);
    await waiter.promise;
  }

  /** Resolves `drain` if there is room again. */
  release() {
    if (!this.#roomy) return;
    for (const waiter of this.#draining.splice(0)) waiter.resolve();
  }

  /** The application waits for room. */
  get isHeld() {
    return this.#draining.length > 0;
  }

  get #roomy() {
    const recording = this.parts.recording();
    if (!recording) return true;
    const { unsentFrames, unacknowledgedFrames } = recording.outgoing.log;
    return (
      unsentFrames < DRAINED_SECONDS * recording.rate &&
      unacknowledgedFrames < (this.options.maxBacklogSeconds / 2) * recording.rate
    );
  }
}
