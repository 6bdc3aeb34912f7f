/** How often streams begin anew within one: a page may stop its recorder and start it again, but each costs a decoder. */
import { LIMITS } from '../../limits.js';
import { damaged } from '../files/block.js';

export class Restarts {
  /** Of audio so far: an honest stream lasts a while. */
  seconds = 0;
  private begun = 0;

  /** One more begins. @throws ServerError CORRUPT_AUDIO */
  count(container: string): void {
    this.begun += 1;
    if (this.begun > LIMITS.maxLiveRestarts + this.seconds) {
      throw damaged(container, `${this.begun} streams begin in ${this.seconds.toFixed(1)} s of audio`);
    }
  }
}
