/** Where the server is, and why it would not let us in. */

const DEFAULT_PATH = '/ws/transcribe';

/**
 * @param {string | undefined} url ws:, wss:, http:, https:, or a path on the page's own server.
 * @param {Record<string, string | undefined>} params Query parameters; undefined ones are left out.
 * @returns {string} A ws: or wss: address.
 */
export function webSocketUrl(url, params) {
  const page = typeof location === 'undefined' ? undefined : location.href;
  if (url === undefined && page === undefined)
    throw new TypeError('Outside a browser the option `url` is needed');
  const target = new URL(url ?? DEFAULT_PATH, page);
  target.protocol = target.protocol.replace(/^http/, 'ws');
  if (target.pathname === '/') target.pathname = DEFAULT_PATH;
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) target.searchParams.set(name, value);
  }
  target.hash = '';
  return target.href;
}

/**
 * A browser hides the HTTP answer to a refused WebSocket upgrade: the script sees a failed socket and nothing
 * else. So the reason is fetched from `/ws/status`, which is cheap and always on.
 * @param {string} socketUrl
 * @param {typeof globalThis.fetch | undefined} fetchLike
 * @param {AbortSignal} [signal]
 * @returns {Promise<import('./types.js').Reason>}
 */
export async function refusalReason(socketUrl, fetchLike, signal) {
  const unreachable = { code: 'UNREACHABLE', text: 'The server cannot be reached.', retryable: true };
  if (!fetchLike) return unreachable;
  const url = new URL('/ws/status', socketUrl.replace(/^ws/, 'http'));
  try {
    const response = await fetchLike(url.href, { cache: 'no-store', ...(signal ? { signal } : {}) });
    const body = /** @type {Record<string, unknown>} */ (await response.json().catch(() => ({})));
    const wait = retryAfterMs(response.headers.get('retry-after'));
    return { ...explain(response.status, body), ...(wait === undefined ? {} : { retryAfterMs: wait }) };
  } catch {
    return unreachable;
  }
}

/**
 * @param {number} status HTTP status of `/ws/status`.
 * @param {Record<string, unknown>} body
 * @returns {import('./types.js').Reason}
 */
function explain(status, body) {
  if (typeof body.code === 'string') {
    const text = typeof body.error === 'string' ? body.error : body.code;
    return { code: body.code, text, retryable: body.retryable !== false };
  }
  if (status === 401 || status === 403) {
    return { code: 'UNAUTHORIZED', text: 'A valid access token is needed.', retryable: false };
  }
  if (body.status === 'draining') {
    return { code: 'DRAINING', text: 'The server is draining before it stops.', retryable: true };
  }
  if (body.status === 'starting') {
    return { code: 'NOT_READY', text: 'The server is still starting.', retryable: true };
  }
  if (
    typeof body.admitted === 'number' &&
    typeof body.capacity === 'number' &&
    body.admitted >= body.capacity
  ) {
    const text = `The server is at its rated number of streams (${body.admitted} of ${body.capacity}).`;
    return { code: 'AT_CAPACITY', text, retryable: true };
  }
  return { code: 'CONNECTION_LOST', text: 'The server is up, but the connection failed.', retryable: true };
}

/**
 * @param {string | null} header Seconds or an HTTP date.
 * @returns {number | undefined}
 */
export function retryAfterMs(header) {
  if (header === null) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Close codes after which trying again cannot help. 4409 can: the old connection may be about to go. */
const FATAL_CLOSE_CODES = new Set([1000, 1003, 1007, 1008, 1009]);

/** @type {Record<number, [code: string, text: string]>} */
const CLOSE_REASONS = {
  1001: ['DRAINING', 'The server is draining before it stops.'],
  1008: ['UNAUTHORIZED', 'The server does not allow this connection.'],
  1009: ['MESSAGE_TOO_LARGE', 'The frame is larger than the server accepts.'],
  1011: ['INTERNAL', 'Something went wrong inside the server.'],
  1013: ['AT_CAPACITY', 'The server asks to try again later.'],
  4408: ['IDLE_TIMEOUT', 'Nothing was sent for too long.'],
  4409: ['CLIENT_ID_IN_USE', 'Another connection uses this client_id.'],
  4429: ['RATE_LIMITED', 'Too many control messages in a short time.'],
};

/**
 * @param {number} closeCode
 * @param {string} text The server's own words, where it gave any.
 * @returns {import('./types.js').Reason}
 */
export function closeReason(closeCode, text) {
  const [code, fallback] = CLOSE_REASONS[closeCode] ?? ['CONNECTION_LOST', 'The connection was lost.'];
  return { code, text: text || fallback, retryable: !FATAL_CLOSE_CODES.has(closeCode) };
}
