/** @type {import('./types.js').Clock} */
export const systemClock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => globalThis.setTimeout(callback, delayMs),
  clearTimeout: (handle) => globalThis.clearTimeout(/** @type {number} */ (handle)),
};

/**
 * The options with their defaults filled in.
 * @param {import('./types.js').ClientOptions} options
 */
export function withDefaults(options) {
  const maxQueueSeconds = options.maxQueueSeconds ?? 30;
  return {
    url: options.url,
    clientId: options.clientId,
    params: options.params ?? {},
    WebSocket: options.WebSocket,
    fetch: options.fetch ?? globalThis.fetch?.bind(globalThis),
    reconnect: {
      enabled: options.reconnect?.enabled ?? true,
      baseMs: options.reconnect?.baseMs ?? 250,
      maxMs: options.reconnect?.maxMs ?? 10_000,
      maxAttempts: options.reconnect?.maxAttempts ?? 20,
      // Attempts may fail within milliseconds. The client does not give up while the log can still hold the audio.
      minOutageMs: options.reconnect?.maxAttempts === undefined ? maxQueueSeconds * 1_000 : 0,
    },
    maxQueueSeconds,
    maxBacklogSeconds: options.maxBacklogSeconds ?? 300,
    vad: options.vad === true ? {} : options.vad || null,
    pingIntervalMs: options.pingIntervalMs ?? 5_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    answerTimeoutMs: options.answerTimeoutMs ?? 15_000,
    answerLimitMs: options.answerLimitMs ?? 600_000,
    quietFinalizeMs: options.quietFinalizeMs === undefined ? 3_000 : options.quietFinalizeMs,
    painted: options.painted,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

/**
 * The WebSocket class: the given one, the global one, or the npm package `ws`.
 * @param {import('./types.js').SocketConstructor | undefined} given
 * @returns {Promise<import('./types.js').SocketConstructor>}
 */
export async function socketConstructor(given) {
  if (given) return given;
  if (typeof globalThis.WebSocket === 'function') {
    return /** @type {import('./types.js').SocketConstructor} */ (
      /** @type {unknown} */ (globalThis.WebSocket)
    );
  }
  const name = 'ws'; // A variable, so that browser bundlers do not resolve it.
  const ws = await import(name);
  return ws.WebSocket;
}
