/** Options of an import, kept apart from its code for the command line. */
export const SEARCHES = ['greedy', 'beam'] as const;
export type Search = (typeof SEARCHES)[number];

/** Which of a source's files to use; `auto`: the first that exists of fp32, fp16, int8. */
export const PRECISIONS = ['auto', 'fp32', 'fp16', 'int8'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Values that NeMo's own export does not write, if the graph does not show them. */
export interface Streaming {
  /** Milliseconds by which a step advances; null: read from the graph. */
  readonly chunkMs: number | null;
  /** Encoder frames of left context before a chunk; null: read from the graph. */
  readonly leftFrames: number | null;
}
export const AS_EXPORTED: Streaming = { chunkMs: null, leftFrames: null };
