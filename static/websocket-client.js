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
 * Every promise settles in bounded time. docs/DEVELOPER_GUIDE.md explains the guarantees; client/types.js has
 * every option and event.
 */
import { Connector } from './client/connector.js';
import { Emitter } from './client/emitter.js';
import { feed } from './client/feed.js';
import { LatencyWindow } from './client/latency.js';
import { withDefaults } from './client/options.js';
import { REASONS } from './client/reasons.js';
import { statsOf } from './client/recording.js';
import { Runner } from './client/runner.js';

export { RNNTClientError } from './client/emitter.js';
export { Marks } from './client/marks.js';
export { WordLatency } from './client/word-latency.js';

/**
 * @typedef {import('./client/types.js').RecordingOptions} RecordingOptions
 * @typedef {import('./client/types.js').RecordingResult} RecordingResult
 * @typedef {import('./client/types.js').ClientEvents} ClientEvents
 * @typedef {Record<string, unknown>} Message
 */

export class RNNTClient extends Emitter {
  #connector;
  #runner;
  #rttMs = new LatencyWindow(64);

  /** @param {import('./client/types.js').ClientOptions} [options] */
  constructor(options = {}) {
    super();
    this.options = withDefaults(options);
    this.#connector = new Connector(this.options, {
      inUse: () => this.recording,
      keptFrom: () => this.#runner.recording?.outgoing.keptSamples ?? 0,
      progressed: () => this.#runner.recording?.outgoing.log.progressed() ?? false,
      onState: (change) => this.emit('state', change),
      onTraffic: (direction, message) => this.emit('message', { direction, message }),
      onRtt: (ms) => {
        this.#rttMs.add(ms);
        this.emit('latency', { rttMs: ms });
      },
      onGreeting: (message, lost) => {
        this.emit('connection', /** @type {ClientEvents['connection']} */ (message));
        this.#runner.onGreeting(lost);
      },
      onResumed: (message) => this.#runner.onResumed(message),
      onMessage: (message) => this.#runner.onMessage(message),
      onError: (error) => this.#runner.onError(error),
      onDown: () => this.#runner.onDown(),
      onEnd: (reason) => this.#runner.onEnd(reason),
    });
    this.#runner = new Runner(this.options, this.#connector, (type, detail) => this.emit(type, detail));
  }

  get state() {
    return this.#connector.state;
  }

  get sessionId() {
    return this.#connector.session?.id ?? null;
  }

  /** From `start()` to the end of `stop()`, whatever the connection does meanwhile. */
  get recording() {
    return this.#runner.recording !== null;
  }

  /** @returns {import('./client/types.js').ClientStats} Of the running or the newest recording. */
  get stats() {
    return {
      ...statsOf(this.#runner.latest),
      rttMs: this.#rttMs.summary(),
      reconnects: this.#runner.reconnects,
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
   * Starts a recording, connecting first where needed. Audio may be handed over without waiting for the answer;
   * it is kept until the server has one. A start for which the server has no room is tried again.
   * @param {RecordingOptions} [config] Unknown fields are passed on.
   * @returns {Promise<Message>} The effective configuration.
   */
  async start(config = {}) {
    return this.#runner.start(config);
  }

  /**
   * @param {ArrayBuffer | ArrayBufferView} audio Int16Array and Float32Array are converted to the encoding of
   *   the recording; bytes are passed on as they are. Any length; it leaves in chunks of 100 ms.
   */
  send(audio) {
    this.#runner.send(audio);
  }

  /**
   * Sends a long piece of audio no faster than the server takes it.
   * @param {Int16Array | Float32Array} samples
   * @param {{ speed?: number, signal?: AbortSignal, onProgress?: (fraction: number) => void }} [options]
   *   `speed` 1 is real time; by default as fast as the server takes it.
   */
  async sendAll(samples, options = {}) {
    await feed(this.#runner, samples, options);
  }

  /** Resolves when there is room for more: less than a second waits to be sent. */
  async drain() {
    await this.#runner.pump.drain();
  }

  /** Closes the current segment now, after all audio that was sent so far; it comes as a `transcription`. */
  finalize() {
    this.#runner.finalize();
  }

  /**
   * Changes settings of the running recording, after all audio that was sent so far.
   * @param {RecordingOptions} settings
   * @returns {Promise<Message>} The configuration in force.
   */
  async configure(settings) {
    return this.#runner.configure(settings);
  }

  /**
   * Ends the recording after everything queued was heard, also over a reconnection.
   * @returns {Promise<RecordingResult>} Rejects with an RNNTClientError that carries `result` where the
   *   connection could not be had again, or the server does not answer.
   */
  stop() {
    return this.#runner.stop();
  }

  /** Ends the connection; a running recording is given up. */
  close() {
    this.#connector.end(REASONS.CLOSED);
  }

  /** Skips the rest of a wait before the next attempt, for example when the network is back. */
  retryNow() {
    this.#connector.retryNow();
    this.#runner.starter.retryNow();
  }
}
