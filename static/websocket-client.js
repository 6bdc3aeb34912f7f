/**
 * The client library of rnnt-server, for browsers and Node alike, without dependencies (Node before 22 needs
 * the npm package `ws`, which has the WebSocket that Node lacked).
 *
 *     const client = new RNNTClient({ url: 'ws://localhost:8000/ws/transcribe' });
 *     client.on('partial', ({ text }) => …);
 *     client.on('transcription', ({ text, words }) => …);
 *     await client.start({ sample_rate: 16000 });
 *     client.send(samples);               // Int16Array, Float32Array or bytes, of any length
 *     const { transcript } = await client.stop();
 *     client.close();
 *
 * What happens to a connection in between is the client's business: it reconnects with exponential backoff
 * and full jitter, resumes the session by its token and the server's sample position, keeps audio while the
 * network is away, drops what it has seen already, and keeps one timeline, the application's, over all of it.
 * docs/DEVELOPER_GUIDE.md explains the guarantees; client/types.js has every option and event.
 */
import { Backoff } from './client/backoff.js';
import { Deferred, Emitter, RNNTClientError } from './client/emitter.js';
import { closeReason, refusalReason, webSocketUrl } from './client/endpoint.js';
import { LatencyWindow } from './client/latency.js';
import { Link } from './client/link.js';
import { socketConstructor, withDefaults } from './client/options.js';
import { Recording } from './client/recording.js';

export { RNNTClientError } from './client/emitter.js';

/**
 * @typedef {import('./client/types.js').RecordingOptions} RecordingOptions
 * @typedef {import('./client/types.js').RecordingResult} RecordingResult
 * @typedef {import('./client/types.js').Reason} Reason
 * @typedef {Record<string, unknown>} Message
 */

/** While the socket is full, how often to look whether it has room again. */
const PUMP_INTERVAL_MS = 20;
/** `sendAll` hands audio over in pieces of this length. */
const PIECE_SECONDS = 0.1;
/** `drain()` waits until less than this is waiting to be sent. */
const DRAINED_SECONDS = 1;

export class RNNTClient extends Emitter {
  /** @type {import('./client/types.js').ClientState} */
  #state = 'idle';
  /** @type {Link | null} */
  #link = null;
  /** The handshake of the present link is done. */
  #ready = false;
  /** @type {{ id: string, token: string | null, lastSeq: number } | null} */
  #session = null;
  /** @type {Recording | null} */
  #recording = null;
  /** @type {Deferred<void> | null} */
  #connecting = null;
  /** @type {Deferred<Message> | null} */
  #starting = null;
  /** @type {Deferred<RecordingResult> | null} */
  #stopping = null;
  /** @type {Deferred<Message>[]} */
  #configuring = [];
  /** @type {Deferred<void>[]} */
  #draining = [];
  /** @type {unknown} */
  #retryTimer = null;
  /** @type {unknown} */
  #pumpTimer = null;
  /** @type {Reason | null} The last error that the server named; a close that follows is explained by it. */
  #lastError = null;
  #rttMs = new LatencyWindow(64);
  #reconnects = 0;
  /** Goes up when an attempt is given up, so that its late results are ignored. */
  #generation = 0;

  /** @param {import('./client/types.js').ClientOptions} [options] */
  constructor(options = {}) {
    super();
    this.options = withDefaults(options);
    const { baseMs, maxMs, maxAttempts } = this.options.reconnect;
    this.backoff = new Backoff({ baseMs, maxMs, maxAttempts, random: this.options.random });
  }

  get state() {
    return this.#state;
  }

  get sessionId() {
    return this.#session?.id ?? null;
  }

  get recording() {
    return this.#recording !== null;
  }

  /** @returns {import('./client/types.js').ClientStats} */
  get stats() {
    const rec = this.#recording ?? this.#lastRecording;
    const rate = rec?.rate ?? 1;
    return {
      chunkMs: (rec?.chunkMs ?? new LatencyWindow()).summary(),
      wordMs: (rec?.wordMs ?? new LatencyWindow()).summary(),
      rttMs: this.#rttMs.summary(),
      queuedSeconds: (rec?.log.unsentFrames ?? 0) / rate,
      unacknowledgedSeconds: (rec?.log.unacknowledgedFrames ?? 0) / rate,
      droppedSeconds: (rec?.droppedFrames ?? 0) / rate,
      skippedSeconds: (rec?.skippedFrames ?? 0) / rate,
      reconnects: this.#reconnects,
      lag: rec?.lag ?? 0,
      droppedPartials: rec?.droppedPartials ?? 0,
    };
  }

  /** @type {Recording | null} Kept so that `stats` still tells about the recording that just ended. */
  #lastRecording = null;

  /**
   * Resolves once the server has greeted us. A refusal is retried like a lost connection (watch `state`);
   * rejects with an RNNTClientError when the reason is final or the attempts are used up.
   * @returns {Promise<void>}
   */
  connect() {
    if (this.#ready) return Promise.resolve();
    if (!this.#connecting) {
      this.#connecting = new Deferred();
      this.backoff.reset();
      this.#open('connecting');
    }
    return this.#connecting.promise;
  }

  /**
   * Starts a recording, connecting first where needed. Audio may be sent without waiting for the answer.
   * @param {RecordingOptions} [config] Unknown fields are passed on.
   * @returns {Promise<Message>} The effective configuration.
   */
  async start(config = {}) {
    if (this.#recording) {
      throw new RNNTClientError({ code: 'ALREADY_RECORDING', text: 'Stop first.', retryable: false });
    }
    const { maxQueueSeconds, maxBacklogSeconds, vad, clock } = this.options;
    const resumable = this.#session ? this.#session.token !== null : true;
    const limits = { maxQueueSeconds, maxBacklogSeconds, vad, clock, resumable };
    this.#recording = new Recording(
      { sample_rate: 16_000, encoding: 'pcm16', channels: 1, ...config },
      limits,
    );
    this.#lastRecording = this.#recording;
    this.#starting = new Deferred();
    const { promise } = this.#starting;
    if (this.#ready) this.#beginRecording();
    else this.connect().catch((error) => this.#failRecording(error));
    return promise;
  }

  /**
   * @param {ArrayBuffer | ArrayBufferView} audio Int16Array and Float32Array are converted to the encoding of
   *   the recording; bytes are passed on as they are. Any length; it leaves in chunks of 100 ms.
   */
  send(audio) {
    const recording = this.#recording;
    if (!recording || recording.stopping) return;
    const seconds = recording.push(audio, this.#ready);
    if (seconds > 0)
      this.emit('dropped', { seconds, totalSeconds: recording.droppedFrames / recording.rate });
    this.#pump();
  }

  /**
   * Sends a long piece of audio no faster than the server takes it.
   * @param {Int16Array | Float32Array} samples
   * @param {{ speed?: number, signal?: AbortSignal, onProgress?: (fraction: number) => void }} [options]
   *   `speed` 1 is real time; by default as fast as the server takes it.
   */
  async sendAll(samples, { speed = Number.POSITIVE_INFINITY, signal, onProgress } = {}) {
    const recording = this.#recording;
    if (!recording) return;
    const { clock } = this.options;
    const piece = Math.round(recording.rate * PIECE_SECONDS) * (recording.config.channels ?? 1);
    const startedMs = clock.now();
    for (let at = 0, n = 1; at < samples.length; at += piece, n += 1) {
      if (signal?.aborted || this.#recording !== recording || recording.stopping) return;
      const dueMs = Number.isFinite(speed) ? startedMs + (n * PIECE_SECONDS * 1_000) / speed : 0;
      const waitMs = dueMs - clock.now();
      if (waitMs > 0) await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), waitMs));
      this.send(samples.subarray(at, at + piece));
      onProgress?.(Math.min(1, (at + piece) / samples.length));
      if (!Number.isFinite(speed)) await this.drain();
    }
  }

  /** Resolves when there is room for more: less than a second waits to be sent. */
  async drain() {
    if (this.#roomy()) return;
    const waiter = /** @type {Deferred<void>} */ (new Deferred());
    this.#draining.push(waiter);
    await waiter.promise;
  }

  /** Closes the current segment now, after all audio that was sent so far; it comes as a `transcription`. */
  finalize() {
    this.#recording?.mark({ type: 'finalize' }, this.#ready);
    this.#pump();
  }

  /**
   * Changes settings of the running recording, from the next chunk on.
   * @param {RecordingOptions} settings
   * @returns {Promise<Message>} The configuration in force.
   */
  async configure(settings) {
    if (this.#recording) this.#recording.config = { ...this.#recording.config, ...settings };
    await this.connect();
    const waiter = /** @type {Deferred<Message>} */ (new Deferred());
    this.#configuring.push(waiter);
    this.#link?.sendMessage({ type: 'configure', ...settings });
    return waiter.promise;
  }

  /**
   * Ends the recording after everything queued was heard, also over a reconnection.
   * @returns {Promise<RecordingResult>} Rejects with an RNNTClientError that carries `result` where the
   *   connection could not be had again.
   */
  stop() {
    const recording = this.#recording;
    if (!recording) {
      const reason = { code: 'NOT_RECORDING', text: 'No recording is running.', retryable: false };
      return Promise.reject(new RNNTClientError(reason));
    }
    if (!this.#stopping) {
      this.#stopping = new Deferred();
      recording.mark({ type: 'stop_recording' }, this.#ready);
      recording.stopping = true;
      this.#pump();
    }
    return this.#stopping.promise;
  }

  /** Ends the connection; a running recording is given up. */
  close() {
    this.#finish({ code: 'CLOSED', text: 'Closed by the application.', retryable: false });
  }

  // ---- connecting ---------------------------------------------------------------------------------------

  /** @param {'connecting' | 'reconnecting'} state */
  async #open(state) {
    this.#generation += 1;
    const generation = this.#generation;
    this.#setState(state, this.backoff.attempt > 0 ? { attempt: this.backoff.attempt } : {});
    const { url, clientId, params, clock, pingIntervalMs, connectTimeoutMs } = this.options;
    const session = this.#session;
    const resume = session?.token ? { resume: session.token, last_seq: String(session.lastSeq) } : {};
    try {
      const address = webSocketUrl(url, { ...params, client_id: clientId, ...resume });
      const Socket = await socketConstructor(this.options.WebSocket);
      if (generation !== this.#generation) return;
      this.#link = new Link(new Socket(address), {
        clock,
        pingIntervalMs,
        connectTimeoutMs,
        onMessage: (message) => this.#onMessage(message),
        onSend: (message) => this.emit('message', { direction: 'out', message }),
        onRtt: (ms) => {
          this.#rttMs.add(ms);
          this.emit('latency', { rttMs: ms });
        },
        onClose: (end) => this.#onClose(address, end),
      });
    } catch (error) {
      // A malformed address or no WebSocket at all: trying again cannot help.
      const text = error instanceof Error ? error.message : String(error);
      if (generation === this.#generation) this.#finish({ code: 'UNREACHABLE', text, retryable: false });
    }
  }

  /**
   * @param {string} address
   * @param {{ code: number, reason: string, opened: boolean }} end
   */
  async #onClose(address, { code, reason, opened }) {
    const generation = this.#generation;
    this.#link = null;
    this.#ready = false;
    this.options.clock.clearTimeout(this.#pumpTimer);
    this.#pumpTimer = null;
    let why = this.#lastError ?? closeReason(code, reason);
    if (!opened) why = await refusalReason(address, this.options.fetch);
    else if (code === 1013) why = { ...why, retryable: true };
    if (generation !== this.#generation) return;
    this.#lastError = null;
    const idle = code === 4408 && !this.#recording;
    if (!why.retryable || idle || !this.options.reconnect.enabled || this.backoff.exhausted) {
      if (!opened || !why.retryable) this.#setState('refused', { reason: why });
      this.#finish(why);
      return;
    }
    const retryInMs = this.backoff.next(why.retryAfterMs);
    const refused = !opened && why.code !== 'UNREACHABLE' && why.code !== 'CONNECTION_LOST';
    const { attempt } = this.backoff;
    this.#setState(refused ? 'refused' : 'reconnecting', { reason: why, attempt, retryInMs });
    const next = this.#session ? 'reconnecting' : 'connecting';
    this.#retryTimer = this.options.clock.setTimeout(() => this.#open(next), retryInMs);
  }

  /** Skips the rest of a wait, for example when the browser says that the network is back. */
  retryNow() {
    if (this.#retryTimer === null || this.#link) return;
    this.options.clock.clearTimeout(this.#retryTimer);
    this.#open(this.#session ? 'reconnecting' : 'connecting');
  }

  /** @param {Reason} reason */
  #finish(reason) {
    if (this.#state === 'closed') return;
    this.#generation += 1;
    this.options.clock.clearTimeout(this.#retryTimer);
    this.options.clock.clearTimeout(this.#pumpTimer);
    this.#retryTimer = null;
    this.#pumpTimer = null;
    this.#link?.close();
    this.#link = null;
    this.#ready = false;
    this.#session = null;
    this.#setState('closed', { reason });
    const error = new RNNTClientError(reason, this.#recording?.result());
    this.#connecting?.reject(error);
    this.#connecting = null;
    this.#failRecording(error);
  }

  /** @param {Error} error */
  #failRecording(error) {
    this.#recording = null;
    this.#starting?.reject(error);
    this.#stopping?.reject(error);
    for (const waiter of this.#configuring.splice(0)) waiter.reject(error);
    for (const waiter of this.#draining.splice(0)) waiter.resolve();
    this.#starting = null;
    this.#stopping = null;
    if (this.#link) this.#link.heartbeat = false;
  }

  /**
   * @param {import('./client/types.js').ClientState} state
   * @param {Omit<import('./client/types.js').StateChange, 'state' | 'previous'>} [detail]
   */
  #setState(state, detail = {}) {
    const previous = this.#state;
    if (previous === state && Object.keys(detail).length === 0) return;
    this.#state = state;
    this.emit('state', { state, previous, ...detail });
  }

  // ---- messages -----------------------------------------------------------------------------------------

  /** @param {Message} message */
  #onMessage(message) {
    this.emit('message', { direction: 'in', message });
    if (message.type === 'connection') return this.#onGreeting(message);
    if (message.type === 'resumed') return this.#onResumed(message);
    if (message.type === 'error') return this.#onError(message);
    if (this.#seenBefore(message)) return undefined;
    const recording = this.#recording;
    switch (message.type) {
      case 'recording_started':
        if (recording) recording.confirmed = true;
        this.#starting?.resolve(/** @type {Message} */ (message.config ?? {}));
        this.#starting = null;
        break;
      case 'configured':
        this.#configuring.shift()?.resolve(/** @type {Message} */ (message.config ?? {}));
        break;
      case 'warning': {
        const detail = typeof message.detail === 'string' ? { detail: message.detail } : {};
        this.emit('warning', { code: String(message.code), text: String(message.warning), ...detail });
        break;
      }
      default:
        if (recording) this.#onRecordingMessage(recording, message);
    }
    return undefined;
  }

  /**
   * @param {Recording} recording
   * @param {Message} message
   */
  #onRecordingMessage(recording, message) {
    switch (message.type) {
      case 'ack':
        recording.log.acknowledge(Number(message.received_samples));
        this.#releaseDrained();
        break;
      case 'partial': {
        const { partial, latency } = recording.partial(message);
        this.emit('partial', partial);
        if (Object.keys(latency).length > 0) this.emit('latency', latency);
        break;
      }
      case 'transcription': {
        const { segment, latency } = recording.segment(message);
        this.emit('transcription', segment);
        if (Object.keys(latency).length > 0) this.emit('latency', latency);
        break;
      }
      case 'speech_started':
      case 'speech_ended':
        this.emit(message.type, { audio_time: recording.appTime(Number(message.audio_time)) });
        break;
      case 'metrics':
        recording.lag = Number(message.lag);
        recording.droppedPartials = Number(message.dropped_partials);
        this.emit('metrics', /** @type {import('./client/types.js').ServerMetrics} */ (message));
        break;
      case 'recording_stopped':
        this.#stopping?.resolve(recording.result());
        this.#stopping = null;
        this.#recording = null;
        if (this.#link) this.#link.heartbeat = false;
        this.#releaseDrained();
        break;
      default: // A later protocol's message: ours to ignore.
    }
  }

  /**
   * @param {Message} message
   * @returns {boolean} True for what was replayed although it had arrived.
   */
  #seenBefore(message) {
    const session = this.#session;
    if (!session || typeof message.seq !== 'number') return false;
    if (message.seq <= session.lastSeq) return true;
    session.lastSeq = message.seq;
    return false;
  }

  /** @param {Message} message */
  #onGreeting(message) {
    const id = String(message.session_id ?? message.client_id ?? '');
    const greeting = /** @type {import('./client/types.js').ClientEvents['connection']} */ (message);
    if (this.#session?.id === id && this.#session.token !== null) {
      // The same session greets again; `resumed` follows. It may have changed the token.
      if (typeof message.resume_token === 'string') this.#session.token = message.resume_token;
      this.emit('connection', greeting);
      return;
    }
    const lost = this.#session !== null;
    const token = typeof message.resume_token === 'string' ? message.resume_token : null;
    this.#session = { id, token, lastSeq: typeof message.seq === 'number' ? message.seq : 0 };
    this.#lastError = null;
    const recording = this.#recording;
    if (recording) {
      recording.log.resumable = token !== null;
      if (lost) recording.restart();
    }
    this.#established();
    this.emit('connection', greeting);
    if (recording) this.#beginRecording();
    if (lost) this.#reconnects += 1;
    this.#setState(lost && recording ? 'resumed' : 'live', lost ? { fresh: true } : {});
    this.#pump();
  }

  /** @param {Message} message */
  #onResumed(message) {
    this.#lastError = null;
    this.#reconnects += 1;
    this.#established();
    const recording = this.#recording;
    if (recording) {
      const started = message.state === 'recording';
      recording.log.rewind(started || recording.confirmed ? Number(message.received_samples) : 0);
      if (!started && !recording.confirmed) this.#beginRecording();
      // Idle although it had started: our stop arrived, and its answer is among the replayed messages.
      else if (!started) recording.log.skipAll();
      if (this.#link) this.#link.heartbeat = true;
    }
    this.#setState('resumed', { fresh: false });
    this.#pump();
  }

  #established() {
    this.#ready = true;
    this.backoff.reset();
    this.#link?.established();
    this.#connecting?.resolve();
    this.#connecting = null;
  }

  #beginRecording() {
    if (!this.#recording || !this.#link) return;
    this.#recording.log.resumable = this.#session?.token !== null;
    this.#link.heartbeat = true;
    this.#link.sendMessage(this.#recording.startMessage);
    this.#pump();
  }

  /** @param {Message} message */
  #onError(message) {
    // The answer to a stale token; a greeting for the fresh session follows.
    if (message.code === 'RESUME_EXPIRED') return;
    if (this.#ready && this.#seenBefore(message)) return;
    const reason = {
      code: String(message.code ?? 'INTERNAL'),
      text: String(message.error ?? 'The server reported an error.'),
      retryable: message.retryable === true,
    };
    this.#lastError = reason;
    const detail = typeof message.detail === 'string' ? { detail: message.detail } : {};
    this.emit('error', { ...reason, ...detail });
    const error = new RNNTClientError(reason, this.#recording?.result());
    if (this.#configuring.length > 0) this.#configuring.shift()?.reject(error);
    else if (this.#starting && this.#ready) this.#failRecording(error);
  }

  // ---- sending ------------------------------------------------------------------------------------------

  #pump() {
    const recording = this.#recording;
    if (!recording || !this.#link || !this.#ready || this.#pumpTimer !== null) return;
    if (recording.pump(this.#link)) {
      if (this.#state === 'resumed') this.#setState('live');
    } else {
      this.#pumpTimer = this.options.clock.setTimeout(() => {
        this.#pumpTimer = null;
        this.#pump();
      }, PUMP_INTERVAL_MS);
    }
    this.#releaseDrained();
  }

  #roomy() {
    const recording = this.#recording;
    if (!recording) return true;
    const { unsentFrames, unacknowledgedFrames } = recording.log;
    return (
      unsentFrames < DRAINED_SECONDS * recording.rate &&
      unacknowledgedFrames < (this.options.maxBacklogSeconds / 2) * recording.rate
    );
  }

  #releaseDrained() {
    if (!this.#roomy()) return;
    for (const waiter of this.#draining.splice(0)) waiter.resolve();
  }
}
