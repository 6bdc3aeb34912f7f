/**
 * Shows the microphone's level before a recording. Only for users who have already allowed the microphone. It stops
 * after a while, when the page is hidden, and when a recording starts.
 */
import { AudioRecorder } from '../audio-recorder.js';
import { byId } from './page.js';
import { showLevel } from './waveform.js';

const LONGEST_MS = 30_000;
const WORDS = { quiet: 'Too quiet', speech: 'Good', clipping: 'Too loud' };

export class LevelCheck {
  #recorder = new AudioRecorder();
  #button = byId('check-level');
  #text = byId('level-text');
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {import('./picker.js').Picker} picker */
  constructor(picker) {
    this.picker = picker;
    this.#button.addEventListener('click', () => void (this.#running ? this.stop() : this.#start()));
    document.addEventListener('visibilitychange', () => document.hidden && void this.stop());
    this.#recorder.on('level', ({ dbfs }) => {
      showLevel(byId('level'), dbfs);
      const zone = /** @type {keyof typeof WORDS} */ (byId('level').dataset.zone);
      if (this.#text.textContent !== WORDS[zone]) this.#text.textContent = WORDS[zone];
    });
    // Unplugged or no longer permitted.
    this.#recorder.on('state', ({ state }) => state !== 'requesting' && this.#show());
    this.offer();
  }

  /** Another device or source was chosen: shows the button if it is useful, and stops a running check. */
  offer() {
    void this.stop();
    this.#button.hidden = !(this.picker.permitted && this.picker.source === 'microphone');
  }

  /** Releases the microphone. */
  async stop() {
    clearTimeout(this.#timer);
    if (!this.#running) return;
    await this.#recorder.stop();
    showLevel(byId('level'), -100);
  }

  get #running() {
    return this.#recorder.state === 'recording' || this.#recorder.state === 'requesting';
  }

  async #start() {
    this.#timer = setTimeout(() => void this.stop(), LONGEST_MS);
    await this.#recorder.start({ deviceId: this.picker.deviceId }).catch(() => clearTimeout(this.#timer));
  }

  #show() {
    const on = this.#running;
    this.#button.setAttribute('aria-pressed', String(on));
    this.#button.textContent = on ? 'Stop checking' : 'Check level';
    if (!on) this.#text.textContent = '';
  }
}
