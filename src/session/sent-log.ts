/**
 * The messages of a resumable session, kept until its client is known to have them:
 *
 *     delivered │ kept: first … last │ not sent yet
 *
 * The n-th frame has the number n, which native messages carry as `seq`.
 */
import { LIMITS } from '../limits.js';
import type { Frame } from '../protocol/dialect.js';
import { after, CHANNELS, isSame, type Kind, type Position, type Told } from './told.js';

export interface SentFrames {
  readonly before: number;
  readonly frames: readonly Frame[];
  /** The kind of each frame. */
  readonly kinds: string;
  /** What the client has been told before the first of them; null: unknown. */
  readonly told: Told | null;
}

export class SentLog {
  /** Characters or bytes kept. */
  size = 0;
  private readonly frames: Frame[] = [];
  private readonly kinds: string[] = [];
  private forgotten = 0;
  /** Up to there; null: unknown. */
  private told: Told | null = { phase: 0, events: new Array<number>(CHANNELS).fill(0) };

  /** The number of the newest frame; 0 before the first. */
  get last(): number {
    return this.forgotten + this.frames.length;
  }

  /** Above the limit the oldest are dropped; a client that lacks them cannot resume. */
  append(frame: Frame, kind: Kind = '-'): void {
    this.push(frame, kind);
  }

  private push(frame: Frame, kind: string): void {
    this.frames.push(frame);
    this.kinds.push(kind);
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

  /** Whether a client may have these frames, as far as known. */
  agrees(position: Position): boolean {
    return agrees(this.save(), position);
  }

  /** All kept frames, and the number before the first. */
  save(): SentFrames {
    const { forgotten, frames, kinds, told } = this;
    return { before: forgotten, frames: [...frames], kinds: kinds.join(''), told };
  }

  /** Only on a new log. */
  restore({ before, frames, kinds, told }: SentFrames): void {
    this.forgotten = before;
    this.told = told;
    frames.forEach((frame, i) => void this.push(frame, kinds[i] ?? '-'));
  }

  /** Starting point for a client that does not say what it has. */
  get oldest(): number {
    return this.forgotten;
  }

  private forget(count: number): void {
    if (count <= 0) return;
    for (const frame of this.frames.splice(0, count)) this.size -= frame.length;
    for (const kind of this.kinds.splice(0, count)) this.told = this.told && after(this.told, kind);
    this.forgotten += count;
  }
}

/** What a client with the first `last` frames has been told; null: unknown. */
export function toldAt({ before, frames, kinds, told }: SentFrames, last: number): Told | null {
  const isKnown = last >= before && last <= before + frames.length;
  if (!isKnown || told === null) return null;
  let at = told;
  for (const kind of kinds.slice(0, last - before)) at = after(at, kind);
  return at;
}

/**
 * Whether a client at this position may have been sent these frames, as far as known. If another server sent it
 * messages with the same numbers, the counts differ.
 */
export function agrees(sent: SentFrames, { seen, told }: Position): boolean {
  const known = seen === null ? null : toldAt(sent, seen);
  if (seen === null || told === null || known === null || isSame(known, told)) return true;
  // A client does not count an error that closed its connection, and cannot always tell which one did.
  const before = sent.kinds[seen - sent.before - 1] === 'e' ? toldAt(sent, seen - 1) : null;
  return before !== null && isSame(before, told);
}
