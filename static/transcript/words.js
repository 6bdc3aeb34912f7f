/**
 * A word on the page, and the two parts of what is still open. Pure but for `element`.
 * @typedef {import('../client/types.js').Word} Word
 */
import { clockTime } from '../transcript-formats.js';

/** Words below these confidences are marked "unsure" or "doubtful", by colour and by the style of the underline. */
const UNSURE = 0.7;
const DOUBTFUL = 0.4;
const percent = new Intl.NumberFormat(undefined, { style: 'percent' });

/**
 * @param {number} confidence 0–1.
 * @returns {'sure' | 'unsure' | 'doubtful'}
 */
export function confidenceClass(confidence) {
  if (confidence < DOUBTFUL) return 'doubtful';
  return confidence < UNSURE ? 'unsure' : 'sure';
}

/**
 * Splits the open segment into two parts. The stable part is cut back to a whole word.
 * @param {{ text: string, stable_chars: number }} partial
 * @returns {{ stable: string, open: string }}
 */
export function splitPartial({ text, stable_chars: stableChars }) {
  const inWord = /\S/.test(text[stableChars - 1] ?? ' ') && /\S/.test(text[stableChars] ?? ' ');
  const cut = inWord ? text.lastIndexOf(' ', stableChars) + 1 : stableChars;
  return { stable: text.slice(0, cut), open: text.slice(cut) };
}

/**
 * Shows the current state of a word: marked by its confidence, or as corrected by hand.
 * @param {HTMLElement} node
 * @param {Word} word
 */
export function dressWord(node, word) {
  const corrected = word.heard !== undefined;
  const removed = word.word === '';
  node.classList.remove('sure', 'unsure', 'doubtful', 'edited', 'removed');
  node.classList.add(corrected ? 'edited' : confidenceClass(word.confidence));
  node.classList.toggle('removed', removed);
  // A removed word stays visible and can be restored.
  node.textContent = removed ? (word.heard ?? '') : word.word;
}

/**
 * @param {Word} word
 * @returns {string} What the tip of a word says.
 */
export function wordTip(word) {
  const times = `${clockTime(word.start)}–${clockTime(word.end)}`;
  if (word.heard !== undefined) {
    return `${times} · ${word.word === '' ? 'removed' : 'corrected'}, heard as “${word.heard}”`;
  }
  return `${times} · ${percent.format(word.confidence)} · ${confidenceClass(word.confidence)}`;
}

/**
 * @param {string} name
 * @param {string} className
 * @param {string} [text]
 */
export function element(name, className, text = '') {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

/**
 * @param {HTMLElement} root
 * @returns {HTMLElement[]} Its words in the order of reading.
 */
export function wordsIn(root) {
  return [...root.querySelectorAll('.word')].map((node) => /** @type {HTMLElement} */ (node));
}

/**
 * @param {string} key
 * @param {boolean} rtl Whether the text runs to the left.
 * @returns {number | undefined} How many words a key goes on; undefined for any other key.
 */
export function stepOf(key, rtl) {
  const steps = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1, Home: -Infinity, End: Infinity };
  return /** @type {Record<string, number>} */ (steps)[key];
}
