/**
 * Word latency: from the end of a word in the audio, as the *final* result tells it, to the first message that
 * shows the word and is not taken back by a later one. A partial alone cannot tell it: the end that it gives to its
 * newest word is provisional, most often the edge of the chunk, and the word itself may be withdrawn.
 *
 *     const latency = new WordLatency((seconds) => spoken.momentMs(seconds, 0.001));
 *     for (const ms of latency.measure(latency.show(message, { ms: performance.now() }))) …
 *
 * The one implementation for the client library, the pages, the debug tools and the load tests.
 *
 * @typedef {{ ms: number }} Moment When a message was shown. It may be set later, before `measure`.
 * @typedef {{ end: number, shown: Moment }} TimedWord `end`: seconds, of the final result.
 */

/** With more open words than this, only their common beginning and end are compared. */
const MAX_COMPARED = 64;

export class WordLatency {
  #segmentId = Number.NaN;
  /** @type {{ key: string, shown: Moment }[]} The open words, each with the message since which it has stood there. */
  #open = [];

  /** @param {(seconds: number) => number | undefined} momentOf When the audio at a position was spoken, ms. */
  constructor(momentOf) {
    this.momentOf = momentOf;
  }

  /**
   * @param {Record<string, unknown>} message A `partial` or a `transcription` as the server sent it.
   * @param {Moment} shown
   * @returns {TimedWord[]} The words of a final; nothing for a partial.
   */
  show(message, shown) {
    const words = /** @type {Record<string, unknown>[]} */ (
      Array.isArray(message.words) ? message.words : []
    );
    if (message.segment_id !== this.#segmentId) this.#open = [];
    this.#segmentId = Number(message.segment_id);
    this.#open = carryOver(this.#open, words.map(keyOf), shown);
    if (message.type !== 'transcription') return [];
    const timed = words.map(({ end }, i) => ({ end: Number(end), shown: this.#open[i]?.shown ?? shown }));
    this.#open = [];
    return timed;
  }

  /**
   * @param {TimedWord[]} words
   * @returns {number[]} Milliseconds, of the words whose audio is still known.
   */
  measure(words) {
    return words.flatMap(({ end, shown }) => {
      const spokenMs = this.momentOf(end);
      return spokenMs === undefined ? [] : [shown.ms - spokenMs];
    });
  }
}

/**
 * Key by which two words are equal to a reader: capitals and punctuation, which finals may add, do not count.
 * @param {Record<string, unknown>} word
 */
function keyOf({ word }) {
  const text = String(word);
  return text.toLowerCase().replace(/[^\p{L}\p{N}']/gu, '') || text;
}

/**
 * Words that remain keep their time; new words get that of the message.
 * @param {{ key: string, shown: Moment }[]} before
 * @param {string[]} after
 * @param {Moment} shown
 */
function carryOver(before, after, shown) {
  const kept = new Map(
    commonWords(
      before.map((word) => word.key),
      after,
    ),
  );
  return after.map((key, i) => ({ key, shown: before[kept.get(i) ?? -1]?.shown ?? shown }));
}

/**
 * The longest common subsequence, so that an inserted word does not make the following ones new.
 * @param {string[]} before
 * @param {string[]} after
 * @returns {[after: number, before: number][]}
 */
function commonWords(before, after) {
  /** @type {[number, number][]} */
  const pairs = [];
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) {
    pairs.push([start, start]);
    start += 1;
  }
  let [endBefore, endAfter] = [before.length, after.length];
  while (endBefore > start && endAfter > start && before[endBefore - 1] === after[endAfter - 1]) {
    endBefore -= 1;
    endAfter -= 1;
    pairs.push([endAfter, endBefore]);
  }
  const [rows, columns] = [endBefore - start, endAfter - start];
  if (Math.max(rows, columns) > MAX_COMPARED) return pairs;
  const lengths = lcsLengths(before.slice(start, endBefore), after.slice(start, endAfter));
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (before[start + i] === after[start + j]) {
      pairs.push([start + j, start + i]);
      i += 1;
      j += 1;
    } else if ((lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0)) i += 1;
    else j += 1;
  }
  return pairs;
}

/**
 * @param {string[]} a
 * @param {string[]} b
 * @returns {number[][]} At [i][j]: the length for a from i on and b from j on.
 */
function lcsLengths(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const same = a[i] === b[j];
      const row = /** @type {number[]} */ (lengths[i]);
      row[j] = same
        ? 1 + (lengths[i + 1]?.[j + 1] ?? 0)
        : Math.max(lengths[i + 1]?.[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return lengths;
}
