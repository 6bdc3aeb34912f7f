/**
 * The main thread's side of compressed audio that is decoded as it arrives. A thread decodes many streams in turn. The
 * decoder of a stream stays in its thread from the first byte to the last.
 *
 *   main ── bytes, permission for more pieces, end ──▶ worker      main ◀── piece, bytes parsed | failure ── worker
 *
 * At most LIMITS.liveWindowBytes are under way, and two pieces ahead. Other bytes wait here, in a bounded list.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { FileFailure } from '../audio/file.js';
import type { LivePiece, LiveRequest } from '../audio/live/decode.js';
import { ServerError, toServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { LiveSeat, LiveThreads } from './live-threads.js';
import { StallTimer } from './stall-timer.js';

/** Message to the worker: bytes, or null; number of further pieces that it may send; whether the input ends here. */
export interface LiveInput {
  readonly bytes: Uint8Array | null;
  readonly more: number;
  readonly end: boolean;
}

/**
 * Message from the worker: samples, if any; if it is idle, the number of input bytes that its output covers; the end.
 */
export type LiveOutput =
  | { readonly piece: LivePiece | null; readonly lookedAt: number | null }
  | { readonly failure: FileFailure }
  | 'ended';

export interface LiveStreamEvents {
  /** Whether `take` may be called. If not, `LiveStream.resume` is called later. */
  accepts(): boolean;
  take(piece: LivePiece): void;
  /** `accepts()` of the stream is true again. */
  drained(): void;
  /** The stream has ended with an error; all audio before it was taken. */
  failed(error: ServerError): void;
}

/** Pieces decoded ahead of the one being taken. */
export const LIVE_AHEAD = 2;

export class LiveStream {
  private readonly events: LiveStreamEvents;
  private readonly port: MessagePort;
  private readonly seat: LiveSeat;
  /** Bytes that were not sent to the worker yet. */
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  /** Bytes sent, and how many of them were parsed. */
  private sent = 0;
  private lookedAt = 0;
  private readonly pieces: LivePiece[] = [];
  /** Pieces taken but not yet reported to the worker. */
  private owed = 0;
  private settling: (() => void)[] = [];
  private paused = false;
  private ending = false;
  private endSent = false;
  private outcome: 'ended' | ServerError | null = null;
  private told = false;
  private closed = false;
  private readonly stall = new StallTimer(() => this.seat.endThread());

  constructor(request: LiveRequest, threads: Pick<LiveThreads, 'sit'>, events: LiveStreamEvents) {
    this.events = events;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.on('message', (output: LiveOutput) => this.onMessage(output));
    this.seat = threads.sit({ request, port: port2 }, (error) => {
      this.finish(toServerError(error, 'ENGINE_FAILED'));
      this.deliver();
    });
  }

  /** False: the caller should pause its socket until `drained`. */
  accepts(): boolean {
    return !this.paused;
  }

  /**
   * Takes the next bytes, which are copied; for bare packets, exactly one packet. Ignored once the stream has ended.
   * @throws ServerError MESSAGE_TOO_LARGE if the caller keeps writing while `accepts()` is false
   */
  write(bytes: Uint8Array): void {
    if (this.outcome !== null || this.ending || bytes.length === 0) return;
    if (this.waitingBytes + bytes.length > LIMITS.maxWaitingAudioBytes) {
      throw new ServerError('MESSAGE_TOO_LARGE', 'Audio arrived faster than it could be accepted.');
    }
    this.waiting.push(new Uint8Array(bytes));
    this.waitingBytes += bytes.length;
    this.send();
  }

  /** There may be room for pieces again. */
  resume(): void {
    this.deliver();
  }

  /**
   * Calls back when everything written is decoded and taken, or the stream has ended; at once if that is already so.
   */
  whenSettled(done: () => void): void {
    if (this.closed) return;
    this.settling.push(done);
    this.settle();
  }

  /** Ends the input. Calls back when the last of it is taken, or the stream has ended. */
  end(done: () => void): void {
    this.ending = true;
    this.send();
    this.whenSettled(done);
  }

  /** Drops the rest; there are no more callbacks. */
  close(): void {
    this.closed = true;
    this.settling = [];
    this.finish('ended');
    this.pieces.length = 0;
  }

  private get busy(): boolean {
    return this.waitingBytes > 0 || this.sent > this.lookedAt || this.pieces.length > 0 || this.ending;
  }

  private send(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      // A packet larger than the window goes alone, since packets cannot be split.
      const underWay = this.sent - this.lookedAt;
      if (underWay > 0 && underWay + next.length > LIMITS.liveWindowBytes) break;
      this.waiting.shift();
      this.waitingBytes -= next.length;
      this.sent += next.length;
      this.post(next, false);
    }
    if (this.ending && !this.endSent && this.waiting.length === 0 && this.outcome === null) {
      this.endSent = true;
      this.post(null, true);
    }
    this.control();
  }

  /** The permission travels with the bytes, since messages are the main cost: there would be three per frame. */
  private post(bytes: Uint8Array | null, end: boolean): void {
    const input: LiveInput = { bytes, more: this.owed, end };
    this.owed = 0;
    this.port.postMessage(input, bytes === null ? [] : [bytes.buffer as ArrayBuffer]);
    this.watch();
  }

  private onMessage(output: LiveOutput): void {
    this.stall.stop();
    if (this.outcome !== null) return;
    if (output === 'ended') this.finish('ended');
    else if ('failure' in output) this.finish(new ServerError(output.failure.code, output.failure.detail));
    else {
      if (output.piece !== null) this.pieces.push(output.piece);
      this.lookedAt = output.lookedAt ?? this.lookedAt;
    }
    this.deliver();
    if (this.outcome === null) this.send();
  }

  private deliver(): void {
    while (this.pieces.length > 0 && this.events.accepts()) {
      const piece = this.pieces.shift()!; // length > 0
      this.events.take(piece);
      this.owed += 1;
    }
    const isBusy = this.sent > this.lookedAt || this.endSent;
    if (this.owed > 0 && isBusy && this.outcome === null) this.post(null, false);
    this.settle();
  }

  private settle(): void {
    const over = this.outcome !== null && this.pieces.length === 0;
    if (over && this.outcome instanceof ServerError && !this.told && !this.closed) {
      this.told = true;
      this.events.failed(this.outcome);
    }
    while (this.settling.length > 0 && (over || !this.busy)) this.settling.shift()?.();
  }

  private finish(outcome: 'ended' | ServerError): void {
    this.stall.stop();
    if (this.outcome !== null) return;
    this.outcome = outcome;
    this.port.close();
    this.seat.leave();
    this.waiting.length = 0;
    this.waitingBytes = 0;
    this.control();
  }

  private control(): void {
    if (!this.paused) this.paused = this.waitingBytes > 0;
    else if (this.waitingBytes === 0) {
      this.paused = false;
      this.events.drained();
    }
  }

  /**
   * A thread that has bytes and permission but sends nothing is stuck. It is ended, along with all streams that it
   * decodes.
   */
  private watch(): void {
    if (this.outcome !== null || this.pieces.length >= LIVE_AHEAD) this.stall.stop();
    else this.stall.start();
  }
}
