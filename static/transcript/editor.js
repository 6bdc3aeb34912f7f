/** Corrects one word in a small form below it. Enter, or a click elsewhere, keeps the correction; Escape drops it. */
import { correctWord } from './corrections.js';
import { element } from './words.js';

/**
 * @typedef {import('../client/types.js').Segment} Segment
 * @typedef {import('../client/types.js').Word} Word
 */

const MAX_CHARS = 200;
const MARGIN_PX = 8;

export class WordEditor {
  /** @type {HTMLElement | null} The word that is corrected. */
  #node = null;
  #form = /** @type {HTMLFormElement} */ (element('form', 'word-editor panel'));
  #input = /** @type {HTMLInputElement} */ (element('input', ''));
  #restore = /** @type {HTMLButtonElement} */ (element('button', 'quiet-button'));

  /**
   * @param {import('../transcription-ui.js').TranscriptView} view
   * @param {{ play: (word: Word) => void, onCorrected: (before: Segment, after: Segment) => void }} acts
   */
  constructor(view, { play, onCorrected }) {
    this.view = view;
    this.play = play;
    this.onCorrected = onCorrected;
    this.#build();
    view.root.addEventListener('scroll', () => this.close(true));
    document.addEventListener('pointerdown', ({ target }) => {
      if (!(target instanceof Node && this.#form.contains(target))) this.close(true);
    });
    // Waits until another element has the focus, which may be a button of the form.
    this.#form.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !this.#form.contains(relatedTarget)) this.close(true);
    });
  }

  /** @param {HTMLElement} node Of a word. */
  open(node) {
    const word = this.#wordOf(node);
    if (!word) return;
    this.close(true);
    this.#node = node;
    node.classList.add('editing');
    this.#input.value = word.word;
    this.#restore.hidden = word.heard === undefined;
    this.#restore.textContent = `Back to “${word.heard}”`;
    this.#form.hidden = false;
    this.#place(node);
    // On a touch screen the keyboard would cover the page even if the user only wants to listen.
    if (matchMedia('(pointer: fine)').matches) this.#input.select();
  }

  /** @param {boolean} keeps What was typed. */
  close(keeps) {
    const node = this.#node;
    if (!node) return;
    this.#node = null;
    this.#form.hidden = true;
    node.classList.remove('editing');
    if (keeps) this.#correct(node, this.#input.value);
  }

  #build() {
    this.#form.hidden = true;
    this.#form.setAttribute('aria-label', 'Correct the word');
    this.#input.type = 'text';
    this.#input.maxLength = MAX_CHARS;
    this.#input.setAttribute('aria-label', 'The correct word; leave empty to remove it');
    this.#input.setAttribute('autocomplete', 'off');
    this.#restore.type = 'button';
    this.#restore.addEventListener('click', () => {
      this.#input.value = this.#heard();
      this.#end();
    });
    const play = /** @type {HTMLButtonElement} */ (element('button', 'quiet-button', 'Play'));
    play.type = 'button';
    play.addEventListener('click', () => {
      const word = this.#node && this.#wordOf(this.#node);
      if (word) this.play(word);
    });
    this.#form.append(this.#input, element('button', '', 'Save'), play, this.#restore);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#end();
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      const node = this.#node;
      this.close(false);
      node?.focus();
    });
    (this.view.root.closest('section') ?? document.body).append(this.#form);
  }

  /** Keeps the text and returns to the word. */
  #end() {
    const node = this.#node;
    this.close(true);
    node?.focus();
  }

  #heard() {
    const word = this.#node && this.#wordOf(this.#node);
    return word?.heard ?? word?.word ?? '';
  }

  /** @param {HTMLElement} node */
  #wordOf(node) {
    const place = this.view.placeOf(node);
    return place?.segment.words[place.index] ?? null;
  }

  /**
   * @param {HTMLElement} node
   * @param {string} text
   */
  #correct(node, text) {
    const place = this.view.placeOf(node);
    const word = place?.segment.words[place.index];
    if (!place || !word) return; // Cleared meanwhile.
    const after = correctWord(place.segment, place.index, text);
    if (after.words[place.index]?.word === word.word) return;
    if (this.view.replace(place.segment, after)) this.onCorrected(place.segment, after);
  }

  /**
   * Below the word, or above it if there is no room; within the window.
   * @param {HTMLElement} node
   */
  #place(node) {
    const box = node.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#form;
    const x = Math.max(MARGIN_PX, Math.min(innerWidth - width - MARGIN_PX, box.left));
    const below = box.bottom + MARGIN_PX;
    const y = below + height < innerHeight ? below : Math.max(MARGIN_PX, box.top - height - MARGIN_PX);
    this.#form.style.setProperty('--x', `${x}px`);
    this.#form.style.setProperty('--y', `${y}px`);
  }
}
