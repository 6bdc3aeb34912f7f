/**
 * Finds the stream that makes a step fail. A failed batch is split into halves, each of which runs as its own batch,
 * and so on until a stream fails alone. With 64 streams that takes log2(64) = 6 splits, and the other streams of the
 * batch do not fail.
 *
 *     0 1 2 3 4 5 6 7 ✗  →  0 1 2 3 ✓   4 5 6 7 ✗  →  4 5 ✗   6 7 ✓  →  4 ✓   5 ✗  →  5 ✗  →  5 ✗ given up
 *
 * Groups are tried first in, first out. The other half thus runs between two failures, and a lane has few failures in a
 * row.
 */
export class Trials {
  /** Slots to be run together, oldest group first. Each slot is in at most one group. */
  private readonly groups: number[][] = [];
  private readonly suspects = new Set<number>();

  /** Slots that wait for their trial. */
  get waiting(): number {
    return this.suspects.size;
  }

  has(slot: number): boolean {
    return this.suspects.has(slot);
  }

  /** Adds the halves of a batch that failed, or a single stream that failed alone. */
  add(failed: readonly number[]): void {
    const half = Math.ceil(failed.length / 2);
    for (const group of [failed.slice(0, half), failed.slice(half)]) {
      if (group.length === 0) continue;
      this.groups.push(group);
      for (const slot of group) this.suspects.add(slot);
    }
  }

  /** Adds a stream that runs alone, because a step with it hung. */
  addAlone(slot: number): void {
    this.groups.push([slot]);
    this.suspects.add(slot);
  }

  /** The group that has waited longest, which is then under trial; null if none waits. */
  take(): readonly number[] | null {
    for (let group = this.groups.shift(); group !== undefined; group = this.groups.shift()) {
      const left = group.filter((slot) => this.suspects.delete(slot));
      if (left.length > 0) return left;
    }
    return null;
  }

  /** Removes a slot whose stream has ended. */
  drop(slot: number): void {
    if (!this.suspects.delete(slot)) return;
    const group = this.groups.find((it) => it.includes(slot));
    group?.splice(group.indexOf(slot), 1);
  }
}
