/** The transcript on the screen with its audio: read, played, copied, saved, cleared, kept. */
import { clockTime, TranscriptView } from '../transcription-ui.js';
import { exportTranscript } from './export.js';
import { HistoryPanel } from './history-panel.js';
import { byId, notice } from './page.js';
import { Player } from './player.js';
import { FILE_RATE } from './sources.js';
import { Tape } from './tape.js';

export class Shown {
  /** The audio of what the transcript shows. */
  tape = new Tape(FILE_RATE);
  #history = new HistoryPanel((kept, audio) => this.#showKept(kept, audio));

  /** @param {() => boolean} isBusy Whether something is recorded into the transcript. */
  constructor(isBusy) {
    this.isBusy = isBusy;
    this.view = new TranscriptView(byId('transcript'), {
      onWord: ({ start, end }) => this.player.word(start, end),
      onFollow: (following) => {
        byId('jump').hidden = following;
        this.view.root.classList.toggle('scrolled-away', !following);
      },
    });
    this.player = new Player(byId('play'), this.view, () => this.tape);
    byId('jump').addEventListener('click', () => this.view.jumpToLive());
    byId('clear').addEventListener('click', () => this.#clear());
    for (const button of document.querySelectorAll('[data-export]')) {
      const format = /** @type {HTMLElement} */ (button).dataset.export ?? 'txt';
      button.addEventListener('click', () =>
        exportTranscript(this.view.segments, format, this.view.root.lang),
      );
    }
    byId('copy').addEventListener('click', async () => {
      await navigator.clipboard.writeText(this.view.text);
      notice('Copied.', 'info');
    });
  }

  /**
   * A new recording takes the place of what was shown.
   * @param {Tape} tape
   * @param {unknown} language BCP 47, where the server says one.
   */
  begin(tape, language) {
    this.player.stop();
    this.view.clear();
    this.tape = tape;
    if (typeof language === 'string') this.view.root.lang = language;
    this.controls();
  }

  /** The recording has ended: keeps it, where the user wants that. */
  async end() {
    this.controls();
    await this.#history.keep(this.view, this.tape);
  }

  /** Offers what can be done with what is shown. */
  controls() {
    const nothing = this.view.text === '';
    byId('empty').hidden = !nothing || this.isBusy();
    byId('listening').hidden = !nothing || !this.isBusy();
    byId('legend').hidden = this.view.segments.length === 0;
    for (const node of document.querySelectorAll('.export button')) {
      const button = /** @type {HTMLButtonElement} */ (node);
      // Files are made of finals; what is open can be copied all the same.
      button.disabled = button.id === 'copy' ? nothing : this.view.segments.length === 0;
      if (button.id === 'play' && this.isBusy()) button.disabled = true;
    }
  }

  /**
   * @param {import('./history.js').Kept} kept
   * @param {Int16Array} audio
   */
  #showKept({ segments, language, rate }, audio) {
    if (this.isBusy()) return notice('Stop the recording first.', 'warn');
    this.begin(Tape.of(audio, rate), language);
    this.#show(segments);
  }

  /** @param {import('../client/types.js').Segment[]} segments */
  #show(segments) {
    this.view.show(segments);
    if (!this.isBusy()) byId('clock').textContent = clockTime(this.tape.seconds);
    this.controls();
  }

  /** What is cleared can be had back until something else is said or done. */
  #clear() {
    const { segments } = this.view;
    const { tape } = this;
    this.player.stop();
    if (!this.isBusy()) this.tape = new Tape(FILE_RATE);
    this.#show([]);
    const undo = () => {
      if (!this.isBusy()) this.tape = tape;
      this.#show([...segments, ...this.view.segments]);
      notice('');
    };
    notice('The transcript is cleared.', 'info', undo, 'Undo');
  }
}
