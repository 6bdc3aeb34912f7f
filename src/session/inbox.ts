/**
 * The way into a session: one queue of what the client sent, counted when it arrives, then read by the dialect and taken
 * one at a time in the order of its arrival. While it is held nothing is taken, so a command never overtakes the flush or
 * the cut before it:
 *
 *     frame ─▶ parse ─▶ take          not held: at once, nothing is copied
 *     frame ─▶ queue ┄┄ release ┄┄▶ parse ─▶ take
 */
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Dialect, Frame, Input, InputHandlers } from '../protocol/dialect.js';
import { RateLimiter } from '../rate-limiter.js';

export class Inbox {
  private readonly dialect: Dialect;
  private readonly handlers: InputHandlers;
  private readonly onFailed: (error: unknown) => void;
  private readonly rate: RateLimiter;
  /** Frames that nobody has looked at, and before them what is left of the one under way. */
  private readonly frames: Frame[] = [];
  private inputs: Input[] = [];
  private bytes = 0;
  private running = false;
  /**
   * Text frames that were taken since it was last set to 0, readable or not, signs of life aside: with the number of samples
   * it says where in what the client sends the server stands.
   */
  controls = 0;
  private isHeld = false;
  private isResting = false;

  /**
   * @param handlers what is done about an input; may hold the inbox. One that throws has done its part all the same
   * @param onFailed a frame is over a limit or cannot be read, or a handler threw: MESSAGE_TOO_LARGE, RATE_LIMITED, what
   *   the dialect or the handler says
   */
  constructor(dialect: Dialect, handlers: InputHandlers, onFailed: (error: unknown) => void) {
    this.dialect = dialect;
    this.handlers = handlers;
    this.onFailed = onFailed;
    this.rate = new RateLimiter(dialect.policy.textFramesPerSecond, dialect.policy.textFrameBurst);
  }

  get held(): boolean {
    return this.isHeld;
  }

  /** A frame came: it is taken now, or in its turn. */
  push(frame: Frame): void {
    try {
      this.check(frame);
    } catch (error) {
      this.onFailed(error);
      return;
    }
    if (this.isHeld || this.isResting || this.running || this.inputs.length > 0 || this.frames.length > 0) {
      this.bytes += frame.length;
      this.frames.push(copied(frame));
      return;
    }
    this.running = true;
    this.open(frame);
    this.running = false;
    if (this.inputs.length > 0) this.run();
  }

  /** The bounds on what a client may send, before anybody looks at it. */
  private check(frame: Frame): void {
    const isText = typeof frame === 'string';
    if (isText) this.count();
    const most = isText ? this.dialect.policy.maxTextChars : LIMITS.maxFrameBytes;
    if (frame.length > most) {
      const what = isText ? `A text frame may have ${most} characters.` : `A frame may have ${most} bytes.`;
      throw new ServerError('MESSAGE_TOO_LARGE', what);
    }
    if (this.bytes + frame.length > LIMITS.maxInboxBytes || this.frames.length >= LIMITS.maxInboxFrames) {
      throw new ServerError('MESSAGE_TOO_LARGE', 'Messages came faster than they could be taken.');
    }
  }

  private count(): void {
    if (!this.rate.take()) throw new ServerError('RATE_LIMITED');
  }

  /** Takes nothing more until `release`. */
  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    this.run();
  }

  /** Looks at no further frame: what is left of the one under way is taken, and the others wait. */
  rest(): void {
    this.isResting = true;
  }

  get resting(): boolean {
    return this.isResting;
  }

  wake(): void {
    this.isResting = false;
    this.run();
  }

  /** Every frame that was looked at is taken as a whole: `controls` names the place where the session stands. */
  get between(): boolean {
    return !this.isHeld && !this.running && this.inputs.length === 0;
  }

  /** Puts something before all that waits: an input that has to be taken again. */
  again(input: Input): void {
    this.inputs.unshift(input);
  }

  /** Forgets the frames that nobody has looked at: the client sends them again. */
  forget(): void {
    this.frames.length = 0;
    this.bytes = 0;
  }

  /** Forgets what waits, and takes nothing any more. */
  close(): void {
    this.isHeld = true;
    this.frames.length = 0;
    this.inputs = [];
    this.bytes = 0;
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    while (!this.isHeld) {
      const input = this.inputs.shift();
      if (input !== undefined) {
        this.take(input);
        continue;
      }
      const frame = this.isResting ? undefined : this.frames.shift();
      if (frame === undefined) break;
      this.bytes -= frame.length;
      this.open(frame);
    }
    this.running = false;
  }

  /** Takes what a frame holds, as far as it may be taken now; the rest is kept, in memory of its own. */
  private open(frame: Frame): void {
    let inputs: readonly Input[];
    const isText = typeof frame === 'string';
    if (isText) this.controls++;
    try {
      inputs = this.dialect.parse(frame);
      const type = inputs[0]?.type ?? 'audio';
      if (type === 'ping' || type === 'keepalive') this.controls -= isText ? 1 : 0;
      // Controls in binary frames are counted against the rate as well.
      if (!isText && type !== 'audio') this.count();
    } catch (error) {
      this.onFailed(error);
      return;
    }
    for (let i = 0; i < inputs.length; i++) {
      if (this.isHeld || this.inputs.length > 0) {
        this.inputs.push(...inputs.slice(i).map(kept));
        return;
      }
      this.take(inputs[i]!); // i < length
    }
  }

  private take(input: Input): void {
    try {
      (this.handlers[input.type] as (input: Input) => void)(input); // of its own type
    } catch (error) {
      this.onFailed(error);
    }
  }
}

/** ws uses its memory again; `slice` of a Buffer would be a view. */
const copied = <T extends Frame>(frame: T): T =>
  (typeof frame === 'string' ? frame : new Uint8Array(frame)) as T;

const kept = (input: Input): Input =>
  input.type === 'audio' ? { type: 'audio', bytes: copied(input.bytes) } : input;
