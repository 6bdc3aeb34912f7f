/**
 * What a resumable session has said, kept until its client is known to have it:
 *
 *     delivered │ kept: first … last │ not said yet
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

  /** Beyond the bound the oldest are forgotten: a client that lacks them cannot resume. */
  append(frame: Frame): void {
    this.frames.push(frame);
    this.size += frame.length;
    while (this.size > LIMITS.maxSentLogBytes || this.frames.length > LIMITS.maxSentLogFrames) this.forget(1);
  }

  /** The client has everything up to this number. */
  delivered(last: number): void {
    this.forget(Math.floor(Math.min(last, this.last)) - this.forgotten); // what a pong says may be any number
  }

  /** What the client lacks that has seen everything up to `last`; null if that cannot be told any more, or never was said. */
  after(last: number): readonly Frame[] | null {
    if (last < this.forgotten || last > this.last) return null;
    return this.frames.slice(last - this.forgotten);
  }

  /** All that is kept, and the number before the first of it. */
  save(): SentFrames {
    return { before: this.forgotten, frames: [...this.frames] };
  }

  /** Only a new one. */
  restore({ before, frames }: SentFrames): void {
    this.forgotten = before;
    for (const frame of frames) this.append(frame);
  }

  /** Where a client goes on that does not say what it has seen. */
  get oldest(): number {
    return this.forgotten;
  }

  private forget(count: number): void {
    if (count <= 0) return;
    for (const frame of this.frames.splice(0, count)) this.size -= frame.length;
    this.forgotten += count;
  }
}
