/** The close code for a server that does not answer: of the range that applications may use. */
const CLOSE_NO_ANSWER = 4000;
/** How many ticks of the heartbeat may pass without any message while a pong is due. */
const SILENT_TICKS = 2;

/**
 * One socket, from opening to end: messages as objects, a heartbeat, and exactly one `onClose`, whether the peer
 * closed, the network failed silently or no one answered.
 */
export class Link {
  /** @type {unknown} */
  #timer;
  #pingSentAtMs = /** @type {number | null} */ (null);
  #isHeard = false;
  #silentTicks = 0;
  #opened = false;
  #ended = false;
  #sentSinceTick = false;
  /** Heartbeats run only while recording, so that the server's idle timeout can close an idle connection. */
  heartbeat = false;

  /**
   * @param {import('./types.js').SocketLike} socket
   * @param {{
   *   clock: import('./types.js').Clock, pingIntervalMs: number, connectTimeoutMs: number,
   *   onMessage: (message: Record<string, unknown>) => void,
   *   onSend: (message: Record<string, unknown>) => void,
   *   onRtt: (ms: number) => void,
   *   onClose: (end: { code: number, reason: string, opened: boolean }) => void,
   * }} options
   */
  constructor(socket, options) {
    this.socket = socket;
    this.options = options;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#opened = true;
      this.#awaitGreeting(); // for as long again
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#end(code, String(reason ?? ''));
    socket.onerror = () => {}; // A close always follows.
    this.#awaitGreeting();
  }

  #awaitGreeting() {
    const { clock, connectTimeoutMs } = this.options;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => this.fail('No answer to the connection.'), connectTimeoutMs);
  }

  /** A pong is due. */
  get pinging() {
    return this.#pingSentAtMs !== null;
  }

  get bufferedAmount() {
    return this.socket.bufferedAmount;
  }

  /** The handshake is complete: from now on pings detect silence instead of the connect timeout. */
  established() {
    this.options.clock.clearTimeout(this.#timer);
    this.#isHeard = false;
    this.ping();
    this.#tick();
  }

  /** @param {Record<string, unknown>} message */
  sendMessage(message) {
    if (this.#ended || this.socket.readyState !== 1) return;
    this.#sentSinceTick = true;
    this.options.onSend(message);
    this.socket.send(JSON.stringify(message));
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  sendAudio(bytes) {
    if (this.#ended || this.socket.readyState !== 1) return;
    this.#sentSinceTick = true;
    this.socket.send(bytes);
  }

  ping() {
    if (this.#pingSentAtMs !== null) return;
    this.#pingSentAtMs = this.options.clock.now();
    this.sendMessage({ type: 'ping' });
  }

  /** Closes the socket; `onClose` is not called. */
  close(code = 1000, reason = '') {
    this.#detach();
    this.socket.close(code, reason);
  }

  /**
   * The server is gone if a pong is due and nothing else came for two ticks: a pong may have to wait behind much audio.
   * After a long sleep of this computer one tick is due at once; what arrived meanwhile is handled before the next.
   */
  #tick() {
    const { clock, pingIntervalMs } = this.options;
    this.#timer = clock.setTimeout(() => {
      this.#silentTicks = this.pinging && !this.#isHeard ? this.#silentTicks + 1 : 0;
      this.#isHeard = false;
      if (this.#silentTicks >= SILENT_TICKS) {
        this.fail('The server stopped answering.');
        return;
      }
      if (this.heartbeat) {
        if (!this.#sentSinceTick) this.sendMessage({ type: 'keepalive' });
        this.ping();
        this.#sentSinceTick = false;
      }
      this.#tick();
    }, pingIntervalMs);
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#isHeard = true;
    if (typeof data !== 'string') return;
    /** @type {Record<string, unknown>} */
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return; // Unreadable data, perhaps from a proxy, must not end a recording.
    }
    if (message.type === 'pong' && this.#pingSentAtMs !== null) {
      const rttMs = this.options.clock.now() - this.#pingSentAtMs;
      this.#pingSentAtMs = null;
      this.options.onRtt(rttMs);
    }
    this.options.onMessage(message);
  }

  /**
   * Gives up the connection, as if it had been lost.
   * @param {string} why
   */
  fail(why) {
    const { socket } = this;
    this.#end(CLOSE_NO_ANSWER, why);
    socket.close(CLOSE_NO_ANSWER, why);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #end(code, reason) {
    if (this.#ended) return;
    this.#detach();
    this.options.onClose({ code, reason, opened: this.#opened });
  }

  #detach() {
    this.#ended = true;
    this.options.clock.clearTimeout(this.#timer);
    this.socket.onopen = null;
    this.socket.onmessage = null;
    this.socket.onclose = null;
    this.socket.onerror = () => {}; // `ws` throws on an error without a listener.
  }
}
