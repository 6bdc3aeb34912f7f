import { Backoff } from './backoff.js';
import { Deferred, RNNTClientError } from './emitter.js';
import { closeReason, refusalReason, webSocketUrl } from './endpoint.js';
import { Link } from './link.js';
import { socketConstructor } from './options.js';

/**
 * @typedef {import('./types.js').Reason} Reason
 * @typedef {import('./types.js').StateChange} StateChange
 * @typedef {Record<string, unknown>} Message
 *
 * @typedef {object} ConnectorEvents
 * @property {(change: StateChange) => void} onState
 * @property {(message: Message, lost: boolean) => void} onGreeting A session began; `lost`: in place of an
 *   earlier one that the server has forgotten.
 * @property {(message: Message) => void} onResumed The earlier session goes on.
 * @property {(message: Message) => void} onMessage Everything else, once each.
 * @property {(error: RNNTClientError) => void} onError
 * @property {() => void} onDown The connection is gone; another attempt may follow.
 * @property {(reason: Reason) => void} onEnd No further attempt follows.
 * @property {(direction: 'in' | 'out', message: Message) => void} onTraffic
 * @property {(ms: number) => void} onRtt
 * @property {() => boolean} inUse Whether a recording is running.
 */

/** Idle timeout: what the server does to a connection that records nothing. Connecting again would only repeat it. */
const CLOSE_IDLE = 4408;
const CLOSE_TRY_LATER = 1013;

/** Keeps a session alive over as many connections as it takes: attempts, refusals, waits, sequence numbers. */
export class Connector {
  /** @type {import('./types.js').ClientState} */
  state = 'idle';
  /** @type {Link | null} */
  link = null;
  /** The handshake of the present link is done. */
  ready = false;
  /** @type {{ id: string, token: string | null, lastSeq: number } | null} */
  session = null;
  /** @type {Deferred<void> | null} */
  #connecting = null;
  /** @type {unknown} */
  #retryTimer = null;
  /** @type {Reason | null} The last error that the server named; a close that follows is explained by it. */
  #lastError = null;
  /** Goes up when an attempt is given up, so that its late results are ignored. */
  #generation = 0;

  /**
   * @param {ReturnType<typeof import('./options.js').withDefaults>} options
   * @param {ConnectorEvents} events
   */
  constructor(options, events) {
    this.options = options;
    this.events = events;
    this.backoff = new Backoff({ ...options.reconnect, random: options.random });
  }

  /** @returns {Promise<void>} */
  connect() {
    if (this.ready) return Promise.resolve();
    if (!this.#connecting) {
      this.#connecting = new Deferred();
      this.backoff.reset();
      if (!this.link && this.#retryTimer === null) this.#open('connecting');
    }
    return this.#connecting.promise;
  }

  /** Skips the rest of a wait. */
  retryNow() {
    if (this.#retryTimer === null) return;
    this.options.clock.clearTimeout(this.#retryTimer);
    this.#retry();
  }

  /** @param {Reason} reason */
  end(reason) {
    if (this.state === 'closed') return;
    this.#generation += 1;
    this.options.clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.link?.close();
    this.link = null;
    this.ready = false;
    this.session = null;
    this.setState('closed', { reason });
    this.#connecting?.reject(new RNNTClientError(reason));
    this.#connecting = null;
    this.events.onEnd(reason);
  }

  /**
   * @param {import('./types.js').ClientState} state
   * @param {Omit<StateChange, 'state' | 'previous'>} [detail]
   */
  setState(state, detail = {}) {
    const previous = this.state;
    if (previous === state && Object.keys(detail).length === 0) return;
    this.state = state;
    this.events.onState({ state, previous, ...detail });
  }

  #retry() {
    this.#retryTimer = null;
    this.#open(this.session ? 'reconnecting' : 'connecting');
  }

  /** @param {'connecting' | 'reconnecting'} state */
  async #open(state) {
    this.#generation += 1;
    const generation = this.#generation;
    const { attempt } = this.backoff;
    this.setState(state, attempt > 0 ? { attempt } : {});
    const { url, clientId, params, clock, pingIntervalMs, connectTimeoutMs } = this.options;
    const { session } = this;
    const resume = session?.token ? { resume: session.token, last_seq: String(session.lastSeq) } : {};
    try {
      const address = webSocketUrl(url, { ...params, client_id: clientId, resumable: '1', ...resume });
      const Socket = await socketConstructor(this.options.WebSocket);
      if (generation !== this.#generation) return;
      this.link = new Link(new Socket(address), {
        clock,
        pingIntervalMs,
        connectTimeoutMs,
        onMessage: (message) => this.#onMessage(message),
        onSend: (message) => this.events.onTraffic('out', message),
        onRtt: this.events.onRtt,
        onClose: (end) => this.#onClose(address, end),
      });
    } catch (error) {
      // A malformed address or no WebSocket at all: trying again cannot help.
      const text = error instanceof Error ? error.message : String(error);
      if (generation === this.#generation) this.end({ code: 'UNREACHABLE', text, retryable: false });
    }
  }

  /**
   * @param {string} address
   * @param {{ code: number, reason: string, opened: boolean }} end
   */
  async #onClose(address, { code, reason, opened }) {
    const generation = this.#generation;
    this.link = null;
    this.ready = false;
    this.events.onDown();
    const named = this.#lastError;
    this.#lastError = null;
    const why = opened
      ? (named ?? closeReason(code, reason))
      : await refusalReason(address, this.options.fetch);
    if (generation !== this.#generation) return;
    const retryable = why.retryable || code === CLOSE_TRY_LATER;
    const idle = code === CLOSE_IDLE && !this.events.inUse();
    if (!retryable || idle || !this.options.reconnect.enabled || this.backoff.exhausted) {
      if (!opened || !retryable) this.setState('refused', { reason: why });
      this.end(why);
      return;
    }
    const retryInMs = this.backoff.next(why.retryAfterMs);
    const refused = !opened && why.code !== 'UNREACHABLE' && why.code !== 'CONNECTION_LOST';
    const { attempt } = this.backoff;
    this.setState(refused ? 'refused' : 'reconnecting', { reason: why, attempt, retryInMs });
    this.#retryTimer = this.options.clock.setTimeout(() => this.#retry(), retryInMs);
  }

  /** @param {Message} message */
  #onMessage(message) {
    this.events.onTraffic('in', message);
    if (message.type === 'connection') return this.#onGreeting(message);
    if (message.type === 'resumed') {
      this.#established();
      return this.events.onResumed(message);
    }
    // The answer to a stale token; a greeting for the fresh session follows.
    if (message.type === 'error' && message.code === 'RESUME_EXPIRED') return undefined;
    if (this.ready && this.#seenBefore(message)) return undefined;
    if (message.type !== 'error') return this.events.onMessage(message);
    this.#lastError = {
      code: String(message.code ?? 'INTERNAL'),
      text: String(message.error ?? 'The server reported an error.'),
      retryable: message.retryable === true,
    };
    return this.events.onError(new RNNTClientError(this.#lastError, { detail: message.detail }));
  }

  /**
   * @param {Message} message
   * @returns {boolean} True for what was replayed although it had arrived.
   */
  #seenBefore(message) {
    if (!this.session || typeof message.seq !== 'number') return false;
    if (message.seq <= this.session.lastSeq) return true;
    this.session.lastSeq = message.seq;
    return false;
  }

  /** @param {Message} message */
  #onGreeting(message) {
    const id = String(message.session_id ?? message.client_id ?? '');
    const token = typeof message.resume_token === 'string' ? message.resume_token : null;
    if (this.session?.id === id && this.session.token !== null) {
      // The same session greets again, perhaps with a new token; `resumed` follows.
      this.session.token = token ?? this.session.token;
      return;
    }
    const lost = this.session !== null;
    this.session = { id, token, lastSeq: typeof message.seq === 'number' ? message.seq : 0 };
    this.#established();
    this.events.onGreeting(message, lost);
  }

  #established() {
    this.ready = true;
    this.#lastError = null;
    this.backoff.reset();
    this.link?.established();
    this.#connecting?.resolve();
    this.#connecting = null;
  }
}
