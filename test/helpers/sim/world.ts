/**
 * Virtual time: one queue of events for everything that happens in a simulated fleet. Timers, immediates and clocks of the
 * whole process are those of the world while it runs; after each event all promises are drained, so that the order of
 * events is a function of the seed. Each event belongs to a process, which may be stopped for a while or die.
 */
import { seeded } from '../cut-runs.js';

/** One simulated process. */
export class Process {
  readonly name: string;
  /** A dead one's events vanish. */
  isAlive = true;
  /** Stopped, as by SIGSTOP, until then, milliseconds: its events wait. */
  stoppedUntilMs = 0;
  /** What its wall clock is off by, milliseconds. */
  wallOffsetMs = 0;
  /** Timers that are set, intervals included. */
  timers = 0;

  constructor(name: string) {
    this.name = name;
  }
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly owner: Process;
  readonly what: string;
  readonly act: () => void;
}

/** What `setTimeout` and the like give back, as far as anybody uses it. */
class Timer {
  isSet = true;
  readonly owner: Process;

  constructor(owner: Process) {
    this.owner = owner;
    owner.timers++;
  }

  clear(): void {
    if (this.isSet) this.owner.timers--;
    this.isSet = false;
  }

  ref = (): this => this;
  unref = (): this => this;
  hasRef = (): boolean => false;
}

const START_MS = Date.UTC(2026, 0, 1);
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
};
const realNow = Date.now;

export class World {
  nowMs = 0;
  /** Events that have happened. */
  count = 0;
  /** Whose event is under way. */
  current: Process;
  /** Everything that is nobody's: the network, the store, faults. */
  readonly nature = new Process('nature');
  readonly random: () => number;
  /** What went wrong, with the number of the event. */
  readonly failures: string[] = [];
  readonly trace: string[] = [];
  /** Of those, only the newest are kept. */
  mostTraced = Number.POSITIVE_INFINITY;
  private heap: Event[] = [];
  private order = 0;

  constructor(seed: number) {
    this.random = seeded(seed);
    this.current = this.nature;
  }

  // ---- dice ---------------------------------------------------------------------------------------------------

  between(low: number, high: number): number {
    return low + (high - low) * this.random();
  }

  pick<T>(these: readonly T[]): T {
    const one = these[Math.floor(this.random() * these.length)];
    if (one === undefined) throw new Error('There is nothing to pick from.');
    return one;
  }

  // ---- events -------------------------------------------------------------------------------------------------

  /** Lets something happen to a process after a while; one that dies before does not see it. */
  after(ms: number, owner: Process, what: string, act: () => void): void {
    this.push({ atMs: this.nowMs + Math.max(0, ms), order: this.order++, owner, what, act });
  }

  log(what: string): void {
    this.trace.push(`#${this.count} ${(this.nowMs / 1000).toFixed(3)} ${this.current.name}: ${what}`);
    if (this.trace.length > 2 * this.mostTraced) this.trace.splice(0, this.mostTraced);
  }

  fail(what: string): void {
    this.log(`FAILED ${what}`);
    this.failures.push(`event ${this.count}, ${(this.nowMs / 1000).toFixed(3)} s: ${what}`);
  }

  /** Runs events until `isOver` says so or `untilMs` is reached. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver()) {
      const next = this.heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.pop();
      if (!next.owner.isAlive) continue;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (next.owner.stoppedUntilMs > this.nowMs) {
        this.push({ ...next, atMs: next.owner.stoppedUntilMs }); // the order among those that wait stays
        continue;
      }
      await this.happen(next);
    }
    if (!isOver()) this.nowMs = untilMs;
  }

  private async happen({ owner, what, act }: Event): Promise<void> {
    this.count++;
    this.current = owner;
    if (what !== '') this.log(what);
    try {
      act();
    } catch (error) {
      this.fail(`uncaught in ${owner.name}: ${error instanceof Error ? error.stack : error}`);
    }
    await new Promise<void>((resolve) => void real.setImmediate(resolve));
    this.current = this.nature;
  }

  private push(event: Event): void {
    const { heap } = this;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!isBefore(event, heap[up]!)) break; // within
      heap[i] = heap[up]!; // within
      i = up;
    }
    heap[i] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1]!, heap[down]!)) down++; // within
      if (!isBefore(heap[down]!, last)) break; // within
      heap[i] = heap[down]!; // within
      i = down;
    }
    heap[i] = last;
  }

  // ---- the process's clocks -------------------------------------------------------------------------------------

  /** Puts the world's clocks in the place of the process's. @returns puts them back */
  install(): () => void {
    const once = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const timer = new Timer(this.current);
      const fire = () => {
        if (!timer.isSet) return;
        timer.clear();
        callback(...args);
      };
      this.after(ms > 0 ? ms : 1, timer.owner, '', fire);
      return timer;
    };
    const soon = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
      const timer = new Timer(this.current);
      const fire = () => {
        if (!timer.isSet) return;
        timer.clear();
        callback(...args);
      };
      this.after(0, timer.owner, '', fire);
      return timer;
    };
    const again = (callback: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) => {
      const timer = new Timer(this.current);
      const fire = () => {
        if (!timer.isSet) return;
        this.after(ms, timer.owner, '', fire);
        callback(...args);
      };
      this.after(ms, timer.owner, '', fire);
      return timer;
    };
    const clear = (timer: unknown) => {
      if (timer instanceof Timer) timer.clear();
      else real.clearTimeout(timer as NodeJS.Timeout);
    };
    const onCrash = (error: unknown) =>
      this.fail(`crash of ${this.current.name}: ${error instanceof Error ? error.stack : error}`);
    Object.assign(globalThis, { setTimeout: once, setInterval: again, setImmediate: soon });
    Object.assign(globalThis, { clearTimeout: clear, clearInterval: clear, clearImmediate: clear });
    Date.now = () => START_MS + Math.floor(this.nowMs) + this.current.wallOffsetMs;
    Object.defineProperty(performance, 'now', { value: () => this.nowMs, configurable: true });
    process.on('uncaughtException', onCrash);
    process.on('unhandledRejection', onCrash);
    return () => {
      Object.assign(globalThis, real);
      Date.now = realNow;
      Reflect.deleteProperty(performance, 'now'); // what stands behind it is the prototype's
      process.off('uncaughtException', onCrash);
      process.off('unhandledRejection', onCrash);
    };
  }
}

const isBefore = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
