/**
 * The stream table: a number of slots fixed at the start. If a slot is released while its step is still in a lane, it
 * is not leased again before that step has returned. A late result thus never reaches the next owner.
 */
import type { SlabLayout } from './layout.js';
import { reserve } from './memory.js';
import { Slot, type SlotOwner } from './slot.js';

export * from './slot.js';

export class StreamTable {
  readonly slab: SharedArrayBuffer;
  readonly layout: SlabLayout;
  readonly slots: readonly Slot[];
  private readonly vacant: Slot[] = [];
  /** The slot of each place, by number. */
  private readonly byPlace: Slot[];

  constructor(layout: SlabLayout, onReady: (slot: Slot) => void, now = () => performance.now()) {
    this.layout = layout;
    this.slab = reserve(layout.bytes);
    this.slots = Array.from({ length: layout.slots }, (_, i) => new Slot(i, this.slab, layout, onReady, now));
    this.byPlace = [...this.slots];
    this.vacant.push(...[...this.slots].reverse());
  }

  get vacancies(): number {
    return this.vacant.length;
  }

  get leased(): number {
    return this.slots.length - this.vacant.length;
  }

  /** A zeroed slot for `owner`, or null if the table is full. */
  lease(owner: SlotOwner, bulk = false): Slot | null {
    const slot = this.vacant.pop();
    if (!slot) return null;
    slot.generation++;
    slot.owner = owner;
    slot.bulk = bulk;
    slot.restart();
    return slot;
  }

  /** Releases a slot. If it is in a lane, it becomes vacant when its step returns. */
  release(slot: Slot): void {
    if (slot.owner === null) return;
    slot.owner = null;
    slot.generation++;
    if (!slot.inFlight) this.reclaim(slot);
  }

  /** The slot that currently has a place. */
  at(place: number): Slot {
    return this.byPlace[place]!; // lanes receive no other numbers
  }

  /**
   * Moves a stream away from a place where a step hangs. The place stays reserved until that step returns: it belongs
   * to a slot that cannot be leased, and becomes vacant with it.
   * @returns false if no place is vacant
   */
  evacuate(slot: Slot): boolean {
    const vacant = this.vacant.pop();
    if (vacant === undefined) return false;
    slot.exchangePlaces(vacant);
    this.byPlace[slot.place] = slot;
    this.byPlace[vacant.place] = vacant;
    slot.inFlight = false;
    vacant.inFlight = true;
    return true;
  }

  /** A slot without an owner and without a running step may be leased again. */
  reclaim(slot: Slot): void {
    slot.restart();
    this.vacant.push(slot);
  }
}
