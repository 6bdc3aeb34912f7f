/**
 * Records when the audio up to each position was handed over, as the start of latency measurements. Positions may be in
 * any unit (samples, seconds), if it is always the same.
 */
export class Marks {
  /** @type {{ position: number, atMs: number }[]} Ascending in position. */
  #marks = [];

  /** @param {number} [size] Older marks are dropped: 1,200 marks of 100 ms are two minutes of audio. */
  constructor(size = 1_200) {
    this.size = size;
  }

  /**
   * @param {number} position End of the audio; marks at or after it (audio that was sent again) are replaced.
   * @param {number} atMs
   */
  add(position, atMs) {
    while ((this.#marks.at(-1)?.position ?? Number.NEGATIVE_INFINITY) >= position) this.#marks.pop();
    this.#marks.push({ position, atMs });
    if (this.#marks.length > this.size) this.#marks.shift();
  }

  /**
   * When the chunk that holds the audio just before a position was handed over.
   * @param {number} position
   * @returns {number | undefined} Milliseconds; undefined where it is unknown or forgotten.
   */
  chunkMs(position) {
    return this.#marks[this.#index(position)]?.atMs;
  }

  /**
   * When a speaker reached a position: a chunk's last sample is as old as the chunk, its first one 100 ms older. Audio
   * handed over faster than real time never counts as older than the chunk before it.
   * @param {number} position
   * @param {number} unitsPerMs Of positions.
   * @returns {number | undefined} Milliseconds; undefined where it is unknown or forgotten.
   */
  momentMs(position, unitsPerMs) {
    const index = this.#index(position);
    const mark = this.#marks[index];
    if (!mark) return undefined;
    const beforeMs = this.#marks[index - 1]?.atMs ?? Number.NEGATIVE_INFINITY;
    return Math.max(beforeMs, mark.atMs - (mark.position - position) / unitsPerMs);
  }

  /**
   * @param {number} position
   * @returns {number} Index of the first mark at or after it; −1 where there is none, or only a forgotten one.
   */
  #index(position) {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#marks[middle]?.position ?? 0) >= position) high = middle;
      else low = middle + 1;
    }
    if (low === this.#marks.length) return -1;
    // The audio before the oldest mark has no marks any more.
    return low === 0 && this.#marks.length === this.size ? -1 : low;
  }
}
