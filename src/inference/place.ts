/**
 * A place in the slab: everything that a lane knows of a stream, under one number. The stream's ring is not part of it;
 * the place only refers to it. A stream leaves its place when a step on it hangs, since that step may still write
 * there. Its ring stays with it, since a lane never writes to a ring.
 */
import { BANK, bankAt, HEADER_INTS, type ResultViews, resultViews, type SlabLayout } from './layout.js';

export class Place {
  /** Its number in the lanes. */
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

  /** The bank with the committed state; a running step writes to the other. */
  bank(): Uint8Array {
    const at = bankAt(this.layout, this.number, this.header[BANK]!); // a field of it
    return new Uint8Array(this.slab, at, this.layout.stateBytes);
  }

  /**
   * Copies everything from `other` that the next step depends on. Whatever a running step writes there is not part of
   * it.
   */
  copy(other: Place): void {
    this.header.set(other.header);
    this.hotwords.set(other.hotwords);
    this.bank().set(other.bank());
  }
}
