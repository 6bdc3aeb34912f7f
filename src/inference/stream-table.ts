/**
 * The stream table: a fixed number of slots, decided at start. A slot is leased with a generation; a slot whose
 * step is still in a lane when it is given back is not leased again before that step has returned, so that a late
 * result can never reach the next tenant.
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
  /** By number of the place: whose it is. */
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

  /** A slot for `owner`, zeroed, or null when the table is full. */
  lease(owner: SlotOwner, bulk = false): Slot | null {
    const slot = this.vacant.pop();
    if (!slot) return null;
    slot.generation++;
    slot.owner = owner;
    slot.bulk = bulk;
    slot.restart();
    return slot;
  }

  /** Gives a slot back. One that is in a lane becomes vacant when its step returns. */
  release(slot: Slot): void {
    if (slot.owner === null) return;
    slot.owner = null;
    slot.generation++;
    if (!slot.inFlight) this.reclaim(slot);
  }

  /** The slot that has a place now. */
  at(place: number): Slot {
    return this.byPlace[place]!; // lanes are given no other numbers
  }

  /**
   * Moves a tenant away from a place where a step hangs. The place is nobody's until that step returns: it is the place of
   * a slot that cannot be leased, and goes back to the table with it. @returns false if no place is vacant
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

  /** A slot without a tenant and without a step under way may be leased again. */
  reclaim(slot: Slot): void {
    slot.restart();
    this.vacant.push(slot);
  }
}
