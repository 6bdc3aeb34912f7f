import { LatencyWindow } from './latency.js';
import { Outgoing } from './outgoing.js';
import { Results } from './results.js';

/** If no words are open, audio that the server has had for this long counts as recognised silence. */
const SETTLED_SECONDS = 3;
/**
 * If a recording ends this long before the end of the audio, our stop was not the cause. More than the rounding of
 * `total_duration` (5 ms), less than a chunk.
 */
const EARLY_SECONDS = 0.02;
/** After our stop, missing audio is recorded again at most this often. */
const MAX_EARLY_STOPS = 3;

/**
 * One recording, from `start()` to the final transcript, across connections and server sessions. It handles positions
 * and times; of sockets it only knows "send this".
 */
export class Recording {
  /** The server has confirmed the start in this session; only then is audio sent. */
  confirmed = false;
  stopping = false;
  #earlyStops = 0;
  /** In force where the log begins: settings that were changed later stand in the log, at their place in the audio. */
  #begins;

  /**
   * @param {import('./types.js').RecordingOptions} config
   * @param {ConstructorParameters<typeof Outgoing>[1] & { painted?: ((done: () => void) => void) | undefined }} options
   * @param {import('./results.js').Emit} emit
   * @param {import('./configuring.js').Configuring} configuring Knows which changed settings the server accepted.
   */
  constructor(config, options, emit, configuring) {
    this.config = config;
    this.#begins = config;
    this.emit = emit;
    this.configuring = configuring;
    this.outgoing = new Outgoing(config, options);
    this.outgoing.log.onForgotten = (message) => {
      this.#begins = { ...this.#begins, ...configuring.forgotten(message) };
    };
    const apart = config.multichannel === true && config.channels === 2;
    this.results = new Results(this.outgoing, options, emit, apart ? 2 : 1);
  }

  get rate() {
    return this.outgoing.rate;
  }

  get startMessage() {
    return { type: 'start_recording', config: this.#begins };
  }

  /**
   * @param {ArrayBuffer | ArrayBufferView} audio
   * @param {boolean} online Whether the server can be sent to now.
   */
  push(audio, online) {
    this.#tell(this.outgoing.push(audio, online));
  }

  /**
   * @param {Record<string, unknown>} message Placed after all audio that was handed over so far.
   * @param {boolean} online
   */
  mark(message, online) {
    this.#tell(this.outgoing.mark(message, online));
  }

  /**
   * The server lost the session or ended the recording: records again what has no final, with continuing ids and times.
   */
  restart() {
    const { log } = this.outgoing;
    this.confirmed = false;
    // Without partials, words may be open without being seen.
    const partials = [this.#begins, this.config].every((config) => config.partials !== false);
    const quiet = !this.results.open && partials;
    if (quiet && log.acknowledged !== null)
      log.keepFrom(log.acknowledged - Math.round(SETTLED_SECONDS * this.rate));
    const gap = log.rebase(this.configuring.isRefused);
    this.configuring.restarted(log.messages);
    this.results.restart();
    if (!quiet) this.#tell(this.outgoing.lose(gap));
  }

  /**
   * The same session continues.
   * @param {unknown} state Of the recording on the server.
   * @param {number} receivedSamples At 16 kHz.
   * @param {number} [receivedControls] Control messages since the start; undefined where the server does not say.
   * @returns {boolean} True where `start_recording` never arrived and has to be sent again.
   */
  resume(state, receivedSamples, receivedControls) {
    const { log } = this.outgoing;
    if (state === 'recording' || (state !== 'stopping' && !this.confirmed)) {
      const started = state === 'recording';
      const frames = started ? this.outgoing.frames(receivedSamples) : 0;
      this.#tell(this.outgoing.lose(log.rewind(frames, started ? receivedControls : 0)));
      return !started;
    }
    // It has ended, and a replayed message will say so. If the stop was ours, everything was sent.
    if (this.stopping && this.confirmed) log.skipAll();
    else this.confirmed = false;
    return false;
  }

  /**
   * The server has ended the recording and recognised everything up to a position.
   * @param {unknown} totalDuration Seconds since its start on the server, as `recording_stopped` says it.
   * @returns {boolean} True where it was to be ended: we have asked for it, and the end of the audio was reached.
   */
  ended(totalDuration) {
    const { log } = this.outgoing;
    const heard = typeof totalDuration === 'number' ? this.outgoing.logFrames(totalDuration) : null;
    const early = heard === null ? !log.drained : log.end - heard > EARLY_SECONDS * this.rate;
    if (this.stopping && !early) return true;
    if (this.stopping) this.#earlyStops += 1;
    if (this.#earlyStops > MAX_EARLY_STOPS) {
      this.#tell(this.outgoing.lose({ from: heard ?? log.base, to: log.end }));
      return true;
    }
    if (heard !== null) log.keepFrom(heard);
    return false;
  }

  /** @param {import('./losses.js').Loss | null} loss */
  #tell(loss) {
    if (!loss) return;
    const seconds = loss.to - loss.from;
    this.emit('dropped', { ...loss, seconds, totalSeconds: this.outgoing.losses.seconds });
  }

  /** @returns {import('./types.js').RecordingResult} */
  result() {
    const { segments } = this.results;
    const { appFrames, losses, skippedFrames, rate } = this.outgoing;
    return {
      transcript: segments
        .map((s) => s.text)
        .filter((text) => text !== '')
        .join(' '),
      segments: [...segments],
      duration: appFrames / rate,
      droppedSeconds: losses.seconds,
      lost: losses.list.map((loss) => ({ ...loss })).sort((a, b) => a.from - b.from),
      skippedSeconds: skippedFrames / rate,
    };
  }

  /** @returns {Omit<import('./types.js').ClientStats, 'rttMs' | 'reconnects'>} */
  stats() {
    const { outgoing, results } = this;
    const { log, rate } = outgoing;
    return {
      chunkMs: results.chunkMs.summary(),
      wordMs: results.wordMs.summary(),
      queuedSeconds: log.unsentFrames / rate,
      unacknowledgedSeconds: log.unacknowledgedFrames / rate,
      droppedSeconds: outgoing.losses.seconds,
      skippedSeconds: outgoing.skippedFrames / rate,
      lag: results.lag,
      droppedPartials: results.droppedPartials,
    };
  }
}

const NO_SAMPLES = new LatencyWindow().summary();
/** @type {ReturnType<Recording['stats']>} */
const BEFORE_THE_FIRST = {
  chunkMs: NO_SAMPLES,
  wordMs: NO_SAMPLES,
  queuedSeconds: 0,
  unacknowledgedSeconds: 0,
  droppedSeconds: 0,
  skippedSeconds: 0,
  lag: 0,
  droppedPartials: 0,
};

/**
 * @param {Recording | null} recording
 * @returns {ReturnType<Recording['stats']>} All zero before the first recording.
 */
export function statsOf(recording) {
  return recording?.stats() ?? BEFORE_THE_FIRST;
}
