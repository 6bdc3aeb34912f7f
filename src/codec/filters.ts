/**
 * The filters of a thread that resamples streams. Those of common rates are its own; those of odd rates are copies from
 * the slab.
 */
import { type Filter, filterFor, filterOf } from '../audio/filter.js';
import { tableAt } from './odd-rates.js';

/** Instead of a place, for a common rate. */
export const NO_PLACE = -1;

export class StreamFilters {
  private readonly slab: SharedArrayBuffer | undefined;
  /** Indexed by place. */
  private readonly copies: ({ readonly version: number; readonly filter: Filter } | undefined)[] = [];

  constructor(slab?: SharedArrayBuffer) {
    this.slab = slab;
  }

  /** The filter of a job: that of a common rate, or else the table in its place, copied if its version is new. */
  get(rateHz: number, place: number, version: number): Filter {
    if (place === NO_PLACE) return filterFor(rateHz);
    const known = this.copies[place];
    if (known?.version === version) return known.filter;
    if (this.slab === undefined) throw new Error('This thread has no filters of odd rates.');
    const table = tableAt(this.slab, place, rateHz);
    const filter = filterOf(rateHz, (copy) => copy.set(table));
    this.copies[place] = { version, filter };
    return filter;
  }
}
