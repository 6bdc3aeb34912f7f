/** The slots of recordings: a session has one only while it records, and at most the rated number is lent at once. */
import type { Engine } from '../inference/engine.js';
import type { Slot, SlotOwner } from '../inference/stream-table.js';

export interface Leases {
  /** Slots lent to all live recordings of the server. */
  readonly active: number;
  /**
   * A slot for `owner`, or null if the server is full.
   * @param admitted another server of the fleet has admitted it: the rated number does not keep it out, only a full table
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  take(owner: SlotOwner, admitted?: boolean): Slot | null;
  /** Only when nobody writes to its ring any more. */
  give(slot: Slot): void;
}

export class StreamLeases implements Leases {
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

  take(owner: SlotOwner, admitted = false): Slot | null {
    const slot = this.full && !admitted ? null : this.engine.lease(owner);
    if (slot !== null) this.active++;
    return slot;
  }

  give(slot: Slot): void {
    this.active--;
    this.engine.release(slot);
  }
}

/** The streams that one access key may have at once. */
export interface StreamPlaces {
  /**
   * @param admitted another server of the fleet has counted it: the key's limit does not keep it out
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  takeStream(admitted?: boolean): void;
  giveStream(): void;
}

/** The leases of one client: within the bounds of its key, and of the server. */
export class KeyLeases implements Leases {
  private readonly all: Leases;
  private readonly places: StreamPlaces;

  constructor(all: Leases, places: StreamPlaces) {
    this.all = all;
    this.places = places;
  }

  get active(): number {
    return this.all.active;
  }

  take(owner: SlotOwner, admitted = false): Slot | null {
    this.places.takeStream(admitted);
    const slot = this.all.take(owner, admitted);
    if (slot === null) this.places.giveStream();
    return slot;
  }

  give(slot: Slot): void {
    this.all.give(slot);
    this.places.giveStream();
  }
}
