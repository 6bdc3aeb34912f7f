/**
 * The input of a session: a single queue of the client's frames. Frames are counted on arrival, then parsed by the
 * dialect and processed one at a time, in order. While the queue is held nothing is processed, so a command never
 * overtakes the flush or cut before it:
 *
 *     frame ─▶ parse ─▶ take          not held: at once, without a copy
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
  /** Frames that were not parsed yet; before them, the rest of the current frame. */
  private readonly frames: Frame[] = [];
  private inputs: Input[] = [];
  private bytes = 0;
  private running = false;
  /**
   * Text frames processed since this was last set to 0, valid or not, without `ping` and `keepalive`. Together with the
   * number of samples, this is the server's position in the client's input.
   */
  controls = 0;
  private isHeld = false;
  private isResting = false;

  /**
   * @param handlers process an input and may hold the inbox; an input counts as processed even if its handler throws
   * @param onFailed a frame exceeds a limit or cannot be parsed, or a handler threw: MESSAGE_TOO_LARGE, RATE_LIMITED,
   * or the error of the dialect or handler
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

  /** A frame arrived: processes it now, or in its turn. */
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

  /** Checks the limits on a client's frames, before parsing. */
  private check(frame: Frame): void {
    const isText = typeof frame === 'string';
    if (isText) this.count();
    const most = isText ? this.dialect.policy.maxTextChars : LIMITS.maxFrameBytes;
    if (frame.length > most) {
      const what = isText
        ? `A text frame may have at most ${most} characters.`
        : `A frame may have at most ${most} bytes.`;
      throw new ServerError('MESSAGE_TOO_LARGE', what);
    }
    if (this.bytes + frame.length > LIMITS.maxInboxBytes || this.frames.length >= LIMITS.maxInboxFrames) {
      throw new ServerError('MESSAGE_TOO_LARGE', 'Messages arrived faster than they could be accepted.');
    }
  }

  private count(): void {
    if (!this.rate.take()) throw new ServerError('RATE_LIMITED');
  }

  /** Holds the queue until `release`. */
  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    this.run();
  }

  /** Parses no further frame: the rest of the current one is processed, and the others wait. */
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

  /** Whether every parsed frame is completely processed, so that `controls` is the exact position of the session. */
  get between(): boolean {
    return !this.isHeld && !this.running && this.inputs.length === 0;
  }

  /** Puts an input before everything that waits, to be processed again. */
  again(input: Input): void {
    this.inputs.unshift(input);
  }

  /** Drops frames that were not parsed: the client sends them again. */
  forget(): void {
    this.frames.length = 0;
    this.bytes = 0;
  }

  /** Drops everything that waits and accepts nothing more. */
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

  /** Processes the content of a frame as far as possible now; the rest is kept as a copy. */
  private open(frame: Frame): void {
    let inputs: readonly Input[];
    const isText = typeof frame === 'string';
    if (isText) this.controls++;
    try {
      inputs = this.dialect.parse(frame);
      const type = inputs[0]?.type ?? 'audio';
      if (type === 'ping' || type === 'keepalive') this.controls -= isText ? 1 : 0;
      // Controls in binary frames also count against the rate.
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

/** ws reuses its memory, and `slice` of a Buffer would be a view. */
const copied = <T extends Frame>(frame: T): T =>
  (typeof frame === 'string' ? frame : new Uint8Array(frame)) as T;

const kept = (input: Input): Input =>
  input.type === 'audio' ? { type: 'audio', bytes: copied(input.bytes) } : input;
