/** Audio is worked on in blocks. */

/** Most sample-frames in one block; limits the scratch memory of a thread and of a filter. */
export const BLOCK_FRAMES = 1024;
