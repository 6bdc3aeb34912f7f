/** How alike two recordings are, for what codecs lose and delay. */

export interface Likeness {
  /** 1: the same but for its level. */
  readonly correlation: number;
  /** Samples that the first is behind the second. */
  readonly shift: number;
}

/** The best correlation over shifts of up to `reach` samples; of the second, all but `reach` at both ends counts. */
export function likeness(a: Int16Array, b: Int16Array, reach: number): Likeness {
  let best: Likeness = { correlation: -1, shift: 0 };
  for (let shift = -reach; shift <= reach; shift += 1) {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = reach; i < b.length - reach; i += 7) {
      const [x, y] = [a[i + shift] ?? 0, b[i]!];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    const correlation = aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
    if (correlation > best.correlation) best = { correlation, shift };
  }
  return best;
}
