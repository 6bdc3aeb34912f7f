/** The server's address, and the reason for a refused connection. */
import { REASONS } from './reasons.js';

/** Relative to the server's address, which may be a sub-path of a proxy: `/speech/`. */
const SOCKET_PATH = 'ws/transcribe';
/** Path of this file on a server. */
const FILE_PATH = 'static/client/endpoint.js';
/** Longest wait that is accepted from a server. */
const MAX_RETRY_AFTER_MS = 300_000;

/** @typedef {import('./types.js').Reason} Reason */

/**
 * The server that this file came from; the root of the page's own where that was none: a bundler's copy, a file of npm.
 * @param {string} page
 * @param {string} module The address of this file.
 */
function ownServer(page, module) {
  const root = new URL('/', page);
  const { origin, pathname } = new URL(module);
  const isServers =
    origin === root.origin && pathname.endsWith(`/${FILE_PATH}`) && !/\/(node_modules|@fs)\//.test(pathname);
  if (isServers) root.pathname = pathname.slice(0, -FILE_PATH.length);
  return root.href;
}

/**
 * @param {string | undefined} url ws:, wss:, http:, https:, or a path on the page's own server. One that ends with a slash is a
 *   server's address, so the socket's path is added. By default the server that this file came from.
 * @param {Record<string, string | undefined>} params Query parameters; undefined ones are left out.
 * @param {string} [module] The address of this file.
 * @returns {string} A ws: or wss: address.
 */
export function webSocketUrl(url, params, module = import.meta.url) {
  const page = typeof location === 'undefined' ? undefined : location.href;
  if (url === undefined && page === undefined)
    throw new TypeError('Outside a browser the option `url` is required');
  const target = new URL(url ?? ownServer(page ?? '', module), page);
  target.protocol = target.protocol.replace(/^http/, 'ws');
  if (target.pathname.endsWith('/')) target.pathname += SOCKET_PATH;
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) target.searchParams.set(name, value);
  }
  target.hash = '';
  return target.href;
}

/**
 * A browser hides the HTTP response to a refused WebSocket upgrade: the script only sees a failed socket. So this
 * requests the same address by plain HTTP, and the server answers with the reason for the refusal.
 * @param {string} socketUrl
 * @param {typeof globalThis.fetch | undefined} fetchLike
 * @param {{ clock: import('./types.js').Clock, timeoutMs: number }} options Past `timeoutMs` the server counts as
 *   unreachable.
 * @returns {Promise<Reason>} Never rejects.
 */
export async function refusalReason(socketUrl, fetchLike, { clock, timeoutMs }) {
  if (!fetchLike) return REASONS.UNREACHABLE;
  const abort = new AbortController();
  /** @type {unknown} */
  let timer;
  const late = new Promise((resolve) => {
    timer = clock.setTimeout(() => {
      abort.abort();
      resolve(REASONS.UNREACHABLE);
    }, timeoutMs);
  });
  const asked = ask(socketUrl.replace(/^ws/, 'http'), fetchLike, abort.signal).catch(
    () => REASONS.UNREACHABLE,
  );
  const reason = /** @type {Reason} */ (await Promise.race([asked, late]));
  clock.clearTimeout(timer);
  return reason;
}

/**
 * @param {string} url
 * @param {typeof globalThis.fetch} fetchLike
 * @param {AbortSignal} signal
 * @returns {Promise<Reason>}
 */
async function ask(url, fetchLike, signal) {
  const response = await fetchLike(url, { cache: 'no-store', signal });
  const body = /** @type {Record<string, unknown>} */ (await response.json().catch(() => ({})));
  const wait = retryAfterMs(response.headers.get('retry-after'));
  return { ...explain(response.status, body), ...(wait === undefined ? {} : { retryAfterMs: wait }) };
}

/**
 * @param {number} status HTTP status of the answer.
 * @param {Record<string, unknown>} body
 * @returns {Reason}
 */
function explain(status, body) {
  const retryable = body.retryable !== false;
  // It accepts WebSockets and would admit the client: something in between broke the connection.
  if (status === 426 || body.code === 'UPGRADE_REQUIRED' || status < 400) {
    return { code: 'CONNECTION_LOST', text: 'The server is up, but the connection failed.', retryable: true };
  }
  if (typeof body.code === 'string') {
    const text = typeof body.error === 'string' ? body.error : body.code;
    const detail = typeof body.detail === 'string' ? ` ${body.detail}` : '';
    return { code: body.code, text: `${text}${detail}`, retryable };
  }
  if (status === 401 || status === 403) {
    return { code: 'UNAUTHORIZED', text: 'A valid access token is required.', retryable: false };
  }
  // The response of a proxy, or of a server without the route.
  return { code: 'UNREACHABLE', text: `The server cannot be reached (HTTP ${status}).`, retryable: true };
}

/**
 * @param {string | null} header Seconds or an HTTP date.
 * @returns {number | undefined} At most five minutes.
 */
export function retryAfterMs(header) {
  if (header === null) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}

/** Close codes after which a retry cannot help. 4409 may succeed later, when the old connection has ended. */
const FATAL_CLOSE_CODES = new Set([1000, 1003, 1007, 1008, 1009]);

/** @type {Record<number, [code: string, text: string]>} */
const CLOSE_REASONS = {
  1001: ['DRAINING', 'The server is shutting down.'],
  1008: ['UNAUTHORIZED', 'The server does not allow this connection.'],
  1009: ['MESSAGE_TOO_LARGE', 'The message is larger than the server accepts.'],
  1011: ['INTERNAL', 'Internal server error.'],
  1013: ['AT_CAPACITY', 'The server is busy; try again later.'],
  4000: ['TIMEOUT', 'The server stopped answering.'], // Given by Link, not by a server.
  4408: ['IDLE_TIMEOUT', 'The connection was idle for too long.'],
  4409: ['CLIENT_ID_IN_USE', 'Another connection uses this client_id.'],
  4429: ['RATE_LIMITED', 'Too many control messages in a short time.'],
};

/**
 * @param {number} closeCode
 * @param {string} text The server's own words, where it gave any.
 * @returns {Reason}
 */
export function closeReason(closeCode, text) {
  const [code, fallback] = CLOSE_REASONS[closeCode] ?? ['CONNECTION_LOST', 'The connection was lost.'];
  const words = /^[A-Z_]+$/.test(text) ? '' : text; // A bare code is nothing to read.
  return { code, text: words || fallback, retryable: !FATAL_CLOSE_CODES.has(closeCode) };
}
