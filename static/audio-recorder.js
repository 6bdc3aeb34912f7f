/**
 * The microphone as a stream of mono float32 blocks of 100 ms.
 *
 *     const recorder = new AudioRecorder();
 *     recorder.on('samples', (samples) => client.send(samples));
 *     recorder.on('state', ({ state, text }) => …);       // denied, no-device, insecure … with a sentence
 *     const { sampleRate } = await recorder.start();
 *     await recorder.stop();
 *
 * Sample rate: the AudioContext is asked for 16 kHz, so that the browser's own resampler does the work.
 * Where it refuses (some browsers will not connect a device to a context of another rate) the device's rate
 * is sent as it is, up to 48 kHz, and the server resamples. Always use the `sampleRate` that `start` returns.
 */

/**
 * @typedef {'idle' | 'requesting' | 'recording' | 'denied' | 'no-device' | 'busy' | 'insecure' | 'unsupported' | 'failed'} RecorderState
 *
 * @typedef {object} RecorderEvents
 * @property {Float32Array} samples 100 ms, −1…1; the last block may be shorter.
 * @property {{ rms: number, peak: number, dbfs: number }} level Of each block.
 * @property {{ state: RecorderState, text: string }} state
 *
 * @typedef {object} RecorderOptions
 * @property {number} [sampleRate] Hz asked for; 16,000.
 * @property {string} [workletUrl]
 */

const BLOCK_MS = 100;
const FLUSH_TIMEOUT_MS = 250;
/** The highest rate that the server takes. */
const MAX_RATE = 48_000;

/** @type {Record<RecorderState, string>} */
const STATE_TEXTS = {
  idle: 'The microphone is off.',
  requesting: 'Waiting for permission to use the microphone.',
  recording: 'The microphone is on.',
  denied: 'The microphone is blocked. Allow it in the browser’s site settings, then try again.',
  'no-device': 'No microphone was found.',
  busy: 'The microphone is in use by another program.',
  insecure: 'Browsers give the microphone to https:// and localhost pages only.',
  unsupported: 'This browser cannot record audio.',
  failed: 'The microphone failed.',
};

/** @type {Record<string, RecorderState>} */
const STATE_OF_ERROR = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'no-device',
  OverconstrainedError: 'no-device',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

/**
 * Which state an error of getUserMedia means.
 * @param {unknown} error
 * @returns {RecorderState}
 */
export function stateOfError(error) {
  return (error instanceof Error && STATE_OF_ERROR[error.name]) || 'failed';
}

/**
 * @param {Float32Array} samples
 * @returns {{ rms: number, peak: number, dbfs: number }} dBFS down to −100.
 */
export function level(samples) {
  let sum = 0;
  let peak = 0;
  for (const sample of samples) {
    sum += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
  }
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return { rms, peak, dbfs: Math.max(-100, 20 * Math.log10(rms || 1e-5)) };
}

export class AudioRecorder extends EventTarget {
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioWorkletNode | ScriptProcessorNode | null} */
  #tap = null;
  #flushed = () => {};
  /** @type {RecorderState} */
  state = 'idle';
  /** @type {AnalyserNode | null} For waveforms and spectra of the live input. */
  analyser = null;

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

  /**
   * The microphones. Their names are empty until permission was given once.
   * @returns {Promise<{ id: string, label: string }[]>}
   */
  static async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return all
      .filter((d) => d.kind === 'audioinput' && d.deviceId !== '')
      .map((d) => ({ id: d.deviceId, label: d.label }));
  }

  /**
   * Asks for the microphone and starts. Rejects with the browser's error; `state` says it in words.
   * @param {{ deviceId?: string, processing?: boolean }} [options] `processing`: echo cancellation, noise
   *   suppression and gain control by the browser, on by default.
   * @returns {Promise<{ sampleRate: number, label: string }>}
   */
  async start({ deviceId, processing = true } = {}) {
    if (!globalThis.isSecureContext) throw this.#fail('insecure');
    if (!navigator.mediaDevices?.getUserMedia) throw this.#fail('unsupported');
    this.#setState('requesting');
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: {
          channelCount: 1,
          echoCancellation: processing,
          noiseSuppression: processing,
          autoGainControl: processing,
          ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        },
      });
      const track = this.#stream.getAudioTracks()[0];
      // Unplugged, or permission withdrawn, in the middle of a recording.
      track?.addEventListener('ended', () => this.state === 'recording' && this.#lost());
      const sampleRate = await this.#connect(this.#stream);
      this.#setState('recording');
      return { sampleRate, label: track?.label ?? '' };
    } catch (error) {
      await this.#release();
      this.#setState(stateOfError(error));
      throw error;
    }
  }

  /** Delivers what is left of the last block, then gives the microphone back. */
  async stop() {
    const tap = this.#tap;
    if (tap && 'port' in tap) {
      await new Promise((resolve) => {
        this.#flushed = () => resolve(undefined);
        setTimeout(resolve, FLUSH_TIMEOUT_MS); // A suspended audio thread answers nothing.
        tap.port.postMessage('end');
      });
    }
    await this.#release();
    if (this.state === 'recording') this.#setState('idle');
  }

  /**
   * @param {MediaStream} stream
   * @returns {Promise<number>} The rate of the samples that will come.
   */
  async #connect(stream) {
    /** @type {MediaStreamAudioSourceNode} */
    let source;
    try {
      this.#context = new AudioContext({ sampleRate: this.wantedRate, latencyHint: 'interactive' });
      source = this.#context.createMediaStreamSource(stream);
    } catch {
      await this.#context?.close();
      this.#context = new AudioContext({ latencyHint: 'interactive' });
      source = this.#context.createMediaStreamSource(stream);
    }
    const context = this.#context;
    await context.resume();
    const halve = context.sampleRate > MAX_RATE;
    const sampleRate = halve ? context.sampleRate / 2 : context.sampleRate;
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 2_048;
    source.connect(this.analyser);
    const blockFrames = Math.round((sampleRate * BLOCK_MS) / 1_000);
    if (context.audioWorklet) {
      await context.audioWorklet.addModule(this.workletUrl);
      const tap = new AudioWorkletNode(context, 'pcm-tap', {
        processorOptions: { blockFrames, halve },
      });
      tap.port.onmessage = ({ data }) => (data ? this.#deliver(data) : this.#flushed());
      source.connect(tap);
      tap.connect(context.destination); // Not every browser runs a node that leads nowhere; it plays silence.
      this.#tap = tap;
    } else {
      this.#tap = this.#legacyTap(context, source);
    }
    return this.#tap && 'port' in this.#tap ? sampleRate : context.sampleRate;
  }

  /**
   * For browsers without AudioWorklet only; runs on the page's own thread.
   * @param {AudioContext} context
   * @param {MediaStreamAudioSourceNode} source
   */
  #legacyTap(context, source) {
    const tap = context.createScriptProcessor(4_096, 1, 1);
    tap.onaudioprocess = (event) => this.#deliver(event.inputBuffer.getChannelData(0).slice());
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
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#tap?.disconnect();
    this.#stream = null;
    this.#tap = null;
    this.analyser = null;
    const context = this.#context;
    this.#context = null;
    if (context && context.state !== 'closed') await context.close();
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
