/**
 * The transcript on the page and its audio: can be played, corrected, searched, copied, exported, cleared and saved.
 */
import { TranscriptView } from '../transcription-ui.js';
import { lazy } from './lazy.js';
import { byId, notice } from './page.js';
import { Player } from './player.js';
import { channelName, checked } from './settings.js';
import { FILE_RATE } from './sources.js';
import { Tape } from './tape.js';

/**
 * @typedef {import('../client/types.js').Segment} Segment
 * @typedef {import('./history.js').Kept} Kept
 */

/** Number of corrections that can be undone, one after the other. */
const MAX_UNDO = 100;

export class Shown {
  /** The audio of the shown transcript. */
  tape = new Tape(FILE_RATE);
  /** @type {Kept | null} What is shown is kept in the history, as this. */
  #kept = null;
  /** @type {{ before: Segment, after: Segment }[]} */
  #corrections = [];
  #history = lazy(async () => {
    const { HistoryPanel } = await import('./history-panel.js');
    return new HistoryPanel((kept, audio) => this.#showKept(kept, audio));
  });
  #editor = lazy(async () => {
    const { WordEditor } = await import('../transcript/editor.js');
    return new WordEditor(this.view, {
      play: ({ start, end }) => void this.player.word(start, end),
      onCorrected: (before, after) => this.#corrected(before, after),
    });
  });
  #finder = lazy(async () => {
    const { Finder } = await import('../transcript/finder.js');
    return new Finder(this.view);
  });

  /** @param {() => boolean} isBusy Whether something is recorded into the transcript. */
  constructor(isBusy) {
    this.isBusy = isBusy;
    this.view = new TranscriptView(byId('transcript'), {
      speaker: channelName,
      onWord: ({ start, end }, node) => {
        void this.player.word(start, end);
        if (!document.body.classList.contains('captions')) void this.#editor().then((it) => it.open(node));
      },
      onFollow: (following) => {
        byId('jump').hidden = following;
        this.view.root.classList.toggle('scrolled-away', !following);
      },
    });
    this.player = new Player(byId('play'), this.view, () => this.tape);
    this.#wire();
  }

  #wire() {
    byId('jump').addEventListener('click', () => this.view.jumpToLive());
    byId('clear').addEventListener('click', () => this.#clear());
    byId('find-open').addEventListener('click', () => this.find());
    this.view.root.addEventListener('keydown', (event) => {
      if (event.key.toLowerCase() !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
      event.preventDefault();
      this.#undo();
    });
    for (const button of document.querySelectorAll('[data-export]')) {
      const format = /** @type {HTMLElement} */ (button).dataset.export ?? 'txt';
      button.addEventListener('click', async () => {
        const { exportTranscript } = await import('./export.js');
        exportTranscript(this.view.named, format, this.view.root.lang);
      });
    }
    byId('copy').addEventListener('click', async () => {
      await navigator.clipboard.writeText(this.view.text);
      notice('Copied.', 'info');
    });
    for (const channel of [0, 1]) {
      byId(`channel-${channel}`).addEventListener('change', () => {
        if (!this.isBusy()) this.view.show(this.view.segments);
      });
    }
    byId('history').addEventListener('toggle', () => void this.#history());
  }

  /** Opens the search. */
  async find() {
    (await this.#finder()).open();
  }

  /** Loads parts that are not needed at first, so that they are available when the server is not. */
  async preload() {
    await Promise.all([this.#editor(), this.#finder(), import('./export.js'), import('./history-panel.js')]);
  }

  /**
   * A new recording replaces the shown one.
   * @param {Tape} tape
   * @param {unknown} language BCP 47, where the server says one.
   */
  begin(tape, language) {
    this.player.stop();
    this.view.clear();
    this.tape = tape;
    this.#kept = null;
    this.#corrections = [];
    if (typeof language === 'string') this.view.root.lang = language;
    this.controls();
  }

  /** The recording has ended: saves it, if the user has enabled that. */
  async end() {
    this.controls();
    if (checked('keep')) this.#kept = await (await this.#history()).keep(this.view, this.tape);
  }

  /** Enables the actions that are possible with the current transcript. */
  controls() {
    const nothing = this.view.text === '';
    byId('empty').hidden = !nothing || this.isBusy();
    byId('listening').hidden = !nothing || !this.isBusy();
    byId('legend').hidden = this.view.segments.length === 0;
    byId('find-open').hidden = this.view.segments.length === 0;
    for (const node of document.querySelectorAll('.export button')) {
      const button = /** @type {HTMLButtonElement} */ (node);
      // Files are made from finals; open words can still be copied.
      button.disabled = button.id === 'copy' ? nothing : this.view.segments.length === 0;
      if (button.id === 'play' && this.isBusy()) button.disabled = true;
    }
    if (this.#finder.loaded) void this.#finder().then((it) => it.refresh());
  }

  /**
   * @param {Kept} kept
   * @param {Int16Array} audio
   */
  #showKept(kept, audio) {
    if (this.isBusy()) return notice('Stop the recording first.', 'warn');
    this.begin(Tape.of(audio, kept.rate), kept.language);
    this.#show(kept.segments);
    this.#kept = kept;
  }

  /** @param {Segment[]} segments */
  #show(segments) {
    this.view.show(segments);
    this.controls();
  }

  /**
   * A word was corrected: the correction can be undone and is saved.
   * @param {Segment} before
   * @param {Segment} after
   */
  #corrected(before, after) {
    this.#corrections = [...this.#corrections, { before, after }].slice(-MAX_UNDO);
    this.#keepChange();
    notice('Word corrected.', 'info', [{ label: 'Undo', act: () => this.#undo() }]);
  }

  /** Undoes the newest correction. */
  #undo() {
    const last = this.#corrections.pop();
    if (!last) return;
    this.view.replace(last.after, last.before);
    this.#keepChange();
    notice('');
  }

  #keepChange() {
    this.controls();
    if (!this.#kept) return;
    this.#kept = { ...this.#kept, segments: [...this.view.segments] };
    const kept = this.#kept;
    void this.#history().then((panel) => panel.update(kept));
  }

  /** A cleared transcript can be restored until something else is recorded or done. */
  #clear() {
    const { segments } = this.view;
    const { tape } = this;
    const kept = this.#kept;
    this.player.stop();
    if (!this.isBusy()) this.tape = new Tape(FILE_RATE);
    this.#kept = null;
    this.#show([]);
    const undo = () => {
      if (!this.isBusy()) this.tape = tape;
      this.#kept = kept;
      this.#show([...segments, ...this.view.segments]);
      notice('');
    };
    notice('Transcript cleared.', 'info', [{ label: 'Undo', act: undo }]);
  }
}
