/**
 * Word error rate: the fewest insertions, deletions and substitutions that turn `heard` into `said`, divided by the
 * number of words in `said`.
 */

export const normalise = (text) =>
  text
    .toLowerCase()
    .replace(/[^a-z' ]+/g, ' ')
    .split(' ')
    .filter(Boolean);

export function wordErrorRate(said, heard) {
  const reference = normalise(said);
  const hypothesis = normalise(heard);
  if (reference.length === 0) throw new Error('The reference has no words.');
  let row = hypothesis.map((_, i) => i + 1);
  row.unshift(0);
  for (let i = 1; i <= reference.length; i++) {
    const next = [i];
    for (let j = 1; j <= hypothesis.length; j++) {
      const substituted = row[j - 1] + (reference[i - 1] === hypothesis[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[hypothesis.length] / reference.length;
}
