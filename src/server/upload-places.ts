/** Limits the number of uploads that are received, decoded and recognised at once. */
import { ServerError } from '../errors.js';

export class UploadPlaces {
  private active = 0;
  private tellIdle: (() => void) | null = null;
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  /** `waiting` is always 0: an upload without a place is refused. */
  counts(): { active: number; waiting: number } {
    return { active: this.active, waiting: 0 };
  }

  /**
   * Takes a place before the body is read; call the result exactly once.
   * @throws ServerError TOO_MANY_UPLOADS
   */
  enter(): () => void {
    if (this.active >= this.most) throw new ServerError('TOO_MANY_UPLOADS');
    this.active++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      if (--this.active === 0) this.tellIdle?.();
    };
  }

  /** Calls back when the last upload has ended, at once if there is none. */
  whenIdle(done: () => void): void {
    this.tellIdle = done;
    if (this.active === 0) done();
  }
}
