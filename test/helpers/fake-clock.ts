/**
 * Time that moves only when a test advances it, for code that takes its clock as `{ now, setTimeout, clearTimeout }`.
 */
export class FakeClock {
  #nowMs = 0;
  #nextId = 1;
  #timers = new Map<number, { dueMs: number; callback: () => void }>();

  readonly now = (): number => this.#nowMs;

  readonly setTimeout = (callback: () => void, delayMs: number): number => {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#timers.set(id, { dueMs: this.#nowMs + delayMs, callback });
    return id;
  };

  readonly clearTimeout = (id: unknown): void => {
    this.#timers.delete(id as number);
  };

  get pending(): number {
    return this.#timers.size;
  }

  /** Time passes while nothing runs: a busy program, or a computer that sleeps. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Advances timer by timer, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers]
        .filter(([, t]) => t.dueMs <= endMs)
        .sort(([, a], [, b]) => a.dueMs - b.dueMs);
      const first = due[0];
      if (!first) break;
      const [id, timer] = first;
      this.#timers.delete(id);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

/** Lets everything that is already resolved run: promises, and promises that they start. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
