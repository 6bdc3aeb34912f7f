/** Finds the words in which two transcripts differ. Pure. */

/** With more comparisons than this, the differing part of two texts counts as completely different. */
const MOST_COMPARED = 4_000_000;

/**
 * Key by which two words are equal to a reader: capitals and punctuation do not count.
 * @param {string} word
 */
const keyOf = (word) => word.toLowerCase().replace(/[^\p{L}\p{N}']/gu, '') || word;

/**
 * Words that are not in the other text at the same place: those outside the longest common subsequence.
 * @param {string[]} a
 * @param {string[]} b
 * @returns {{ a: boolean[], b: boolean[] }} For each word, whether it differs.
 */
export function differences(a, b) {
  const keysA = a.map(keyOf);
  const keysB = b.map(keyOf);
  const differs = { a: a.map(() => true), b: b.map(() => true) };
  let start = 0;
  while (start < a.length && start < b.length && keysA[start] === keysB[start]) start += 1;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && keysA[endA - 1] === keysB[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  differs.a.fill(false, 0, start).fill(false, endA);
  differs.b.fill(false, 0, start).fill(false, endB);
  for (const [i, j] of commonWords(keysA.slice(start, endA), keysB.slice(start, endB))) {
    differs.a[start + i] = false;
    differs.b[start + j] = false;
  }
  return differs;
}

/**
 * The same while recording: words at the end do not count, since the other server may not have sent them yet.
 * @param {string[]} a
 * @param {string[]} b
 */
export function differencesSoFar(a, b) {
  const differs = differences(a, b);
  const [lastA, lastB] = [differs.a.lastIndexOf(false), differs.b.lastIndexOf(false)];
  if (lastA === a.length - 1) differs.b.fill(false, lastB + 1);
  if (lastB === b.length - 1) differs.a.fill(false, lastA + 1);
  return differs;
}

/**
 * The longest common subsequence.
 * @param {string[]} a
 * @param {string[]} b
 * @returns {[number, number][]} Pairs of places.
 */
function commonWords(a, b) {
  const width = b.length + 1;
  if ((a.length + 1) * width > MOST_COMPARED) return [];
  /** The length for a from i on and b from j on, at i · width + j. */
  const lengths = new Uint16Array((a.length + 1) * width);
  const at = (/** @type {number} */ i, /** @type {number} */ j) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? 1 + at(i + 1, j + 1) : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  /** @type {[number, number][]} */
  const pairs = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      pairs.push([i, j]);
      i += 1;
      j += 1;
    } else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return pairs;
}
