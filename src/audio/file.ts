/** A block of decoded audio, mono, −1…1, at the file's own rate. */
export type OnBlock = (mono: Float32Array, rateHz: number) => void;
