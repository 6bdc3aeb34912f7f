import { Answers } from './answers.js';
import { Configuring } from './configuring.js';
import { Deferred, RNNTClientError } from './emitter.js';
import { Pump } from './pump.js';
import { Quiet } from './quiet.js';
import { REASONS } from './reasons.js';
import { Recording } from './recording.js';
import { Starter } from './starter.js';

/**
 * @typedef {import('./types.js').RecordingOptions} RecordingOptions
 * @typedef {import('./types.js').RecordingResult} RecordingResult
 * @typedef {import('./types.js').Reason} Reason
 * @typedef {Record<string, unknown>} Message
 */

/**
 * Keeps one recording running across connections, refusals and restarts: starts it, sends its audio, and makes sure
 * that every request is answered or fails in bounded time.
 */
export class Runner {
  /** @type {Recording | null} */
  recording = null;
  /** @type {Recording | null} The newest one, ended or not. */
  latest = null;
  reconnects = 0;
  /** @type {Deferred<RecordingResult> | null} */
  #stopping = null;

  /**
   * @param {ReturnType<typeof import('./options.js').withDefaults>} options
   * @param {import('./connector.js').Connector} connector
   * @param {import('./results.js').Emit} emit
   */
  constructor(options, connector, emit) {
    this.options = options;
    this.connector = connector;
    this.emit = emit;
    this.quiet = new Quiet(options, {
      onQuiet: () => this.finalize(),
      isBusy: () => !this.#online || this.pump.isHeld || !this.recording?.outgoing.log.drained,
    });
    this.starter = new Starter(options, connector, {
      message: () => {
        if (this.recording) this.recording.outgoing.log.resumable = connector.session?.token !== null;
        return this.recording?.startMessage ?? {};
      },
      isHeld: () => this.configuring.holds,
      onSent: () => this.answers.watch(),
    });
    this.configuring = new Configuring(options, (message) => connector.link?.sendMessage(message));
    this.pump = new Pump(options, {
      recording: () => this.recording,
      link: () => (this.#online ? connector.link : null),
      onEmpty: () => {
        if (connector.state === 'resumed') connector.setState('live');
        this.answers.watch();
      },
    });
    this.answers = new Answers(options, {
      due: () => this.#answerDue,
      pinging: () => connector.link?.pinging ?? false,
      onLate: (again) => {
        if (again && options.reconnect.enabled) connector.link?.fail(REASONS.TIMEOUT.text);
        else connector.end(REASONS.TIMEOUT);
      },
    });
  }

  // ---- what the application asks for ------------------------------------------------------------------

  /**
   * @param {RecordingOptions} config
   * @returns {Promise<Message>}
   */
  start(config) {
    if (this.recording) return Promise.reject(new RNNTClientError(REASONS.ALREADY_RECORDING));
    const complete = /** @type {const} */ ({ sample_rate: 16_000, encoding: 'pcm16', channels: 1 });
    this.recording = new Recording({ ...complete, ...config }, this.options, this.emit, this.configuring);
    this.latest = this.recording;
    const promise = this.starter.first();
    if (this.connector.ready) this.starter.begin();
    else this.connector.connect().catch((error) => this.#fail(error));
    return promise;
  }

  /** @param {ArrayBuffer | ArrayBufferView} audio */
  send(audio) {
    const { recording } = this;
    if (!recording || recording.stopping) return;
    recording.push(audio, this.#online);
    this.pump.run();
    this.quiet.heard();
  }

  finalize() {
    this.#mark({ type: 'finalize' });
  }

  /**
   * @param {RecordingOptions} settings
   * @returns {Promise<Message>}
   */
  async configure(settings) {
    const message = { type: 'configure', ...settings };
    if (!this.recording) {
      const answer = this.configuring.ask(message, true);
      void this.connector.connect(); // if that fails, so does the request
      this.answers.watch();
      return answer;
    }
    this.recording.config = { ...this.recording.config, ...settings };
    const answer = this.configuring.ask(message, false);
    this.#mark(message);
    return answer;
  }

  /** @returns {Promise<RecordingResult>} */
  stop() {
    const { recording } = this;
    if (!recording) return Promise.reject(new RNNTClientError(REASONS.NOT_RECORDING));
    if (this.#stopping) return this.#stopping.promise;
    this.#stopping = new Deferred();
    const { promise } = this.#stopping;
    recording.stopping = true;
    this.quiet.end();
    this.#mark({ type: 'stop_recording' });
    return promise;
  }

  // ---- what the connection tells ----------------------------------------------------------------------

  /** @param {boolean} lost In place of a session that the server has forgotten. */
  onGreeting(lost) {
    if (lost) this.reconnects += 1;
    if (this.recording && lost) this.#restart();
    this.configuring.greeted();
    if (this.recording) return this.starter.begin();
    this.connector.setState('live');
    return this.answers.watch();
  }

  /** @param {Message} message */
  onResumed(message) {
    const { recording, connector } = this;
    this.reconnects += 1;
    if (recording) {
      this.#heartbeat(true);
      const { state, received_samples: samples, received_controls: controls } = message;
      const known = typeof controls === 'number' ? controls : undefined;
      if (recording.resume(state, Number(samples), known)) return this.starter.begin();
    }
    connector.setState('resumed', { fresh: false });
    if (!recording) connector.setState('live');
    this.pump.run();
    return this.answers.watch();
  }

  /** @param {Message} message */
  onMessage(message) {
    switch (message.type) {
      case 'recording_started':
        this.#started(/** @type {Message} */ (message.config ?? {}));
        break;
      case 'configured':
        this.configuring.answered(/** @type {Message} */ (message.config ?? {}), this.recording !== null);
        break;
      case 'pong':
        // The first ping is sent before anything else, so replayed messages come before its pong.
        this.configuring.replayed();
        this.starter.released();
        break;
      case 'warning': {
        const detail = typeof message.detail === 'string' ? { detail: message.detail } : {};
        this.emit('warning', { code: String(message.code), text: String(message.warning), ...detail });
        break;
      }
      case 'recording_stopped':
        this.#stopped(message);
        break;
      default:
        this.recording?.results.receive(message);
    }
    this.pump.release();
    this.answers.received(String(message.type));
  }

  /** @param {RNNTClientError} error */
  onError(error) {
    const { code, message, retryable, detail } = error;
    const configuring = this.configuring.refused(error, this.starter.sent);
    const starting = this.starter.sent && !configuring;
    // A start that will be retried is reported as a state.
    if (!starting || !retryable)
      this.emit('error', { code, text: message, retryable, ...(detail === undefined ? {} : { detail }) });
    if (starting) this.#startRefused(error);
    this.answers.received('error');
  }

  onDown() {
    this.pump.pause();
    this.answers.pause();
    this.starter.down();
    this.configuring.down();
  }

  /** @param {Reason} reason */
  onEnd(reason) {
    this.configuring.down();
    this.#fail(new RNNTClientError(reason, { result: this.recording?.result() }));
  }

  // ---- starting, ending -------------------------------------------------------------------------------

  /** Audio is sent only after the server has confirmed the start. */
  get #online() {
    return this.connector.ready && (this.recording?.confirmed ?? false);
  }

  /** @param {Message} config In force. */
  #started(config) {
    const { recording, connector, starter } = this;
    if (!recording) return;
    recording.confirmed = true;
    if (typeof config.silence_duration === 'number') this.quiet.silenceSeconds = config.silence_duration;
    if (starter.takesOver) connector.setState('resumed', { fresh: true });
    starter.confirmed(config);
    if (connector.state !== 'resumed') connector.setState('live');
    this.pump.run();
  }

  /** @param {RNNTClientError} error The answer to `start_recording`. */
  #startRefused(error) {
    const reason = { code: error.code, text: error.message, retryable: error.retryable };
    if (error.retryable && this.starter.again(reason, 'refused')) return;
    this.#fail(error);
    this.connector.setState('live'); // The connection is as good as before.
  }

  #restart() {
    this.recording?.restart();
    this.starter.takesOver = true;
  }

  /** @param {Message} message */
  #stopped(message) {
    const { recording } = this;
    // Until a start is answered, an end belongs to the previous recording.
    if (!recording || this.starter.sent) return;
    if (recording.ended(message.total_duration)) {
      this.#stopping?.resolve(recording.result());
      this.#stopping = null;
      this.recording = null;
      this.configuring.recordingEnded();
      this.quiet.end();
      this.#heartbeat(false);
      if (this.connector.state !== 'live') this.connector.setState('live');
      return;
    }
    this.#restart();
    if (!this.starter.again(REASONS.RECORDING_ENDED, 'reconnecting'))
      this.connector.end(REASONS.RECORDING_ENDED);
  }

  /** @param {Error} error */
  #fail(error) {
    this.recording = null;
    this.starter.fail(error);
    this.#stopping?.reject(error);
    this.#stopping = null;
    this.configuring.allRefused(error);
    this.pump.pause();
    this.pump.release();
    this.answers.pause();
    this.quiet.end();
    this.#heartbeat(false);
  }

  /** @param {boolean} on */
  #heartbeat(on) {
    if (this.connector.link) this.connector.link.heartbeat = on;
  }

  /** Whether an answer is due. */
  get #answerDue() {
    const { recording, connector } = this;
    if (!connector.ready) return false;
    if (this.starter.sent || this.configuring.direct) return true;
    if (!recording || this.starter.later) return false;
    // Not confirmed yet: a replayed message must confirm it.
    return !recording.confirmed || (this.#stopping !== null && recording.outgoing.log.drained);
  }

  /** @param {Message} message Placed after all audio that was handed over so far. */
  #mark(message) {
    this.recording?.mark(message, this.#online);
    this.pump.run();
    this.answers.watch();
  }
}
