/**
 * Where decoded samples go: the PCM ring of one stream's slot, Int16 at 16 kHz mono in shared memory.
 * The slot implements it; all counters live on the main thread as plain numbers.
 */
export interface SampleSink {
  /** The slab that holds all slots. */
  readonly buffer: SharedArrayBuffer;
  /** Where this slot's ring begins in the slab, bytes. */
  readonly byteOffset: number;
  /** View on the ring, length = ringSamples. */
  readonly ring: Int16Array;
  /** Absolute samples written since the start of the recording. */
  readonly written: number;
  /** Samples that may be written now. */
  free(): number;
  /** Samples were placed at (written % ring.length), wrapping around; makes them visible to the batcher. */
  commit(samples: number): void;
}
