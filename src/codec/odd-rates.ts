/**
 * Filters of odd sample rates, that is, all but the common ones. Designing one takes tens of milliseconds, so a
 * separate thread does it, in shared memory from which the streams' threads copy it. Clients choose their rates, so
 * there are limits: on the number of odd rates at once, and on the designer's share of a core, since it rests four
 * times as long as it works.
 *
 *   filter slab:  | table of place 0 | place 1 | …
 *
 * A place belongs to a rate while a stream uses that rate. After that it stays until another rate needs it; the least
 * recently used is replaced first.
 */
import { MAX_TABLE_LENGTH, tableLength } from '../audio/filter.js';
import { ServerError, toServerError } from '../errors.js';

export const filterSlabBytes = (places: number): number => places * MAX_TABLE_LENGTH * 4;

/** A place's table for a rate, float32. */
export const tableAt = (slab: SharedArrayBuffer, place: number, rateHz: number): Float32Array =>
  new Float32Array(slab, place * MAX_TABLE_LENGTH * 4, tableLength(rateHz));

/** What a thread is to design, and where. */
export interface DesignTask {
  readonly rateHz: number;
  readonly place: number;
}

/** A stream's hold on the filter of its rate. */
export interface FilterLease {
  readonly place: number;
  /** Increases with each design, so that a thread can tell whether its copy of a place is still current. */
  readonly version: number;
  /** The table is in its place. */
  readonly ready: boolean;
  /** To be called once, when no job uses it any more. */
  release(): void;
}

/** Called once, when a filter becomes ready or has failed. */
type Tell = (error: ServerError | null) => void;

interface Entry {
  readonly rateHz: number;
  readonly place: number;
  readonly version: number;
  state: 'waiting' | 'designing' | 'ready';
  users: number;
  readonly waiting: Set<Tell>;
}

/** The designer rests this many times as long as it worked, so it uses at most a fifth of one core. */
const REST = 4;

export class OddRates {
  private readonly design: (task: DesignTask) => Promise<unknown>;
  private readonly now: () => number;
  private readonly vacant: number[];
  /** By rate, least recently used first. */
  private readonly entries = new Map<number, Entry>();
  private queue: Entry[] = [];
  private busy = false;
  private closed = false;
  private rest: NodeJS.Timeout | undefined;
  private versions = 0;

  constructor(places: number, design: (task: DesignTask) => Promise<unknown>, now = () => performance.now()) {
    this.design = design;
    this.now = now;
    this.vacant = Array.from({ length: places }, (_, index) => places - 1 - index);
  }

  /** @throws ServerError TOO_MANY_RATES when streams of other rates have all places */
  lease(rateHz: number, tell: Tell): FilterLease {
    const entry = this.entries.get(rateHz) ?? this.admit(rateHz);
    this.entries.delete(rateHz);
    this.entries.set(rateHz, entry);
    entry.users++;
    if (entry.state !== 'ready') entry.waiting.add(tell);
    let held = true;
    return {
      place: entry.place,
      version: entry.version,
      get ready() {
        return entry.state === 'ready';
      },
      release: () => {
        if (!held) return;
        held = false;
        entry.waiting.delete(tell);
        if (--entry.users === 0 && entry.state === 'waiting') this.forget(entry);
      },
    };
  }

  close(): void {
    clearTimeout(this.rest);
    this.queue = [];
    this.closed = true;
  }

  private admit(rateHz: number): Entry {
    const place = this.vacant.pop() ?? this.evict();
    if (place === undefined) {
      throw new ServerError('TOO_MANY_RATES', `${this.entries.size} are in use, besides the common ones.`);
    }
    const version = ++this.versions;
    const entry: Entry = { rateHz, place, version, state: 'waiting', users: 0, waiting: new Set() };
    this.entries.set(rateHz, entry);
    this.queue.push(entry);
    this.designNext();
    return entry;
  }

  /** The place of the least recently used unused rate. */
  private evict(): number | undefined {
    for (const { rateHz, place, users, state } of this.entries.values()) {
      if (users > 0 || state === 'designing') continue;
      this.entries.delete(rateHz);
      return place;
    }
    return undefined;
  }

  private forget(entry: Entry): void {
    this.queue = this.queue.filter((it) => it !== entry);
    this.entries.delete(entry.rateHz);
    this.vacant.push(entry.place);
  }

  private designNext(): void {
    if (this.busy || this.closed) return;
    const entry = this.queue.shift();
    if (entry === undefined) return;
    this.busy = true;
    void this.designOne(entry);
  }

  private async designOne(entry: Entry): Promise<void> {
    entry.state = 'designing';
    const startedMs = this.now();
    let error: ServerError | null = null;
    try {
      await this.design({ rateHz: entry.rateHz, place: entry.place });
      entry.state = 'ready';
    } catch (thrown) {
      error = toServerError(thrown);
      this.forget(entry); // the next request for the rate tries again
    }
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    for (const tell of waiting) tell(error);
    const restMs = REST * (this.now() - startedMs);
    this.rest = setTimeout(() => {
      this.busy = false;
      this.designNext();
    }, restMs);
  }
}
