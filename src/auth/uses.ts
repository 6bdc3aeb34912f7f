/**
 * How often each of many things is used now: here, and on the other servers of the fleet as far as is known. What is not used
 * takes no memory.
 */

/** What a fleet adds (sharing.ts). */
interface Fleet {
  others(id: string): number;
  watch(id: string): void;
  onChange(id: string): void;
}

export class Uses {
  private readonly counts = new Map<string, number>();
  private fleet: Fleet | null = null;

  /** From now on the fleet is told, and what its others use counts too. */
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

  /** It will be asked for soon, or is used: others are to know of it, and what they use of it is to be known here. */
  watch(id: string): void {
    this.fleet?.watch(id);
  }
}
