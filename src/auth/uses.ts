/**
 * Current use of each counter: on this server, and on the other servers of the fleet as far as known. Unused counters
 * take no memory.
 */

/** The fleet's part (sharing.ts). */
interface Fleet {
  others(id: string): number;
  watch(id: string): void;
  onChange(id: string): void;
}

export class Uses {
  private readonly counts = new Map<string, number>();
  private fleet: Fleet | null = null;

  /** From now on, use is reported to the fleet, and the use of its other servers counts too. */
  join(fleet: Fleet): void {
    this.fleet = fleet;
  }

  /** On this server. */
  of(id: string): number {
    return this.counts.get(id) ?? 0;
  }

  /** On all servers. */
  total(id: string): number {
    return this.of(id) + (this.fleet?.others(id) ?? 0);
  }

  add(id: string): void {
    this.counts.set(id, this.of(id) + 1);
    this.fleet?.onChange(id);
  }

  drop(id: string): void {
    const left = this.of(id) - 1;
    if (left > 0) this.counts.set(id, left);
    else this.counts.delete(id);
    this.fleet?.onChange(id);
  }

  /** The counter is in use or will be needed soon: exchange it with the fleet. */
  watch(id: string): void {
    this.fleet?.watch(id);
  }
}
