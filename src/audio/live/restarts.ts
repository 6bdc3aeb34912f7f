/**
 * Limits how often streams restart within one: a page may stop its recorder and start it again, but each start needs a
 * new decoder.
 */
import { LIMITS } from '../../limits.js';
import { damaged } from '../files/block.js';

export class Restarts {
  /** Audio so far: a genuine stream lasts a while. */
  seconds = 0;
  private begun = 0;

  /**
   * Counts one more.
   * @throws ServerError CORRUPT_AUDIO
   */
  count(container: string): void {
    this.begun += 1;
    if (this.begun > LIMITS.maxLiveRestarts + this.seconds) {
      throw damaged(container, `${this.begun} streams begin in ${this.seconds.toFixed(1)} s of audio`);
    }
  }
}
