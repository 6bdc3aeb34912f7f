/**
 * A place in the slab: all that a lane knows of a stream by one number. The stream's ring is not among it, the place only names
 * it. A stream leaves its place when a step on it hangs, since that step may still write there; its ring stays with it,
 * since a lane never writes to one.
 */
import { BANK, bankAt, HEADER_INTS, type ResultViews, resultViews, type SlabLayout } from './layout.js';

export class Place {
  /** What the lanes call it. */
  readonly number: number;
  readonly header: Int32Array;
  readonly result: ResultViews;
  readonly hotwords: Int32Array;
  private readonly slab: SharedArrayBuffer;
  private readonly layout: SlabLayout;

  constructor(number: number, slab: SharedArrayBuffer, layout: SlabLayout) {
    this.number = number;
    this.slab = slab;
    this.layout = layout;
    this.header = new Int32Array(slab, layout.headerAt + number * HEADER_INTS * 4, HEADER_INTS);
    const hotwordsAt = layout.hotwordsAt + number * layout.hotwordInts * 4;
    this.hotwords = new Int32Array(slab, hotwordsAt, layout.hotwordInts);
    this.result = resultViews(slab, layout, number);
  }

  /** The bank that holds the committed state: a lane under way writes to the other. */
  bank(): Uint8Array {
    const at = bankAt(this.layout, this.number, this.header[BANK]!); // a field of it
    return new Uint8Array(this.slab, at, this.layout.stateBytes);
  }

  /** Takes over all that the next step on the other depends on. Whatever a lane writes there meanwhile is not of it. */
  copy(other: Place): void {
    this.header.set(other.header);
    this.hotwords.set(other.hotwords);
    this.bank().set(other.bank());
  }
}
