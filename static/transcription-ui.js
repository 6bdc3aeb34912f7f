/**
 * Shows a live transcript: finals as words that can be hovered, focused and clicked, the open segment with its
 * stable part set apart, and an ARIA live region for people who do not see it.
 *
 *     const view = new TranscriptView(document.querySelector('#transcript'), { onWord: (word) => play(word) });
 *     client.on('partial', (partial) => view.showPartial(partial));
 *     client.on('transcription', (segment) => view.addSegment(segment));
 *
 * Keyboard: the transcript is one tab stop; the arrow keys move between words, Enter or Space plays one.
 * What a screen reader announces is a region of its own: each final once, as plain text, never the partials,
 * which change several times a second and would talk over everything.
 */
import { clockTime } from './transcript-formats.js';

export * from './transcript-formats.js';

/**
 * @typedef {import('./client/types.js').Segment} Segment
 * @typedef {import('./client/types.js').Partial} Partial
 * @typedef {import('./client/types.js').Word} Word
 */

/** Rows kept on the page and lines kept in the live region; `segments` keeps all of them, for saving. */
const MAX_ROWS = 500;
const MAX_ANNOUNCED = 20;
/** Whoever is within this of the end is taken to read along. About a line. */
const AT_END_PX = 32;

/** Below these a word is marked: "unsure", "doubtful". By colour and by the form of the underline. */
const UNSURE = 0.7;
const DOUBTFUL = 0.4;

/**
 * @param {number} confidence 0–1.
 * @returns {'sure' | 'unsure' | 'doubtful'}
 */
export function confidenceClass(confidence) {
  if (confidence < DOUBTFUL) return 'doubtful';
  return confidence < UNSURE ? 'unsure' : 'sure';
}

/**
 * The open segment in two parts. The stable part is cut back to a whole word.
 * @param {{ text: string, stable_chars: number }} partial
 * @returns {{ stable: string, open: string }}
 */
export function splitPartial({ text, stable_chars: stableChars }) {
  const inWord = /\S/.test(text[stableChars - 1] ?? ' ') && /\S/.test(text[stableChars] ?? ' ');
  const cut = inWord ? text.lastIndexOf(' ', stableChars) + 1 : stableChars;
  return { stable: text.slice(0, cut), open: text.slice(cut) };
}

export class TranscriptView {
  /** @type {Segment[]} */
  segments = [];
  /** @type {Map<HTMLElement, Word>} */
  #words = new Map();
  #percent = new Intl.NumberFormat(undefined, { style: 'percent' });

  /**
   * @param {HTMLElement} root Becomes the transcript; its content is replaced.
   * @param {{ onWord?: (word: Word) => void, follow?: boolean, onFollow?: (following: boolean) => void }} [options]
   *   `follow`: scroll with the text, until the reader scrolls up and again when the reader is back at the end;
   *   `onFollow` tells of both.
   */
  constructor(root, { onWord, follow = true, onFollow } = {}) {
    this.root = root;
    this.onWord = onWord ?? (() => {});
    this.onFollow = onFollow ?? (() => {});
    this.follow = follow;
    this.following = follow;
    this.list = element('div', 'segments');
    this.live = element('p', 'partial');
    this.live.hidden = true;
    this.live.setAttribute('dir', 'auto');
    this.announcer = element('div', 'visually-hidden');
    this.announcer.setAttribute('role', 'log');
    this.announcer.setAttribute('aria-live', 'polite');
    this.announcer.setAttribute('aria-label', 'Captions');
    this.tip = element('div', 'word-tip');
    this.tip.setAttribute('role', 'tooltip');
    this.tip.id = `word-tip-${Math.random().toString(36).slice(2)}`;
    this.tip.hidden = true;
    root.replaceChildren(this.list, this.live, this.announcer, this.tip);
    // The view's own scrolling ends at the end, so that every other place is one where the reader went.
    root.addEventListener('scroll', () => this.#setFollowing(this.#isAtEnd()));
    if (typeof ResizeObserver === 'function') new ResizeObserver(() => this.#scroll()).observe(root);
    root.addEventListener('click', (event) => this.#activate(event.target));
    root.addEventListener('keydown', (event) => this.#onKey(event));
    for (const type of ['pointerover', 'focusin'])
      root.addEventListener(type, (e) => this.#showTip(e.target));
    for (const type of ['pointerout', 'focusout']) root.addEventListener(type, () => this.#hideTip());
  }

  clear() {
    this.segments = [];
    this.#words.clear();
    this.list.replaceChildren();
    this.announcer.replaceChildren();
    this.#clearPartial();
    this.#hideTip();
    this.jumpToLive();
  }

  /**
   * Shows other segments in place of what is there.
   * @param {Segment[]} segments
   */
  show(segments) {
    this.clear();
    for (const segment of segments) this.addSegment(segment);
  }

  /** @param {Partial} partial */
  showPartial(partial) {
    const { stable, open } = splitPartial(partial);
    // Where words are taken back and none are left for a moment, their line stays: nothing jumps or flashes.
    if (partial.text.trim() === '' && this.live.hidden) return;
    const stableElement = element('span', 'stable', stable);
    const openElement = element('span', 'open', open);
    this.live.classList.remove('settled');
    this.live.replaceChildren(stableElement, openElement);
    this.live.hidden = false;
    this.#scroll();
  }

  /** Nothing more will come: the words of the open segment stay as they are, for reading and copying. */
  settle() {
    this.live.classList.add('settled');
  }

  /** @returns {string} All text on the screen, one segment per line, the open one included. */
  get text() {
    const lines = [...this.segments.map((segment) => segment.text), this.live.textContent ?? ''];
    return lines.filter((line) => line.trim() !== '').join('\n');
  }

  /** @param {Segment} segment */
  addSegment(segment) {
    this.#clearPartial();
    if (segment.text.trim() === '') return;
    this.segments.push(segment);
    const row = element('article', 'segment');
    const time = element('time', 'segment-time', clockTime(segment.start));
    time.setAttribute('datetime', `PT${segment.start.toFixed(1)}S`);
    const text = element('p', 'segment-text');
    text.setAttribute('dir', 'auto');
    if (segment.words.length === 0) text.textContent = segment.text;
    for (const word of segment.words) text.append(this.#wordElement(word), ' ');
    row.append(time, text);
    this.list.append(row);
    const line = element('p', '', segment.text);
    line.setAttribute('dir', 'auto');
    this.announcer.append(line);
    if (this.announcer.childElementCount > MAX_ANNOUNCED) this.announcer.firstElementChild?.remove();
    if (this.list.childElementCount > MAX_ROWS) this.#forgetRow(this.list.firstElementChild);
    this.#scroll();
  }

  /**
   * Marks the words that sound at a moment of a playback.
   * @param {number | null} seconds
   */
  highlight(seconds) {
    for (const [node, word] of this.#words) {
      const sounding = seconds !== null && word.start <= seconds && seconds < word.end;
      node.classList.toggle('sounding', sounding);
    }
  }

  /** @param {Word} word */
  #wordElement(word) {
    const node = element('span', `word ${confidenceClass(word.confidence)}`, word.word);
    node.setAttribute('role', 'button');
    node.tabIndex = this.#words.size === 0 ? 0 : -1;
    node.setAttribute('aria-describedby', this.tip.id);
    this.#words.set(node, word);
    return node;
  }

  /** @param {Element | null} row */
  #forgetRow(row) {
    for (const node of row?.querySelectorAll('.word') ?? [])
      this.#words.delete(/** @type {HTMLElement} */ (node));
    row?.remove();
    const [first] = this.#words.keys();
    if (first && !this.list.querySelector('.word[tabindex="0"]')) first.tabIndex = 0;
  }

  #clearPartial() {
    this.live.replaceChildren();
    this.live.hidden = true;
  }

  /** Goes to the newest words and follows them again. */
  jumpToLive() {
    this.#setFollowing(this.follow);
    this.root.scrollTop = this.root.scrollHeight;
  }

  #scroll() {
    if (this.following) this.root.scrollTop = this.root.scrollHeight;
  }

  #isAtEnd() {
    return this.root.scrollTop + this.root.clientHeight >= this.root.scrollHeight - AT_END_PX;
  }

  /** @param {boolean} following */
  #setFollowing(following) {
    if (!this.follow || following === this.following) return;
    this.following = following;
    this.onFollow(following);
  }

  /** @param {EventTarget | null} target */
  #wordOf(target) {
    return target instanceof HTMLElement ? this.#words.get(target) : undefined;
  }

  /** @param {EventTarget | null} target */
  #activate(target) {
    const word = this.#wordOf(target);
    if (word) this.onWord(word);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (!this.#wordOf(event.target)) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#activate(event.target);
      return;
    }
    const rtl = getComputedStyle(this.root).direction === 'rtl';
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const nodes = [...this.#words.keys()];
    const from = nodes.indexOf(/** @type {HTMLElement} */ (event.target));
    const to = nodes[Math.max(0, Math.min(nodes.length - 1, from + step))];
    for (const node of nodes) node.tabIndex = -1;
    if (to) to.tabIndex = 0;
    to?.focus();
  }

  /** @param {EventTarget | null} target */
  #showTip(target) {
    const word = this.#wordOf(target);
    if (!word || !(target instanceof HTMLElement)) return;
    const sure = { sure: 'sure', unsure: 'unsure', doubtful: 'doubtful' }[confidenceClass(word.confidence)];
    this.tip.textContent = `${clockTime(word.start)}–${clockTime(word.end)} · ${this.#percent.format(word.confidence)} · ${sure}`;
    this.tip.hidden = false;
    const box = target.getBoundingClientRect();
    const half = this.tip.offsetWidth / 2;
    const x = Math.max(half + 8, Math.min(innerWidth - half - 8, box.left + box.width / 2));
    this.tip.style.setProperty('--x', `${x}px`);
    this.tip.style.setProperty('--y', `${box.top}px`);
  }

  #hideTip() {
    this.tip.hidden = true;
  }
}

/**
 * @param {string} name
 * @param {string} className
 * @param {string} [text]
 */
function element(name, className, text = '') {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}
