/** What an import can be told, apart from its code: the command line names these. */
export const SEARCHES = ['greedy', 'beam'] as const;
export type Search = (typeof SEARCHES)[number];

/** Which of a source's files; `auto`: the first of fp32, fp16, int8 that is there. */
export const PRECISIONS = ['auto', 'fp32', 'fp16', 'int8'] as const;
export type Precision = (typeof PRECISIONS)[number];
