/**
 * @typedef {object} Loss Audio that no server recognised, seconds on the application's timeline.
 * @property {number} from
 * @property {number} to
 * @property {'queue' | 'expired'} why `queue`: handed over while the queue was full; `expired`: heard by a session
 *   that was forgotten before its final, and no longer in the log.
 */

/** Intervals of lost audio in order, merged where they touch. */
export class Losses {
  /** @type {Loss[]} */
  list = [];
  seconds = 0;

  /** Above this number, the last interval is extended over all that follow; `seconds` stays exact. */
  static maxListed = 1_000;

  /** @param {Loss} loss */
  add(loss) {
    this.seconds += loss.to - loss.from;
    const last = this.list.at(-1);
    const touches = last && last.why === loss.why && Math.abs(last.to - loss.from) < 1e-6;
    if (last && (touches || this.list.length === Losses.maxListed)) last.to = loss.to;
    else this.list.push({ ...loss });
  }
}
