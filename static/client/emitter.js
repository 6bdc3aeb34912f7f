/** @typedef {import('./types.js').ClientEvents} ClientEvents */

/** An EventTarget whose events carry typed details. */
export class Emitter extends EventTarget {
  /**
   * @template {keyof ClientEvents} K
   * @param {K} type
   * @param {(detail: ClientEvents[K]) => void} listener
   * @param {{ signal?: AbortSignal, once?: boolean }} [options]
   * @returns {() => void} Stops listening.
   */
  on(type, listener, options = {}) {
    /** @param {Event} event */
    const handler = (event) => listener(/** @type {CustomEvent} */ (event).detail);
    this.addEventListener(type, handler, options);
    return () => this.removeEventListener(type, handler);
  }

  /**
   * @template {keyof ClientEvents} K
   * @param {K} type
   * @param {ClientEvents[K]} detail
   */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** What every promise of the client is rejected with. `code` is stable; the text is for people. */
export class RNNTClientError extends Error {
  /**
   * @param {import('./types.js').Reason} reason
   * @param {{ result?: import('./types.js').RecordingResult | undefined, detail?: unknown }} [more] `result`:
   *   what was recognised before it failed.
   */
  constructor(reason, { result, detail } = {}) {
    super(reason.text);
    this.name = 'RNNTClientError';
    this.code = reason.code;
    this.retryable = reason.retryable;
    this.retryAfterMs = reason.retryAfterMs;
    this.result = result;
    this.detail = typeof detail === 'string' ? detail : undefined;
  }
}

/**
 * A promise with its handles outside.
 * @template T
 */
export class Deferred {
  /** @type {(value: T) => void} */
  resolve = () => {};
  /** @type {(error: Error) => void} */
  reject = () => {};

  constructor() {
    /** @type {Promise<T>} */
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Possibly nothing waits for it, for example for the first connection; that must not end a Node process.
    this.promise.catch(() => {});
  }
}
