/** The recorder, from Start to the final transcript. Loaded after the first paint, since it is not visible before. */
import { AudioRecorder, interleave, level } from '../audio-recorder.js';
import { STATE_NAMES } from '../client/recorder-states.js';
import { clockTime } from '../transcript-formats.js';
import { RNNTClientError } from '../websocket-client.js';
import { demoClient } from './client.js';
import { showFigures } from './figures.js';
import { LevelCheck } from './level-check.js';
import { byId, notice, showState } from './page.js';
import { checked, recordingConfig } from './settings.js';
import { Shown } from './shown.js';
import { bundledSample, decodeChannels, FILE_RATE, mixDown, mixPairs, ServerGone } from './sources.js';
import { Tape } from './tape.js';
import { showLevel, Waveform } from './waveform.js';

/**
 * @typedef {import('../websocket-client.js').RNNTClient} RNNTClient
 */

export class Deck {
  #recorder = new AudioRecorder();
  #waveform = new Waveform(byId('waveform'));
  /** @type {RNNTClient | null} */
  #client = null;
  /** The audio of the current recording, which the transcript shows once the server records. */
  #taping = new Tape(FILE_RATE);
  /** Channels being sent. */
  #channels = 1;
  /** @type {AbortController | null} Ends the feeding of a file. */
  #feeding = null;
  /** @type {WakeLockSentinel | null} */
  #wakeLock = null;
  #microphone = this.#recorder.state;
  /** Until a recording whose client gave up has ended. */
  #abandoning = Promise.resolve();
  recording = false;
  /** The recording has ended and its last words are awaited. */
  finishing = false;

  /** @param {import('./picker.js').Picker} picker */
  constructor(picker) {
    this.picker = picker;
    this.check = new LevelCheck(picker);
    this.shown = new Shown(() => this.busy);
    this.#recorder.on('samples', (samples) => {
      // The tape and the recording must begin with the same sample, so that word times match the audio.
      if (!this.#client?.recording) return;
      this.#hear(samples);
      this.#client.send(samples);
    });
    this.#recorder.on('state', (change) => this.#onMicrophone(change));
  }

  get busy() {
    return this.recording || this.finishing;
  }

  /** The button: starts, stops, or stops waiting for the last words. */
  press() {
    if (this.finishing) this.#client?.close();
    else if (this.recording) void this.stop();
    else void this.start();
  }

  finalize() {
    this.#client?.finalize();
  }

  retryNow() {
    this.#client?.retryNow();
  }

  /** @param {number} seconds Of silence that end a segment, from now on. */
  setSilence(seconds) {
    if (this.recording) this.#client?.configure({ silence_duration: seconds }).catch(() => {});
  }

  async start() {
    if (this.busy) return;
    notice('');
    this.#waveform.clear();
    this.#client?.close();
    const mine = this.#newClient();
    this.#client = mine;
    this.#showRecording(true);
    this.shown.controls();
    const { picker } = this;
    try {
      if (picker.source === 'microphone') await this.#startMicrophone(mine);
      else await this.#startSamples(mine);
    } catch (error) {
      if (mine !== this.#client) return;
      this.#client = null; // Its remaining events are not of interest.
      await this.#recorder.stop();
      mine.close();
      this.#showRecording(false);
      this.shown.controls();
      if (picker.source === 'microphone' && !mine.sessionId) return; // The recorder or the client has given the reason.
      if (error instanceof ServerGone || error instanceof RNNTClientError)
        showState('failed', 'Not connected');
      else showState('idle', 'Ready');
      if (!byId('notice-text').textContent) notice(error instanceof Error ? error.message : String(error));
    }
  }

  /** Starts again, for example with a token that the server asked for. */
  async restart() {
    if (this.recording) await this.stop();
    await this.start();
  }

  async stop() {
    this.#feeding?.abort();
    this.#feeding = null;
    const mine = this.#client;
    if (!mine) return this.#abandoning;
    await this.#releaseMicrophone();
    this.#showRecording(false);
    if (mine.recording) await this.#finish(mine);
    this.finishing = false;
    await this.#endShown();
    if (this.#client !== mine) return;
    this.#client = null; // Its remaining events are not of interest.
    mine.close();
  }

  #newClient() {
    const made = demoClient({
      vad: checked('gate'),
      view: this.shown.view,
      isCurrent: () => this.#client === made,
      onSegment: () => this.shown.controls(),
      onGivenUp: () => (this.#abandoning = this.#abandon(made)),
      giveUp: () => this.stop(),
    });
    return made;
  }

  /** Keeps the recording, if it got far enough to be shown. */
  async #endShown() {
    if (this.shown.tape === this.#taping) await this.shown.end();
    else this.shown.controls();
  }

  /**
   * The client has given up: recording has ended.
   * @param {RNNTClient} mine
   */
  async #abandon(mine) {
    if (this.#client !== mine || !this.recording || this.finishing) return;
    this.#client = null;
    this.#feeding?.abort();
    this.#feeding = null;
    await this.#releaseMicrophone();
    this.shown.view.settle();
    this.#showRecording(false);
    await this.#endShown();
  }

  async #releaseMicrophone() {
    await this.#recorder.stop();
    this.#wakeLock?.release();
    this.#wakeLock = null;
  }

  /**
   * @param {RNNTClient} mine
   * @param {number} sampleRate
   * @param {number} channels
   */
  async #begin(mine, sampleRate, channels) {
    this.#taping = new Tape(sampleRate);
    this.#channels = channels;
    const { language } = await mine.start(recordingConfig(sampleRate, channels));
    // Only now, so that a failure before this point does not clear the current transcript.
    this.shown.begin(this.#taping, language);
  }

  /** @param {RNNTClient} mine */
  async #startMicrophone(mine) {
    await this.check.stop(); // On some systems only one user can have the microphone.
    const wanted = checked('apart') ? 2 : 1;
    const { sampleRate, channels } = await this.#recorder.start({
      deviceId: this.picker.deviceId,
      channels: wanted,
    });
    await this.#begin(mine, sampleRate, channels);
    if (channels < wanted)
      notice('This microphone has one channel: all speakers are in one transcript.', 'warn');
    await this.picker.listDevices();
    // A phone that goes to sleep stops the microphone. If the wake lock is refused, recording continues without it.
    this.#wakeLock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
  }

  /** @returns {Promise<Float32Array<ArrayBuffer>[]>} One channel, or the two that are to be kept apart. */
  async #samples() {
    const { source, file } = this.picker;
    if (source !== 'file') return [(await bundledSample()).samples];
    if (!file) throw new Error('Choose an audio file first, or drop one on the page.');
    const channels = await decodeChannels(file);
    return checked('apart') && channels.length > 1 ? channels.slice(0, 2) : [mixDown(channels)];
  }

  /** @param {RNNTClient} mine */
  async #startSamples(mine) {
    const channels = await this.#samples();
    const count = channels.length;
    const samples = interleave(channels);
    await this.#begin(mine, FILE_RATE, count);
    if (count === 1 && this.picker.source === 'file' && checked('apart'))
      notice('This file has one channel: all speakers are in one transcript.', 'warn');
    this.#feeding = new AbortController();
    const { signal } = this.#feeding;
    const realTime = checked('real-time');
    const whole = new Tape(FILE_RATE, Number.POSITIVE_INFINITY);
    whole.push(mixDown(channels));
    if (realTime && checked('aloud')) whole.play(0, whole.seconds);
    signal.addEventListener('abort', () => whole.silence());
    const piece = (FILE_RATE / 10) * count;
    let heard = 0;
    await mine.sendAll(samples, {
      speed: realTime ? 1 : Number.POSITIVE_INFINITY,
      signal,
      onProgress: (fraction) => {
        const until = Math.round((fraction * samples.length) / count) * count;
        for (; heard < until; heard += piece)
          this.#hear(samples.subarray(heard, Math.min(until, heard + piece)));
      },
    });
    if (!signal.aborted) await this.stop();
  }

  /**
   * Records and draws the audio being sent.
   * @param {Float32Array} samples
   */
  #hear(samples) {
    const mono = this.#channels === 1 ? samples : mixPairs(samples);
    this.#taping.push(mono);
    this.#waveform.push(mono, this.#taping.rate);
    showLevel(byId('level'), level(mono).dbfs);
    byId('clock').textContent = clockTime(this.#taping.seconds);
    if (this.#client) showFigures(this.#client.stats);
  }

  /**
   * Waits for the last words. Over a lost connection that may take a while, so it can be given up.
   * @param {RNNTClient} mine
   */
  async #finish(mine) {
    if (mine.sessionId === null) {
      showState('idle', 'Ready'); // It never started: there is nothing to wait for.
      notice('');
      return;
    }
    this.finishing = true;
    byId('record-text').textContent = 'Give up';
    showState('connecting', 'Finishing');
    try {
      const { transcript } = await mine.stop();
      showFigures(mine.stats);
      showState('idle', transcript === '' ? 'No words recognised' : 'Done');
    } catch (error) {
      this.shown.view.settle();
      const lost = error instanceof RNNTClientError && error.code !== 'CLOSED';
      showState(lost ? 'failed' : 'idle', lost ? 'The last words are missing' : 'Ready');
      notice(lost ? error.message : '');
    } finally {
      byId('record-text').textContent = 'Start';
    }
  }

  /** @param {boolean} on */
  #showRecording(on) {
    this.recording = on;
    document.body.classList.toggle('recording', on);
    byId('record').setAttribute('aria-pressed', String(on));
    byId('record-text').textContent = on ? 'Stop' : 'Start';
    byId('finalize').hidden = !on;
    for (const input of document.querySelectorAll('#sources input')) {
      /** @type {HTMLInputElement} */ (input).disabled = on;
    }
    if (!on) showLevel(byId('level'), -100);
  }

  /** @param {{ state: import('../client/recorder-states.js').RecorderState, text: string }} change */
  #onMicrophone({ state, text }) {
    const previous = this.#microphone;
    this.#microphone = state;
    if (state === 'requesting') showState('connecting', STATE_NAMES.requesting);
    else if (state === 'idle') {
      if (previous === 'requesting') showState('idle', 'Ready'); // Stopped while the browser asked for permission.
    } else if (state !== 'recording') {
      showState('failed', STATE_NAMES[state]);
      notice(text);
      if (this.recording) void this.stop();
    }
  }
}
