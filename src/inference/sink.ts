/**
 * Destination of decoded samples: the PCM ring of a stream's slot, int16 at 16 kHz mono in shared memory. The slot
 * implements it. All counters are plain numbers on the main thread.
 */
export interface SampleSink {
  /** The slab that holds all slots. */
  readonly buffer: SharedArrayBuffer;
  /** Byte offset of this slot's ring in the slab. */
  readonly byteOffset: number;
  /** View on the ring, length = ringSamples. */
  readonly ring: Int16Array;
  /** Absolute samples written since the start of the recording. */
  readonly written: number;
  /** Samples that may be written now. */
  free(): number;
  /** Samples were written at (written % ring.length), wrapping around; makes them visible to the batcher. */
  commit(samples: number): void;
}
