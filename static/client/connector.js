import { Backoff } from './backoff.js';
import { Deferred, RNNTClientError } from './emitter.js';
import { closeReason, refusalReason, webSocketUrl } from './endpoint.js';
import { Link } from './link.js';
import { socketConstructor } from './options.js';
import { Seen } from './seen.js';

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
 * @property {() => number} keptFrom The first sample of the running recording that can be sent again, at 16 kHz.
 * @property {() => boolean} progressed Whether more of the recording is safe than at the last question.
 */

/** Idle timeout: the server closes a connection that records nothing. Reconnecting would only repeat it. */
const CLOSE_IDLE = 4408;
const CLOSE_TRY_LATER = 1013;
/** A server that is about to stop; with a resume token: "move to another one now". */
const CLOSE_GOING_AWAY = 1001;
/** Time limit for asking a server why it refused a connection. */
const REFUSAL_TIMEOUT_MS = 3_000;
/** A connection that lasted this long resets the backoff; after a shorter one the waits keep growing. */
const STABLE_MS = 5_000;
const CLOSED_BY_NOBODY = 1006;
const NO_REFUSALS = new Set(['UNREACHABLE', 'CONNECTION_LOST', 'TIMEOUT']);

/** Keeps a session alive across connections: attempts, refusals, waits, sequence numbers. */
export class Connector {
  /** @type {import('./types.js').ClientState} */
  state = 'idle';
  /** @type {Link | null} */
  link = null;
  /** The handshake of the present link is done. */
  ready = false;
  /** @type {{ id: string, token: string | null, seen: Seen } | null} */
  session = null;
  /** @type {Deferred<void> | null} */
  #connecting = null;
  /** An attempt is in progress or scheduled. */
  #busy = false;
  /** @type {unknown} */
  #retryTimer = null;
  /** @type {Reason | null} The last error that the server named; a close that follows is explained by it. */
  #lastError = null;
  #establishedAtMs = 0;
  /** Incremented when an attempt is abandoned, so that its late results are ignored. */
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
    this.#connecting ??= new Deferred();
    const { promise } = this.#connecting;
    if (!this.#busy) {
      this.backoff.reset();
      this.#open('connecting');
    }
    return promise;
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
    this.#busy = false;
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
    this.#busy = true;
    const generation = this.#generation;
    const { attempt } = this.backoff;
    this.setState(state, attempt > 0 ? { attempt } : {});
    const { url, clientId, params, clock, pingIntervalMs, connectTimeoutMs } = this.options;
    const { session } = this;
    const from = String(this.events.keptFrom());
    const resume = session?.token ? { resume: session.token, ...session.seen.query, from } : {};
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
    const { clock, fetch, reconnect } = this.options;
    const greeted = this.ready;
    this.link = null;
    this.ready = false;
    this.events.onDown();
    const named = code === CLOSED_BY_NOBODY && greeted ? null : this.#lastError;
    if (named && greeted) this.session?.seen.uncountError();
    this.#lastError = null;
    const stable = greeted && clock.now() - this.#establishedAtMs >= STABLE_MS;
    if (stable) this.backoff.reset();
    else if (greeted && this.events.progressed()) this.backoff.ease();
    const why = opened
      ? (named ?? closeReason(code, reason))
      : await refusalReason(address, fetch, { clock, timeoutMs: REFUSAL_TIMEOUT_MS });
    if (generation !== this.#generation) return;
    const retryable = why.retryable || code === CLOSE_TRY_LATER;
    const idle = code === CLOSE_IDLE && !this.events.inUse();
    if (!retryable || idle || !reconnect.enabled || this.backoff.exhausted(clock.now())) {
      if (!opened || !retryable) this.setState('refused', { reason: why });
      this.end(why);
      return;
    }
    // A session that can be resumed goes on at another server: there is nothing to wait for.
    const movable = why.code === 'DRAINING' && this.session?.token;
    const waitMs = this.backoff.next(movable ? 0 : why.retryAfterMs);
    const moving = code === CLOSE_GOING_AWAY && stable && this.session?.token;
    const retryInMs = moving ? 0 : waitMs;
    const refused = !greeted && !NO_REFUSALS.has(why.code);
    const { attempt } = this.backoff;
    this.setState(refused ? 'refused' : 'reconnecting', { reason: why, attempt, retryInMs });
    this.#retryTimer = clock.setTimeout(() => this.#retry(), retryInMs);
  }

  /** @param {Message} message */
  #onMessage(message) {
    this.events.onTraffic('in', message);
    if (message.type === 'connection') return this.#onGreeting(message);
    if (message.type === 'resumed') {
      this.#renewToken(message);
      this.#established();
      return this.events.onResumed(message);
    }
    // The answer to a stale token; a greeting for the fresh session follows.
    if (message.type === 'error' && message.code === 'RESUME_EXPIRED') return undefined;
    if (this.ready && this.session?.seen.take(message) === false) return undefined;
    if (message.type !== 'error') {
      this.#lastError = null;
      return this.events.onMessage(message);
    }
    this.#lastError = {
      code: String(message.code ?? 'INTERNAL'),
      text: String(message.error ?? 'The server reported an error.'),
      retryable: message.retryable === true,
    };
    // Before the greeting it is a refusal: the state says it, when the close has come.
    if (!this.ready) return undefined;
    return this.events.onError(new RNNTClientError(this.#lastError, { detail: message.detail }));
  }

  /** @param {Message} message */
  #onGreeting(message) {
    const id = String(message.session_id ?? message.client_id ?? '');
    if (this.session?.id === id && this.session.token !== null) {
      this.#renewToken(message);
      return; // The same session greets again; `resumed` follows.
    }
    const lost = this.session !== null;
    this.session = { id, token: null, seen: new Seen(typeof message.seq === 'number' ? message.seq : 0) };
    this.#renewToken(message);
    this.#established();
    this.events.onGreeting(message, lost);
  }

  /**
   * A token is good for one resumption: the server gives the next one with its answer.
   * @param {Message} message
   */
  #renewToken({ resume_token: token }) {
    if (this.session && typeof token === 'string') this.session.token = token;
  }

  #established() {
    this.ready = true;
    this.#lastError = null;
    this.#establishedAtMs = this.options.clock.now();
    this.link?.established();
    this.#connecting?.resolve();
    this.#connecting = null;
  }
}
