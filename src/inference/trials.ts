/**
 * The search for the stream that makes a step fail. A batch that failed comes back as its two halves, each to be run
 * as a batch of its own, and so on down to the stream that fails alone: log2(64) = 6 halvings find it, and nobody who
 * was merely beside it is blamed.
 *
 *     0 1 2 3 4 5 6 7 ✗  →  0 1 2 3 ✓   4 5 6 7 ✗  →  4 5 ✗   6 7 ✓  →  4 ✓   5 ✗  →  5 ✗  →  5 ✗ given up
 *
 * First in, first out: between two failures on the way down the other half has its turn, so a lane sees few in a row.
 */
export class Trials {
  /** Slots that are to be run together, oldest group first. Each slot stands in at most one group. */
  private readonly groups: number[][] = [];
  private readonly suspects = new Set<number>();

  /** Slots that wait for their trial. */
  get waiting(): number {
    return this.suspects.size;
  }

  has(slot: number): boolean {
    return this.suspects.has(slot);
  }

  /** What failed together is tried in halves; what failed alone, alone. */
  add(failed: readonly number[]): void {
    const half = Math.ceil(failed.length / 2);
    for (const group of [failed.slice(0, half), failed.slice(half)]) {
      if (group.length === 0) continue;
      this.groups.push(group);
      for (const slot of group) this.suspects.add(slot);
    }
  }

  /** The group that waits longest, which is then under trial; null if none waits. */
  take(): readonly number[] | null {
    for (let group = this.groups.shift(); group !== undefined; group = this.groups.shift()) {
      const left = group.filter((slot) => this.suspects.delete(slot));
      if (left.length > 0) return left;
    }
    return null;
  }

  /** A tenant leaves: its slot is nobody's suspect any more. */
  drop(slot: number): void {
    if (!this.suspects.delete(slot)) return;
    const group = this.groups.find((it) => it.includes(slot));
    group?.splice(group.indexOf(slot), 1);
  }
}
