/** Plays the recording and highlights the words in step with it. */

const STEP_MS = 60;
/** So that the edges of a word are audible. */
const MARGIN_SECONDS = 0.05;

export class Player {
  /** Incremented by every playback, so that the end of an old one does not stop a newer one. */
  #generation = 0;
  /** Position at which playback was paused, seconds. */
  #left = 0;
  #playing = false;

  /**
   * @param {HTMLElement} button Plays the whole recording, and pauses it.
   * @param {import('../transcription-ui.js').TranscriptView} view
   * @param {() => import('./tape.js').Tape} tape
   */
  constructor(button, view, tape) {
    this.button = button;
    this.view = view;
    this.tape = tape;
    button.addEventListener('click', () => (this.#playing ? this.#pause() : this.#playAll()));
  }

  /** @param {number} start Seconds. @param {number} end */
  async word(start, end) {
    this.stop();
    this.#left = start; // The next playback of the whole recording starts here.
    this.view.highlight(start);
    await this.tape().play(start - MARGIN_SECONDS, end + MARGIN_SECONDS);
    if (!this.#playing) this.view.highlight(null);
  }

  stop() {
    this.#pause();
    this.#left = 0;
  }

  async #playAll() {
    const tape = this.tape();
    this.#generation += 1;
    const generation = this.#generation;
    const from = this.#left < tape.seconds ? this.#left : 0;
    this.#show(true);
    const timer = setInterval(() => {
      if (generation !== this.#generation) return;
      this.#left = from + tape.playedSeconds;
      this.view.highlight(this.#left);
    }, STEP_MS);
    await tape.play(from, tape.seconds);
    clearInterval(timer);
    if (generation !== this.#generation) return;
    this.#left = 0;
    this.#show(false);
  }

  #pause() {
    this.#generation += 1;
    this.tape().silence();
    this.#show(false);
  }

  /** @param {boolean} playing */
  #show(playing) {
    this.#playing = playing;
    this.button.textContent = playing ? 'Pause' : 'Play';
    if (!playing) this.view.highlight(null);
  }
}
