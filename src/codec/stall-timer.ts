/** Notices that a decoding thread is stuck: it owes an answer, and none comes. */
export class StallTimer {
  private readonly stallMs: number;
  private readonly onStuck: () => void;
  private timer: NodeJS.Timeout | undefined;

  /** @param onStuck called when no answer came for this long */
  constructor(stallMs: number, onStuck: () => void) {
    this.stallMs = stallMs;
    this.onStuck = onStuck;
  }

  /** An answer is due. */
  get isRunning(): boolean {
    return this.timer !== undefined;
  }

  /** An answer is due from now on. */
  start(): void {
    this.stop();
    const halfMs = this.stallMs / 2;
    // Looked at twice: a process that stood still itself has not heard of an answer either.
    this.timer = setTimeout(() => {
      this.timer = setTimeout(this.onStuck, halfMs).unref();
    }, halfMs).unref();
  }

  /** The answer has come, or is no longer due. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
