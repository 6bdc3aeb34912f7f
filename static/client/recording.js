import { LatencyWindow } from './latency.js';
import { Outgoing } from './outgoing.js';
import { Results } from './results.js';

/**
 * One recording, from `start()` to the final transcript, over as many connections and server sessions as it
 * takes. It knows positions and times; it knows nothing about sockets beyond "send this".
 */
export class Recording {
  /** The server has confirmed the start, in the present session. */
  confirmed = false;
  stopping = false;

  /**
   * @param {import('./types.js').RecordingOptions} config
   * @param {ConstructorParameters<typeof Outgoing>[1]} options
   */
  constructor(config, options) {
    this.config = config;
    this.outgoing = new Outgoing(config, options);
    this.results = new Results(this.outgoing, options.clock);
  }

  get rate() {
    return this.outgoing.rate;
  }

  get startMessage() {
    return { type: 'start_recording', config: this.config };
  }

  /** The server forgot the session: record what no final covers again, and keep ids and times going. */
  restart() {
    this.confirmed = false;
    this.outgoing.log.rebase();
    this.results.restart();
  }

  /**
   * The same session goes on.
   * @param {boolean} started The server is recording.
   * @param {number} receivedFrames
   * @returns {boolean} True where `start_recording` never arrived and has to be sent again.
   */
  resume(started, receivedFrames) {
    const { log } = this.outgoing;
    log.rewind(started || this.confirmed ? receivedFrames : 0);
    // Idle although it had started: our stop arrived, and its answer is among the replayed messages.
    if (!started && this.confirmed) log.skipAll();
    return !started && !this.confirmed;
  }

  /** @returns {import('./types.js').RecordingResult} */
  result() {
    const { segments } = this.results;
    const { appFrames, droppedFrames, skippedFrames, rate } = this.outgoing;
    return {
      transcript: segments
        .map((s) => s.text)
        .filter((text) => text !== '')
        .join(' '),
      segments: [...segments],
      duration: appFrames / rate,
      droppedSeconds: droppedFrames / rate,
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
      droppedSeconds: outgoing.droppedFrames / rate,
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
