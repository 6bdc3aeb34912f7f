/** What an import can be told, apart from its code: the command line names these. */
export const SEARCHES = ['greedy', 'beam'] as const;
export type Search = (typeof SEARCHES)[number];

/** Which of a source's files; `auto`: the first of fp32, fp16, int8 that is there. */
export const PRECISIONS = ['auto', 'fp32', 'fp16', 'int8'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What NeMo's own export does not tell of itself, where the graph does not show it. */
export interface Streaming {
  /** Milliseconds by which a step advances; null: as the graph shows. */
  readonly chunkMs: number | null;
  /** Frames of the encoder that it sees before a chunk; null: as the graph shows. */
  readonly leftFrames: number | null;
}
export const AS_EXPORTED: Streaming = { chunkMs: null, leftFrames: null };
