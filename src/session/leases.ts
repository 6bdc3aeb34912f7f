/** The slots of recordings: a session has one only while it records, and at most the rated number is lent at once. */
import type { Engine } from '../inference/engine.js';
import type { Slot, SlotOwner } from '../inference/stream-table.js';

export class StreamLeases {
  /** Slots lent to live recordings; uploads have theirs from the engine itself. */
  active = 0;
  private readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** A recording that would begin now is refused. Uploads and steps under way count too: they hold slots. */
  get full(): boolean {
    return this.active >= this.engine.capacity.streams || this.engine.table.vacancies === 0;
  }

  /** A slot for `owner`, or null if the server is full. */
  take(owner: SlotOwner): Slot | null {
    const slot = this.full ? null : this.engine.lease(owner);
    if (slot !== null) this.active++;
    return slot;
  }

  /** Only when nobody writes to its ring any more. */
  give(slot: Slot): void {
    this.active--;
    this.engine.release(slot);
  }
}
