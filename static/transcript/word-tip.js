/** Shows the time and confidence of the word under the pointer or with the focus. */
import { element, wordTip } from './words.js';

const MARGIN_PX = 8;

export class WordTip {
  node = element('div', 'word-tip');

  constructor() {
    this.node.setAttribute('role', 'tooltip');
    this.node.id = `word-tip-${Math.random().toString(36).slice(2)}`;
    this.node.hidden = true;
  }

  /**
   * @param {HTMLElement} at
   * @param {import('../client/types.js').Word} word
   */
  show(at, word) {
    this.node.textContent = wordTip(word);
    this.node.hidden = false;
    const box = at.getBoundingClientRect();
    const half = this.node.offsetWidth / 2;
    const x = Math.max(half + MARGIN_PX, Math.min(innerWidth - half - MARGIN_PX, box.left + box.width / 2));
    this.node.style.setProperty('--x', `${x}px`);
    this.node.style.setProperty('--y', `${box.top}px`);
  }

  hide() {
    this.node.hidden = true;
  }
}
