/** Searches the transcript on the page: highlights matches, counts them, and moves from one to the next. */
import { wordsIn } from './words.js';

/**
 * @param {string[]} words Of one segment.
 * @param {string} wanted
 * @returns {number[][]} For each place where it stands: the words that it touches. Capitals do not matter, and every
 *   run of spaces is one.
 */
export function findIn(words, wanted) {
  const needle = fold(wanted);
  if (needle === '') return [];
  let text = '';
  const spans = words.map((word) => {
    const folded = fold(word);
    if (text !== '' && folded !== '') text += ' ';
    const from = text.length;
    text += folded;
    return { from, to: text.length };
  });
  const found = [];
  for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + needle.length)) {
    const end = at + needle.length;
    found.push(spans.flatMap(({ from, to }, i) => (from < to && from < end && to > at ? [i] : [])));
  }
  return found;
}

/** @param {string} text */
const fold = (text) => text.toLowerCase().replace(/\s+/g, ' ').trim();

export class Finder {
  #bar = byId('find-bar');
  #input = /** @type {HTMLInputElement} */ (byId('find'));
  #next = /** @type {HTMLButtonElement} */ (byId('find-next'));
  #previous = /** @type {HTMLButtonElement} */ (byId('find-previous'));
  /** @type {HTMLElement[][]} What is found, each by its nodes, in order of reading. */
  #found = [];
  #at = 0;

  /** @param {import('../transcription-ui.js').TranscriptView} view */
  constructor(view) {
    this.view = view;
    this.#input.addEventListener('input', () => this.#search());
    this.#next.addEventListener('click', () => this.#go(1));
    this.#previous.addEventListener('click', () => this.#go(-1));
    byId('find-close').addEventListener('click', () => this.close());
    this.#bar.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.close();
      if (event.key !== 'Enter' || event.target !== this.#input) return;
      event.preventDefault();
      this.#go(event.shiftKey ? -1 : 1);
    });
  }

  open() {
    this.#bar.hidden = false;
    byId('find-open').setAttribute('aria-expanded', 'true');
    this.#input.select();
    this.#search();
  }

  close() {
    if (this.#bar.hidden) return;
    this.#bar.hidden = true;
    byId('find-open').setAttribute('aria-expanded', 'false');
    this.#mark([]);
    byId('find-open').focus();
  }

  /** The transcript has changed: searches again and keeps the current match. */
  refresh() {
    if (this.#bar.hidden) return;
    const current = this.#found[this.#at]?.[0];
    this.#mark(this.#all());
    const same = this.#found.findIndex((nodes) => nodes[0] === current);
    this.#at = Math.max(0, same);
    this.#show(false);
  }

  #search() {
    this.#mark(this.#all());
    this.#at = 0;
    this.#show(true);
  }

  #all() {
    const rows = [...this.view.list.querySelectorAll('.segment-text')];
    return rows.flatMap((row) => {
      const text = /** @type {HTMLElement} */ (row);
      const nodes = wordsIn(text);
      // A segment without word elements is matched as a whole.
      if (nodes.length === 0) return findIn([text.textContent ?? ''], this.#input.value).map(() => [text]);
      const texts = nodes.map((node) => (node.classList.contains('removed') ? '' : (node.textContent ?? '')));
      return findIn(texts, this.#input.value).map((places) => places.flatMap((i) => nodes[i] ?? []));
    });
  }

  /** @param {HTMLElement[][]} found */
  #mark(found) {
    for (const nodes of this.#found) for (const node of nodes) node.classList.remove('found', 'current');
    this.#found = found;
    for (const nodes of found) for (const node of nodes) node.classList.add('found');
  }

  /** @param {1 | -1} step */
  #go(step) {
    const count = this.#found.length;
    if (count === 0) return;
    this.#at = (this.#at + step + count) % count;
    this.#show(true);
  }

  /** @param {boolean} scrolls To the current one. */
  #show(scrolls) {
    const count = this.#found.length;
    const nothing = this.#input.value.trim() === '' ? '' : 'Not found';
    byId('find-count').textContent = count === 0 ? nothing : `${this.#at + 1} of ${count}`;
    this.#next.disabled = count === 0;
    this.#previous.disabled = count === 0;
    this.#found.forEach((nodes, i) => {
      for (const node of nodes) node.classList.toggle('current', i === this.#at);
    });
    if (scrolls) this.#found[this.#at]?.[0]?.scrollIntoView({ block: 'nearest' });
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
