/**
 * The messages of a resumable session, kept until its client is known to have them:
 *
 *     delivered │ kept: first … last │ not sent yet
 *
 * The n-th frame has the number n, which native messages carry as `seq`.
 */
import { LIMITS } from '../limits.js';
import type { Frame } from '../protocol/dialect.js';

export interface SentFrames {
  readonly before: number;
  readonly frames: readonly Frame[];
}

export class SentLog {
  /** Characters or bytes kept. */
  size = 0;
  private readonly frames: Frame[] = [];
  private forgotten = 0;

  /** The number of the newest frame; 0 before the first. */
  get last(): number {
    return this.forgotten + this.frames.length;
  }

  /** Above the limit the oldest are dropped; a client that lacks them cannot resume. */
  append(frame: Frame): void {
    this.frames.push(frame);
    this.size += frame.length;
    while (this.size > LIMITS.maxSentLogBytes || this.frames.length > LIMITS.maxSentLogFrames) this.forget(1);
  }

  /** The client has everything up to this number. */
  delivered(last: number): void {
    this.forget(Math.floor(Math.min(last, this.last)) - this.forgotten); // a pong may contain any number
  }

  /**
   * The frames that a client lacks which has everything up to `last`; null if they are not kept, or `last` was never
   * sent.
   */
  after(last: number): readonly Frame[] | null {
    if (last < this.forgotten || last > this.last) return null;
    return this.frames.slice(last - this.forgotten);
  }

  /** All kept frames, and the number before the first. */
  save(): SentFrames {
    return { before: this.forgotten, frames: [...this.frames] };
  }

  /** Only on a new log. */
  restore({ before, frames }: SentFrames): void {
    this.forgotten = before;
    for (const frame of frames) this.append(frame);
  }

  /** Starting point for a client that does not say what it has. */
  get oldest(): number {
    return this.forgotten;
  }

  private forget(count: number): void {
    if (count <= 0) return;
    for (const frame of this.frames.splice(0, count)) this.size -= frame.length;
    this.forgotten += count;
  }
}
