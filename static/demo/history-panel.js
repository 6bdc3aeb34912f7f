/** The list of saved transcripts, which can be searched, opened, renamed and deleted. */
import { el } from '../debug/dom.js';
import { TranscriptHistory } from './history.js';
import { byId, notice } from './page.js';
import { checked } from './settings.js';

/**
 * @typedef {import('./history.js').Kept} Kept
 * @typedef {import('./tape.js').Tape} Tape
 */

const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const NAME_CHARS = 60;

export class HistoryPanel {
  #history = new TranscriptHistory();
  #list = byId('kept');
  #find = /** @type {HTMLInputElement} */ (byId('kept-find'));

  /** @param {(kept: Kept, audio: Int16Array) => void} onOpen */
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.#find.addEventListener('input', () => this.show());
    void this.show();
  }

  /**
   * Saves a finished recording, if the user has enabled that.
   * @param {import('../transcription-ui.js').TranscriptView} view
   * @param {Tape} tape
   * @returns {Promise<Kept | null>} Null where it is not.
   */
  async keep(view, tape) {
    if (!checked('keep') || view.segments.length === 0) return null;
    const { segments } = view;
    const name = segments[0]?.text.slice(0, NAME_CHARS) ?? '';
    const { rate, seconds } = tape;
    const kept = { id: Date.now(), name, language: view.root.lang, segments: [...segments], rate, seconds };
    await this.#try(() => this.#history.add(kept, tape.pcm16()));
    return kept;
  }

  /** @param {Kept} kept With words corrected. */
  async update(kept) {
    await this.#try(() => this.#history.update(kept));
  }

  async show() {
    const wanted = this.#find.value.trim().toLowerCase();
    /** @type {Kept[]} */
    let all = [];
    try {
      all = await this.#history.list();
    } catch {
      // A private window may forbid storage; then nothing is saved.
    }
    const found = all.filter(({ name, segments }) =>
      [name, ...segments.map((segment) => segment.text)].some((text) => text.toLowerCase().includes(wanted)),
    );
    this.#find.hidden = all.length === 0;
    this.#list.replaceChildren(...found.map((kept) => this.#row(kept)));
    const nothing =
      all.length === 0 ? 'No saved transcripts yet.' : 'No saved transcript contains these words.';
    if (found.length === 0) this.#list.append(el('li', { class: 'hint' }, nothing));
  }

  /** @param {Kept} kept */
  #row(kept) {
    const open = async () => this.onOpen(kept, await this.#history.audio(kept.id));
    const rename = () => {
      const name = globalThis.prompt('Name of the transcript', kept.name)?.trim();
      if (name) void this.#try(() => this.#history.update({ ...kept, name: name.slice(0, NAME_CHARS) }));
    };
    const remove = () => void this.#try(() => this.#history.remove(kept.id));
    return el(
      'li',
      {},
      el('button', { type: 'button', class: 'kept-open', onclick: () => void open() }, kept.name),
      el('span', { class: 'hint' }, `${date.format(new Date(kept.id))} · ${Math.round(kept.seconds)} s`),
      el(
        'button',
        { type: 'button', class: 'quiet-button', 'aria-label': `Rename ${kept.name}`, onclick: rename },
        'Rename',
      ),
      el(
        'button',
        { type: 'button', class: 'quiet-button', 'aria-label': `Delete ${kept.name}`, onclick: remove },
        'Delete',
      ),
    );
  }

  /** @param {() => Promise<void>} act */
  async #try(act) {
    try {
      await act();
    } catch {
      notice('The browser could not save the transcript: its storage is full or not allowed.', 'warn');
    }
    await this.show();
  }
}
