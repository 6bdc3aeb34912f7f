import { withToken } from '../page-token.js';

/**
 * The WebSocket to `/ws/inspect`: reopened when it breaks, and closed while the page is hidden, since the server
 * inspects only while someone is watching.
 *
 * @typedef {'connecting' | 'live' | 'reconnecting' | 'paused' | 'refused'} LinkState
 */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;

export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;
  #retryMs = FIRST_RETRY_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {(message: import('./messages.js').InspectMessage) => void} onMessage
   * @param {(state: LinkState) => void} onState
   */
  constructor(onMessage, onState) {
    this.onMessage = onMessage;
    this.onState = onState;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#pause() : this.#open()));
    this.#open();
  }

  /** Follow one session's events, or none. @param {string | null} session */
  watch(session) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ type: 'watch', session }));
  }

  #open() {
    if (this.#socket !== null || document.hidden) return;
    clearTimeout(this.#timer);
    const url = withToken(new URL('../../ws/inspect', import.meta.url));
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      this.#retryMs = FIRST_RETRY_MS;
      this.onState('live');
    });
    socket.addEventListener('message', ({ data }) => this.onMessage(JSON.parse(data)));
    socket.addEventListener('close', ({ code }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.onState(code === 1013 ? 'refused' : 'reconnecting');
      this.#timer = setTimeout(() => this.#open(), this.#retryMs * (0.75 + Math.random() / 2));
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    });
  }

  #pause() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.onState('paused');
  }
}
