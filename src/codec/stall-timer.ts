/** Notices that a decoding thread is stuck: it owes an answer, and none comes. */
import { LIMITS } from '../limits.js';

export class StallTimer {
  private readonly onStuck: () => void;
  private timer: NodeJS.Timeout | undefined;

  /** @param onStuck called when no answer came for LIMITS.fileStallMs */
  constructor(onStuck: () => void) {
    this.onStuck = onStuck;
  }

  /** An answer is due from now on. */
  start(): void {
    this.stop();
    const halfMs = LIMITS.fileStallMs / 2;
    // Looked at twice: a process that stood still itself has not heard of an answer either.
    this.timer = setTimeout(() => {
      this.timer = setTimeout(this.onStuck, halfMs).unref();
    }, halfMs).unref();
  }

  /** The answer has come, or is no longer due. */
  stop(): void {
    clearTimeout(this.timer);
  }
}
