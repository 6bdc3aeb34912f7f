/**
 * First-in-first-out queues of slots, linked through preallocated arrays. A slot is in at most one queue and can be
 * removed from the middle (a flush overtakes live audio).
 */
export class SlotQueues {
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly member: Int8Array;
  private readonly heads: Int32Array;
  private readonly tails: Int32Array;
  private readonly counts: Int32Array;

  constructor(slots: number, queues: number) {
    this.next = new Int32Array(slots).fill(-1);
    this.previous = new Int32Array(slots).fill(-1);
    this.member = new Int8Array(slots).fill(-1);
    this.heads = new Int32Array(queues).fill(-1);
    this.tails = new Int32Array(queues).fill(-1);
    this.counts = new Int32Array(queues);
  }

  size(queue: number): number {
    return this.counts[queue]!;
  }

  /** The queue that a slot is in, or −1. */
  queueOf(slot: number): number {
    return this.member[slot]!;
  }

  /** Appends a slot to a queue and removes it from any other queue. No effect if it is already in this queue. */
  push(queue: number, slot: number): void {
    if (this.member[slot] === queue) return;
    this.remove(slot);
    const tail = this.tails[queue]!;
    if (tail < 0) this.heads[queue] = slot;
    else this.next[tail] = slot;
    this.previous[slot] = tail;
    this.tails[queue] = slot;
    this.member[slot] = queue;
    this.counts[queue]!++;
  }

  /** The first slot of a queue, or −1. */
  first(queue: number): number {
    return this.heads[queue]!;
  }

  /** Removes and returns the first slot of a queue, or −1. */
  shift(queue: number): number {
    const slot = this.heads[queue]!;
    if (slot >= 0) this.remove(slot);
    return slot;
  }

  remove(slot: number): void {
    const queue = this.member[slot]!;
    if (queue < 0) return;
    const before = this.previous[slot]!;
    const after = this.next[slot]!;
    if (before < 0) this.heads[queue] = after;
    else this.next[before] = after;
    if (after < 0) this.tails[queue] = before;
    else this.previous[after] = before;
    this.next[slot] = -1;
    this.previous[slot] = -1;
    this.member[slot] = -1;
    this.counts[queue]!--;
  }
}
