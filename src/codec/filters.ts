/** The filters of a thread that resamples streams: common ones are its own, those of odd rates copies of what lies in the slab. */
import { type Filter, filterFor, filterOf } from '../audio/filter.js';
import { tableAt } from './odd-rates.js';

/** Stands for "none" where a place is expected: a common rate. */
export const NO_PLACE = -1;

export class StreamFilters {
  private readonly slab: SharedArrayBuffer | undefined;
  /** By place; as many as there are places. */
  private readonly copies: ({ readonly version: number; readonly filter: Filter } | undefined)[] = [];

  constructor(slab?: SharedArrayBuffer) {
    this.slab = slab;
  }

  /** The filter of a job: of its rate if that is a common one, else what lies in its place since `version`. */
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
