/** Audio is worked on in blocks. */

/** Sample-frames in one block at most; bounds the scratch memory of a thread and of a filter. */
export const BLOCK_FRAMES = 1024;
