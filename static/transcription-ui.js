/**
 * Shows a live transcript: finals as words that can be hovered, focused, clicked and corrected, the open segment with
 * its stable part set apart, and an ARIA live region for people who do not see it. Two channels that are kept apart
 * become labelled lines in order of time.
 *
 *     const view = new TranscriptView(document.querySelector('#transcript'), { onWord: (word) => play(word) });
 *     client.on('partial', (partial) => view.showPartial(partial));
 *     client.on('transcription', (segment) => view.addSegment(segment));
 *
 * Keyboard: the transcript is one tab stop; the arrow keys move between words, Enter or Space chooses one.
 * What a screen reader announces is a region of its own: each final once, as plain text, never the partials,
 * which change several times a second and would talk over everything.
 */
import { LiveLines } from './transcript/live-lines.js';
import { WordTip } from './transcript/word-tip.js';
import { dressWord, element, stepOf, wordsIn } from './transcript/words.js';
import { clockTime, withSpeaker } from './transcript-formats.js';

export { confidenceClass, splitPartial } from './transcript/words.js';
export * from './transcript-formats.js';

/**
 * @typedef {import('./client/types.js').Segment} Segment
 * @typedef {import('./client/types.js').Partial} Partial
 * @typedef {import('./client/types.js').Word} Word
 *
 * @typedef {object} ViewOptions
 * @property {(word: Word, node: HTMLElement) => void} [onWord] A word was clicked, or chosen by the keyboard.
 * @property {boolean} [follow] Scroll with the text, until the reader scrolls up and again when the reader is back at
 *   the end.
 * @property {(following: boolean) => void} [onFollow] Tells of both.
 * @property {(channel: number) => string} [speaker] The name of a channel.
 */

/** Number of rows on the page and of lines in the live region; `segments` keeps all, for export. */
const MAX_ROWS = 500;
const MAX_ANNOUNCED = 20;
/** A reader within this distance of the end counts as following. About one line. */
const AT_END_PX = 32;

export class TranscriptView {
  /** @type {Segment[]} In order of time. */
  segments = [];
  /** @type {Map<HTMLElement, Segment>} */
  #rows = new Map();
  /** @type {Map<HTMLElement, Word>} */
  #words = new Map();
  #tip = new WordTip();

  /**
   * @param {HTMLElement} root Becomes the transcript; its content is replaced.
   * @param {ViewOptions} [options]
   */
  constructor(root, { onWord, follow = true, onFollow, speaker } = {}) {
    this.root = root;
    this.onWord = onWord ?? (() => {});
    this.onFollow = onFollow ?? (() => {});
    this.speaker = speaker ?? ((channel) => `Channel ${channel + 1}`);
    this.follow = follow;
    this.following = follow;
    this.list = element('div', 'segments');
    this.live = new LiveLines((channel) => this.speaker(channel));
    this.announcer = element('div', 'visually-hidden');
    this.announcer.setAttribute('role', 'log');
    this.announcer.setAttribute('aria-live', 'polite');
    this.announcer.setAttribute('aria-label', 'Captions');
    root.replaceChildren(this.list, this.live.root, this.announcer, this.#tip.node);
    // The view's own scrolling stops at the end, so any other position was chosen by the reader.
    root.addEventListener('scroll', () => this.#setFollowing(this.#isAtEnd()));
    if (typeof ResizeObserver === 'function') new ResizeObserver(() => this.#scroll()).observe(root);
    root.addEventListener('click', (event) => this.#activate(event.target));
    root.addEventListener('keydown', (event) => this.#onKey(event));
    for (const type of ['pointerover', 'focusin'])
      root.addEventListener(type, (e) => this.#showTip(e.target));
    for (const type of ['pointerout', 'focusout']) root.addEventListener(type, () => this.#tip.hide());
  }

  clear() {
    this.segments = [];
    this.#rows.clear();
    this.#words.clear();
    this.list.replaceChildren();
    this.announcer.replaceChildren();
    this.live.clear();
    this.#tip.hide();
    this.jumpToLive();
  }

  /**
   * Replaces the shown segments.
   * @param {Segment[]} segments
   */
  show(segments) {
    this.clear();
    for (const segment of segments) this.addSegment(segment);
  }

  /** @param {Partial} partial */
  showPartial(partial) {
    this.live.show(partial);
    this.#scroll();
  }

  /** Nothing more will come: the words of the open segment stay, for reading and copying. */
  settle() {
    this.live.settle();
  }

  /** @returns {Segment[]} All of them, each with the name of its channel where channels are kept apart. */
  get named() {
    return this.segments.map((segment) =>
      segment.channel === undefined ? segment : { ...segment, speaker: this.speaker(segment.channel) },
    );
  }

  /** @returns {string} All text on the screen, one segment per line, the open ones included. */
  get text() {
    const lines = [...this.named.map(withSpeaker), ...this.live.texts];
    return lines.filter((line) => line.trim() !== '').join('\n');
  }

  /** @param {Segment} segment */
  addSegment(segment) {
    this.live.clear(segment.channel);
    if (segment.text.trim() === '' && segment.words.length === 0) return;
    const row = this.#row(segment);
    const next = this.#rowAfter(segment);
    this.list.insertBefore(row, next);
    const following = next && this.#rows.get(next);
    this.segments.splice(following ? this.segments.indexOf(following) : this.segments.length, 0, segment);
    this.#rows.set(row, segment);
    this.#announce(segment);
    if (this.list.childElementCount > MAX_ROWS) this.#forgetRow(this.list.firstElementChild);
    this.#scroll();
  }

  /**
   * Replaces a segment by another, for example with a corrected word.
   * @param {Segment} before One of `segments`.
   * @param {Segment} after
   * @returns {boolean} False where the other is not shown any more.
   */
  replace(before, after) {
    const at = this.segments.indexOf(before);
    if (at === -1) return false;
    this.segments[at] = after;
    for (const [row, segment] of this.#rows) {
      if (segment !== before) continue;
      this.#rows.set(row, after);
      wordsIn(row).forEach((node, i) => {
        const word = after.words[i];
        if (!word) return;
        this.#words.set(node, word);
        dressWord(node, word);
      });
    }
    return true;
  }

  /**
   * @param {HTMLElement} node Of a word.
   * @returns {{ segment: Segment, index: number } | null} Whose word it is; null where it is gone.
   */
  placeOf(node) {
    const row = /** @type {HTMLElement | null} */ (node.closest('.segment'));
    const segment = row && this.#rows.get(row);
    return segment ? { segment, index: wordsIn(row).indexOf(node) } : null;
  }

  /**
   * Highlights the words that are spoken at a position of the playback.
   * @param {number | null} seconds
   */
  highlight(seconds) {
    for (const [node, word] of this.#words) {
      const sounding = seconds !== null && word.start <= seconds && seconds < word.end;
      node.classList.toggle('sounding', sounding);
    }
  }

  /** Scrolls to the newest words and follows them again. */
  jumpToLive() {
    this.#setFollowing(this.follow);
    this.root.scrollTop = this.root.scrollHeight;
  }

  /** @param {Segment} segment */
  #row(segment) {
    const row = element('article', 'segment');
    const time = element('time', 'segment-time', clockTime(segment.start));
    time.setAttribute('datetime', `PT${segment.start.toFixed(1)}S`);
    const text = element('p', 'segment-text');
    text.setAttribute('dir', 'auto');
    if (segment.words.length === 0) text.textContent = segment.text;
    for (const word of segment.words) text.append(this.#wordElement(word), ' ');
    row.append(time, text);
    if (segment.channel !== undefined) {
      row.dataset.channel = String(segment.channel);
      time.after(element('b', 'speaker', this.speaker(segment.channel)));
    }
    return row;
  }

  /**
   * Channels end their segments in any order; rows are in order of their start.
   * @param {Segment} segment
   * @returns {HTMLElement | null} The row that comes after it.
   */
  #rowAfter(segment) {
    if (segment.channel === undefined) return null;
    let next = null;
    for (let row = this.list.lastElementChild; row; row = row.previousElementSibling) {
      const other = this.#rows.get(/** @type {HTMLElement} */ (row));
      if (!other || other.start <= segment.start) break;
      next = /** @type {HTMLElement} */ (row);
    }
    return next;
  }

  /** @param {Segment} segment */
  #announce(segment) {
    const named = segment.channel === undefined ? {} : { speaker: this.speaker(segment.channel) };
    const line = element('p', '', withSpeaker({ ...segment, ...named }));
    line.setAttribute('dir', 'auto');
    this.announcer.append(line);
    if (this.announcer.childElementCount > MAX_ANNOUNCED) this.announcer.firstElementChild?.remove();
  }

  /** @param {Word} word */
  #wordElement(word) {
    const node = element('span', 'word');
    dressWord(node, word);
    node.setAttribute('role', 'button');
    node.tabIndex = this.#words.size === 0 ? 0 : -1;
    node.setAttribute('aria-describedby', this.#tip.node.id);
    this.#words.set(node, word);
    return node;
  }

  /** @param {Element | null} row */
  #forgetRow(row) {
    if (!(row instanceof HTMLElement)) return;
    for (const node of wordsIn(row)) this.#words.delete(node);
    this.#rows.delete(row);
    row.remove();
    const [first] = this.#words.keys();
    if (first && !this.list.querySelector('.word[tabindex="0"]')) first.tabIndex = 0;
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
    if (word && target instanceof HTMLElement) this.onWord(word, target);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (!this.#wordOf(event.target)) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#activate(event.target);
      return;
    }
    const step = stepOf(event.key, getComputedStyle(this.root).direction === 'rtl');
    if (step === undefined) return;
    event.preventDefault();
    const nodes = wordsIn(this.list);
    const from = nodes.indexOf(/** @type {HTMLElement} */ (event.target));
    const to = nodes[Math.max(0, Math.min(nodes.length - 1, from + step))];
    for (const node of nodes) node.tabIndex = -1;
    if (to) to.tabIndex = 0;
    to?.focus();
  }

  /** @param {EventTarget | null} target */
  #showTip(target) {
    const word = this.#wordOf(target);
    if (word && target instanceof HTMLElement) this.#tip.show(target, word);
  }
}
