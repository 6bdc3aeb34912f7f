/**
 * The microphone as a stream of float32 blocks of 100 ms: mono, or two channels interleaved where they are asked for.
 *
 *     const recorder = new AudioRecorder();
 *     recorder.on('samples', (samples) => client.send(samples));
 *     recorder.on('state', ({ state, text }) => …);       // denied, no-device, insecure … with a sentence
 *     const { sampleRate } = await recorder.start();
 *     await recorder.stop();
 *
 * Sample rate: the AudioContext is created with 16 kHz, so that the browser resamples.
 * Where it refuses (some browsers will not connect a device to a context of another rate) the device's rate
 * is sent as it is, halved until it is at most 48 kHz, and the server resamples. Always use the `sampleRate` that
 * `start` returns.
 */
import { STATE_TEXTS, stateOfError } from './client/recorder-states.js';
import { interleave, level, reduce, reducedRate } from './client/samples.js';

export { stateOfError } from './client/recorder-states.js';
export { interleave, level, reduce, reducedRate } from './client/samples.js';

/**
 * @typedef {import('./client/recorder-states.js').RecorderState} RecorderState
 *
 * @typedef {object} RecorderEvents
 * @property {Float32Array} samples 100 ms, −1…1, two channels interleaved; the last block may be shorter.
 * @property {{ rms: number, peak: number, dbfs: number }} level Of each block.
 * @property {{ state: RecorderState, text: string }} state
 *
 * @typedef {object} RecorderOptions
 * @property {number} [sampleRate] Hz asked for; 16,000.
 * @property {string} [workletUrl]
 */

/**
 * @typedef {object} Capture What has to be given back.
 * @property {MediaStream} stream
 * @property {AudioContext | null} context
 * @property {AudioWorkletNode | ScriptProcessorNode | null} tap
 * @property {AnalyserNode | null} analyser
 */

const BLOCK_MS = 100;
const FLUSH_TIMEOUT_MS = 250;

/** @param {Capture | null} capture */
async function release(capture) {
  for (const track of capture?.stream.getTracks() ?? []) track.stop();
  const tap = capture?.tap;
  tap?.disconnect();
  // A block that is still under way comes too late: whoever called `stop` expects no more.
  if (tap && 'port' in tap) tap.port.onmessage = null;
  else if (tap) tap.onaudioprocess = null;
  if (capture?.context && capture.context.state !== 'closed') await capture.context.close();
}

export class AudioRecorder extends EventTarget {
  /** @type {Capture | null} */
  #capture = null;
  #flushed = () => {};
  /** Incremented by every start and stop, so that an abandoned start notices. */
  #generation = 0;
  /** @type {RecorderState} */
  state = 'idle';

  /** @param {RecorderOptions} [options] */
  constructor({ sampleRate = 16_000, workletUrl } = {}) {
    super();
    this.wantedRate = sampleRate;
    this.workletUrl = workletUrl ?? new URL('./pcm-worklet.js', import.meta.url).href;
  }

  /**
   * @template {keyof RecorderEvents} K
   * @param {K} type
   * @param {(detail: RecorderEvents[K]) => void} listener
   * @returns {() => void} Stops listening.
   */
  on(type, listener) {
    /** @param {Event} event */
    const handler = (event) => listener(/** @type {CustomEvent} */ (event).detail);
    this.addEventListener(type, handler);
    return () => this.removeEventListener(type, handler);
  }

  /** @returns {AnalyserNode | null} For waveforms and spectra of the live input. */
  get analyser() {
    return this.#capture?.analyser ?? null;
  }

  /**
   * The microphones. Their names are empty until the user has given permission once.
   * @returns {Promise<{ id: string, label: string }[]>}
   */
  static async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return all
      .filter((d) => d.kind === 'audioinput' && d.deviceId !== '')
      .map((d) => ({ id: d.deviceId, label: d.label }));
  }

  /**
   * Asks for the microphone and starts. Rejects with the browser's error, `state` says it in words; or with an
   * AbortError where `stop` was called meanwhile, for example while the browser still asked for permission.
   * @param {{ deviceId?: string, processing?: boolean, channels?: 1 | 2 }} [options] `processing`: echo cancellation,
   *   noise suppression and gain control by the browser. On by default for one channel; for two it is off, since
   *   browsers make one of them by it.
   * @returns {Promise<{ sampleRate: number, channels: 1 | 2, label: string }>} `channels`: what the device has of those
   *   that were asked for.
   */
  async start({ deviceId, channels: wanted = 1, processing = wanted === 1 } = {}) {
    if (!globalThis.isSecureContext) throw this.#fail('insecure');
    if (!navigator.mediaDevices?.getUserMedia) throw this.#fail('unsupported');
    this.#generation += 1;
    const generation = this.#generation;
    this.#setState('requesting');
    /** @type {Capture | null} */
    let capture = null;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: {
          channelCount: wanted,
          echoCancellation: processing,
          noiseSuppression: processing,
          autoGainControl: processing,
          ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        },
      });
      capture = { stream, context: null, tap: null, analyser: null };
      const track = stream.getAudioTracks()[0];
      const channels = wanted === 2 && track?.getSettings().channelCount === 2 ? 2 : 1;
      const sampleRate = generation === this.#generation ? await this.#connect(capture, channels) : 0;
      if (generation !== this.#generation)
        throw new DOMException('Stopped before the microphone was on.', 'AbortError');
      this.#capture = capture;
      // Unplugged, or permission withdrawn, in the middle of a recording.
      track?.addEventListener('ended', () => this.#capture === capture && this.#lost());
      this.#setState('recording');
      return { sampleRate, channels, label: track?.label ?? '' };
    } catch (error) {
      await release(capture);
      if (generation === this.#generation) this.#setState(stateOfError(error));
      throw error;
    }
  }

  /** Delivers the rest of the last block, then releases the microphone. */
  async stop() {
    this.#generation += 1;
    const tap = this.#capture?.tap;
    if (tap && 'port' in tap) {
      await new Promise((resolve) => {
        this.#flushed = () => resolve(undefined);
        setTimeout(resolve, FLUSH_TIMEOUT_MS); // A suspended audio thread does not answer.
        tap.port.postMessage('end');
      });
    }
    await this.#release();
    if (this.state === 'recording' || this.state === 'requesting') this.#setState('idle');
  }

  /**
   * @param {Capture} capture Filled in, also where it fails half-way.
   * @param {1 | 2} channels
   * @returns {Promise<number>} The rate of the samples that will come.
   */
  async #connect(capture, channels) {
    /** @type {MediaStreamAudioSourceNode} */
    let source;
    try {
      capture.context = new AudioContext({ sampleRate: this.wantedRate, latencyHint: 'interactive' });
      source = capture.context.createMediaStreamSource(capture.stream);
    } catch {
      await capture.context?.close();
      capture.context = new AudioContext({ latencyHint: 'interactive' });
      source = capture.context.createMediaStreamSource(capture.stream);
    }
    const { context } = capture;
    await context.resume();
    const { sampleRate, step } = reducedRate(context.sampleRate);
    const analyser = context.createAnalyser();
    capture.analyser = analyser;
    analyser.fftSize = 2_048;
    source.connect(analyser);
    const blockFrames = Math.round((sampleRate * BLOCK_MS) / 1_000);
    if (await this.#hasWorklet(context)) {
      const processorOptions = { blockFrames, step, channels };
      const tap = new AudioWorkletNode(context, 'pcm-tap', { processorOptions });
      tap.port.onmessage = ({ data }) => (data ? this.#deliver(data) : this.#flushed());
      source.connect(tap);
      tap.connect(context.destination); // Some browsers do not run a node without an output; this one plays silence.
      capture.tap = tap;
    } else {
      capture.tap = this.#legacyTap(context, source, step, channels);
    }
    return sampleRate;
  }

  /**
   * The worklet is a file of the server. Where that does not answer just now, the browser says AbortError, as for a
   * microphone that another program holds; the microphone is there all the same.
   * @param {AudioContext} context
   */
  async #hasWorklet(context) {
    if (!context.audioWorklet) return false;
    try {
      await context.audioWorklet.addModule(this.workletUrl);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Used if there is no AudioWorklet, or it cannot be loaded. Runs on the main thread.
   * @param {AudioContext} context
   * @param {MediaStreamAudioSourceNode} source
   * @param {number} step
   * @param {1 | 2} channels
   */
  #legacyTap(context, source, step, channels) {
    const tap = context.createScriptProcessor(4_096, channels, 1);
    tap.onaudioprocess = ({ inputBuffer }) => {
      const parts = Array.from({ length: channels }, (_, i) => reduce(inputBuffer.getChannelData(i), step));
      this.#deliver(interleave(parts));
    };
    source.connect(tap);
    tap.connect(context.destination); // As above.
    return tap;
  }

  /** @param {Float32Array} samples */
  #deliver(samples) {
    if (samples.length === 0) return;
    this.dispatchEvent(new CustomEvent('samples', { detail: samples }));
    this.dispatchEvent(new CustomEvent('level', { detail: level(samples) }));
  }

  async #lost() {
    await this.#release();
    this.#setState('no-device', 'The microphone was disconnected.');
  }

  async #release() {
    const capture = this.#capture;
    this.#capture = null;
    await release(capture);
  }

  /** @param {RecorderState} state */
  #fail(state) {
    this.#setState(state);
    return new Error(STATE_TEXTS[state]);
  }

  /**
   * @param {RecorderState} state
   * @param {string} [text]
   */
  #setState(state, text = STATE_TEXTS[state]) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: { state, text } }));
  }
}
