/** Where decoded audio goes: the PCM ring of a slot, int16 at 16 kHz mono, in shared memory. */
export interface SampleSink {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  /** The ring; its length is the number of samples it holds. */
  readonly ring: Int16Array;
  /** Absolute samples written since the start of the recording. */
  readonly written: number;
  /** Samples that may be written now. */
  free(): number;
  /** `samples` were placed at (written % ring.length), wrapping around; the batcher may take them. */
  commit(samples: number): void;
}
