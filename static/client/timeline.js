/**
 * Maps positions in the audio that the server was given to positions in the audio that the application
 * handed over. They part where audio was dropped (queue full) or skipped (voice gate):
 *
 *     application  |aaaaaaaaaa|.......|bbbbbbbbbb|
 *     sent         |aaaaaaaaaa|bbbbbbbbbb|
 *                  break (0→0) break (10→17)
 */
export class Timeline {
  /** @type {{ sent: number, app: number }[]} Ascending; each holds up to the next. */
  #breaks = [{ sent: 0, app: 0 }];

  /** One per gap. Above this number the oldest are dropped; only times of older words would then be wrong. */
  static maxBreaks = 4_096;

  /**
   * Audio for `sent` on comes from `app` on. Does nothing where that is so already.
   * @param {number} sent Frames.
   * @param {number} app Frames.
   */
  mark(sent, app) {
    const last = this.#breaks[this.#breaks.length - 1];
    if (last && last.app + (sent - last.sent) === app) return;
    if (last?.sent === sent) this.#breaks.pop();
    this.#breaks.push({ sent, app });
    if (this.#breaks.length > Timeline.maxBreaks) this.#breaks.shift();
  }

  /**
   * @param {number} sent Frames.
   * @param {'start' | 'end'} edge A word's end on a break belongs to the audio before it, a start to that after.
   * @returns {number} Frames on the application's timeline.
   */
  toApp(sent, edge = 'start') {
    for (let i = this.#breaks.length - 1; i > 0; i -= 1) {
      const b = this.#breaks[i];
      if (b && (edge === 'start' ? b.sent <= sent : b.sent < sent)) return b.app + (sent - b.sent);
    }
    const first = this.#breaks[0];
    return first ? first.app + (sent - first.sent) : sent;
  }
}
