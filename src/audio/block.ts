/** Audio is worked on in blocks: what every decoder hands on, and how large the blocks of those that choose are. */

/** Sample-frames in one block at most; bounds the scratch memory of a thread and of a filter. */
export const BLOCK_FRAMES = 1024;

/** Takes a block of decoded audio: mono, in 16-bit units (±32,768), at the file's own rate. */
export type OnBlock = (mono: Float32Array, rateHz: number) => void;
