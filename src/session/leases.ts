/**
 * Leases of slots for recordings. A session has a slot only while it records; at most as many as the rated capacity are
 * leased at once.
 */
import type { Engine } from '../inference/engine.js';
import type { Slot, SlotOwner } from '../inference/stream-table.js';

export interface Leases {
  /** Slots leased to live recordings of the server. */
  readonly active: number;
  /**
   * A slot for `owner`, or null if the server is full.
   * @param admitted another server of the fleet admitted it: only a full table refuses it, not the rated capacity
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  take(owner: SlotOwner, admitted?: boolean): Slot | null;
  /** Only once nothing writes to its ring any more. */
  give(slot: Slot): void;
}

export class StreamLeases implements Leases {
  /** Slots leased to live recordings; uploads lease theirs from the engine directly. */
  active = 0;
  private readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Whether a new recording would be refused. Uploads and running steps count too, since they hold slots. */
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

/** The number of streams that an access key may have at once. */
export interface StreamPlaces {
  /**
   * @param admitted another server of the fleet counted it: the key's limit does not apply
   * @throws ServerError KEY_LIMIT, UNAUTHORIZED
   */
  takeStream(admitted?: boolean): void;
  giveStream(): void;
}

/** The leases of one client, limited by its key and by the server. */
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
