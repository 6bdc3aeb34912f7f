/** How often each of many things is used now. What is not used takes no memory. */
export class Uses {
  private readonly counts = new Map<string, number>();

  of(id: string): number {
    return this.counts.get(id) ?? 0;
  }

  add(id: string): void {
    this.counts.set(id, this.of(id) + 1);
  }

  drop(id: string): void {
    const left = this.of(id) - 1;
    if (left > 0) this.counts.set(id, left);
    else this.counts.delete(id);
  }
}
