/** What was told over all that broke, against what is told without it. */
import { isDeepStrictEqual } from 'node:util';
import type { Said } from '../../../test/helpers/fleet-speaker.js';

export interface Comparison {
  readonly words: number;
  readonly events: number;
  readonly words_lost: number;
  readonly words_added: number;
  readonly speakers_that_differ: number;
}

/** The length of the longest sequence of words that both have in this order. */
function inCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    const next = new Uint32Array(b.length + 1);
    for (let j = 0; j < b.length; j++)
      next[j + 1] = word === b[j] ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!); // within
    row = next;
  }
  return row[b.length] ?? 0;
}

function tellDifference(i: number, told: readonly unknown[], wanted: readonly unknown[]): void {
  const at = wanted.findIndex((event, n) => !isDeepStrictEqual(event, told[n]));
  const n = at === -1 ? wanted.length : at;
  process.stderr.write(
    `speaker ${i}, event ${n} of ${wanted.length}:\n  told   ${JSON.stringify(told[n])}\n  wanted ${JSON.stringify(wanted[n])}\n`,
  );
}

export function compare(disturbed: readonly Said[], undisturbed: readonly Said[]): Comparison {
  const sums = { words: 0, events: 0, words_lost: 0, words_added: 0, speakers_that_differ: 0 };
  for (const [i, wanted] of undisturbed.entries()) {
    const { told, answers, words } = disturbed[i] ?? { told: [], answers: [], words: [] };
    const common = inCommon(wanted.words, words);
    sums.words += wanted.words.length;
    sums.events += wanted.told.length + wanted.answers.length;
    sums.words_lost += wanted.words.length - common;
    sums.words_added += words.length - common;
    if (isDeepStrictEqual(told, wanted.told) && isDeepStrictEqual(answers, wanted.answers)) continue;
    sums.speakers_that_differ++;
    tellDifference(i, [...told, ...answers], [...wanted.told, ...wanted.answers]);
  }
  return sums;
}
