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
import { Connector } from './client/connector.js';
import { Deferred, Emitter, RNNTClientError } from './client/emitter.js';
import { LatencyWindow } from './client/latency.js';
import { withDefaults } from './client/options.js';
import { Recording, statsOf } from './client/recording.js';

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
  #connector;
  /** @type {Recording | null} */
  #recording = null;
  /** @type {Recording | null} Kept so that `stats` still tells about the recording that just ended. */
  #lastRecording = null;
  /** @type {Deferred<Message> | null} */
  #starting = null;
  /** @type {Deferred<RecordingResult> | null} */
  #stopping = null;
  /** @type {Deferred<Message>[]} */
  #configuring = [];
  /** @type {Deferred<void>[]} */
  #draining = [];
  /** @type {unknown} */
  #pumpTimer = null;
  #rttMs = new LatencyWindow(64);
  #reconnects = 0;

  /** @param {import('./client/types.js').ClientOptions} [options] */
  constructor(options = {}) {
    super();
    this.options = withDefaults(options);
    this.#connector = new Connector(this.options, {
      inUse: () => this.recording,
      onState: (change) => this.emit('state', change),
      onTraffic: (direction, message) => this.emit('message', { direction, message }),
      onRtt: (ms) => {
        this.#rttMs.add(ms);
        this.emit('latency', { rttMs: ms });
      },
      onGreeting: (message, lost) => this.#onGreeting(message, lost),
      onResumed: (message) => this.#onResumed(message),
      onMessage: (message) => this.#onMessage(message),
      onError: (error) => this.#onError(error),
      onDown: () => this.#stopPump(),
      onEnd: (reason) => {
        this.#stopPump();
        this.#failRecording(new RNNTClientError(reason, { result: this.#recording?.result() }));
      },
    });
  }

  get state() {
    return this.#connector.state;
  }

  get sessionId() {
    return this.#connector.session?.id ?? null;
  }

  get recording() {
    return this.#recording !== null;
  }

  /** @returns {import('./client/types.js').ClientStats} */
  get stats() {
    return {
      ...statsOf(this.#recording ?? this.#lastRecording),
      rttMs: this.#rttMs.summary(),
      reconnects: this.#reconnects,
    };
  }

  /**
   * Resolves once the server has greeted us. A refusal is retried like a lost connection (watch `state`);
   * rejects with an RNNTClientError when the reason is final or the attempts are used up.
   * @returns {Promise<void>}
   */
  connect() {
    return this.#connector.connect();
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
    const resumable = this.#connector.session?.token !== null;
    const limits = { maxQueueSeconds, maxBacklogSeconds, vad, clock, resumable };
    this.#recording = new Recording(
      { sample_rate: 16_000, encoding: 'pcm16', channels: 1, ...config },
      limits,
    );
    this.#lastRecording = this.#recording;
    this.#starting = new Deferred();
    const { promise } = this.#starting;
    if (this.#connector.ready) this.#beginRecording();
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
    const { outgoing } = recording;
    const seconds = outgoing.push(audio, this.#connector.ready);
    if (seconds > 0) this.emit('dropped', { seconds, totalSeconds: outgoing.droppedFrames / outgoing.rate });
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
    this.#recording?.outgoing.mark({ type: 'finalize' }, this.#connector.ready);
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
    this.#connector.link?.sendMessage({ type: 'configure', ...settings });
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
      recording.outgoing.mark({ type: 'stop_recording' }, this.#connector.ready);
      recording.stopping = true;
      this.#pump();
    }
    return this.#stopping.promise;
  }

  /** Ends the connection; a running recording is given up. */
  close() {
    this.#connector.end({ code: 'CLOSED', text: 'Closed by the application.', retryable: false });
  }

  /** Skips the rest of a wait before the next attempt, for example when the network is back. */
  retryNow() {
    this.#connector.retryNow();
  }

  // ---- messages -----------------------------------------------------------------------------------------

  /**
   * @param {Message} message
   * @param {boolean} lost
   */
  #onGreeting(message, lost) {
    this.emit('connection', /** @type {import('./client/types.js').ClientEvents['connection']} */ (message));
    if (lost) this.#reconnects += 1;
    const recording = this.#recording;
    if (recording && lost) recording.restart();
    if (recording) this.#beginRecording();
    this.#connector.setState(lost && recording ? 'resumed' : 'live', lost ? { fresh: true } : {});
    this.#pump();
  }

  /** @param {Message} message */
  #onResumed(message) {
    this.#reconnects += 1;
    const recording = this.#recording;
    if (recording) {
      const started = message.state === 'recording';
      if (recording.resume(started, Number(message.received_samples))) this.#beginRecording();
      this.#heartbeat(true);
    }
    this.#connector.setState('resumed', { fresh: false });
    if (!recording) this.#connector.setState('live');
    this.#pump();
  }

  /** @param {Message} message */
  #onMessage(message) {
    switch (message.type) {
      case 'recording_started':
        if (this.#recording) this.#recording.confirmed = true;
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
      case 'recording_stopped':
        if (this.#recording) this.#stopping?.resolve(this.#recording.result());
        this.#stopping = null;
        this.#recording = null;
        this.#heartbeat(false);
        break;
      default:
        for (const [type, detail] of this.#recording?.results.receive(message) ?? []) this.emit(type, detail);
    }
    this.#releaseDrained();
  }

  /** @param {RNNTClientError} error */
  #onError(error) {
    const { code, message, retryable, detail } = error;
    this.emit('error', { code, text: message, retryable, ...(detail === undefined ? {} : { detail }) });
    if (this.#configuring.length > 0) this.#configuring.shift()?.reject(error);
    else if (this.#starting && this.#connector.ready) this.#failRecording(error);
  }

  #beginRecording() {
    if (!this.#recording) return;
    this.#recording.outgoing.log.resumable = this.#connector.session?.token !== null;
    this.#heartbeat(true);
    this.#connector.link?.sendMessage(this.#recording.startMessage);
    this.#pump();
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
    this.#heartbeat(false);
  }

  /** @param {boolean} on */
  #heartbeat(on) {
    if (this.#connector.link) this.#connector.link.heartbeat = on;
  }

  // ---- sending ------------------------------------------------------------------------------------------

  #pump() {
    const { link, ready } = this.#connector;
    const recording = this.#recording;
    if (!recording || !link || !ready || this.#pumpTimer !== null) return;
    if (recording.outgoing.pump(link)) {
      if (this.state === 'resumed') this.#connector.setState('live');
    } else {
      this.#pumpTimer = this.options.clock.setTimeout(() => {
        this.#pumpTimer = null;
        this.#pump();
      }, PUMP_INTERVAL_MS);
    }
    this.#releaseDrained();
  }

  #stopPump() {
    this.options.clock.clearTimeout(this.#pumpTimer);
    this.#pumpTimer = null;
  }

  #roomy() {
    const recording = this.#recording;
    if (!recording) return true;
    const { unsentFrames, unacknowledgedFrames } = recording.outgoing.log;
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
