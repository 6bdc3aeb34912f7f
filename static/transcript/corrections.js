/** Manual corrections of words. Pure: a segment is not changed; the corrected one is a new object. */
import { joinTexts } from '../transcript-formats.js';

/**
 * @typedef {import('../client/types.js').Segment} Segment
 * @typedef {import('../client/types.js').Word} Word
 */

/**
 * @param {Segment} segment
 * @param {number} index Of the word.
 * @param {string} text What was said: one word, several or none. What was heard at first takes the correction back.
 * @returns {Segment} With the word's time and confidence as they were, and `heard` beside it.
 */
export function correctWord(segment, index, text) {
  const words = segment.words.map((word, i) => (i === index ? corrected(word, text) : word));
  const whole = joinTexts(words.map(({ word }) => word).filter((word) => word !== ''));
  return { ...segment, words, text: whole };
}

/**
 * @param {Word} word
 * @param {string} text
 * @returns {Word}
 */
function corrected({ heard, ...word }, text) {
  const before = heard ?? word.word;
  const now = text.trim().replace(/\s+/g, ' ');
  return now === before ? { ...word, word: before } : { ...word, word: now, heard: before };
}
