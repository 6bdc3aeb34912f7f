/**
 * The main thread's side of compressed audio that is decoded as it arrives. A thread decodes many streams in turn. If it
 * dies, or one of its decoders is stuck, the other streams are decoded again from their first byte by another thread,
 * which drops the samples that are already here. The stuck stream ends.
 *
 *   main ── bytes, permission for more pieces, end ──▶ worker      main ◀── piece, bytes parsed | failure ── worker
 *
 * At most LIMITS.liveWindowBytes are under way, and two pieces ahead. Other bytes wait here, in a bounded list.
 * Bytes that were sent are kept, within limits (live-input.ts).
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { FileFailure } from '../audio/file.js';
import type { LivePiece, LiveRequest } from '../audio/live/decode.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { KeptMemory, LiveInput } from './live-input.js';
import type { LiveSeat, LiveThreads } from './live-threads.js';
import { StallTimer } from './stall-timer.js';

/**
 * Message to the worker: bytes, or null; number of further pieces that it may send (negative: fewer); whether the input
 * ends here.
 */
export interface LiveOrder {
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
/** How often a stream is decoded again: threads hardly ever die, so after this it is likely to be the cause itself. */
const MAX_MOVES = 2;

export class LiveStream {
  private readonly events: LiveStreamEvents;
  private readonly request: LiveRequest;
  private readonly threads: Pick<LiveThreads, 'sit'>;
  private readonly input: LiveInput;
  private port: MessagePort;
  private seat: LiveSeat;
  private moves = 0;
  /** Bytes sent to this thread, and how many of them were parsed. */
  private sent = 0;
  private lookedAt = 0;
  private readonly pieces: LivePiece[] = [];
  /** Samples of all pieces so far, per channel. */
  private samples = 0;
  /** Pieces taken but not yet reported to the worker. */
  private owed = 0;
  private settling: (() => void)[] = [];
  private paused = false;
  private ending = false;
  private endSent = false;
  private outcome: 'ended' | ServerError | null = null;
  private told = false;
  private closed = false;
  private readonly stall = new StallTimer(LIMITS.liveStallMs, () => this.seat.endThread());

  constructor(
    request: LiveRequest,
    threads: Pick<LiveThreads, 'sit'>,
    events: LiveStreamEvents,
    memory = new KeptMemory(),
  ) {
    this.request = request;
    this.threads = threads;
    this.events = events;
    this.input = new LiveInput(memory);
    ({ port: this.port, seat: this.seat } = this.sit());
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
    if (this.input.waitingBytes + bytes.length > LIMITS.maxWaitingAudioBytes) {
      throw new ServerError('MESSAGE_TOO_LARGE', 'Audio arrived faster than it could be accepted.');
    }
    this.input.push(new Uint8Array(bytes));
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
    return this.unsent || this.sent > this.lookedAt || this.pieces.length > 0 || this.ending;
  }

  private get unsent(): boolean {
    return this.input.nextLength !== undefined;
  }

  private sit(): { port: MessagePort; seat: LiveSeat } {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (output: LiveOutput) => {
      if (this.port === port1) this.onMessage(output);
    });
    const task = { request: this.request, skip: this.samples, port: port2 };
    return { port: port1, seat: this.threads.sit(task, (wasAtWork) => this.lost(wasAtWork)) };
  }

  /**
   * The thread is gone.
   * @param wasAtWork it was decoding this stream
   */
  private lost(wasAtWork: boolean): void {
    if (this.outcome !== null) return;
    this.stall.stop();
    const isCause = wasAtWork && this.owes;
    if (!isCause && this.moves < MAX_MOVES && this.input.rewind()) {
      this.moves += 1;
      this.port.close();
      ({ port: this.port, seat: this.seat } = this.sit());
      this.sent = 0;
      this.lookedAt = 0;
      this.endSent = false;
      this.owed = -this.pieces.length;
      this.send();
      return;
    }
    const reason = new ServerError('CORRUPT_AUDIO', 'Its decoder was stuck, or failed.');
    this.finish(isCause ? reason : new ServerError('DECODER_LOST'));
    this.deliver();
  }

  private send(): void {
    for (let length = this.input.nextLength; length !== undefined; length = this.input.nextLength) {
      // A packet larger than the window goes alone, since packets cannot be split.
      const underWay = this.sent - this.lookedAt;
      if (underWay > 0 && underWay + length > LIMITS.liveWindowBytes) break;
      this.sent += length;
      this.post(this.input.take() ?? null, false);
    }
    if (this.ending && !this.endSent && !this.unsent && this.outcome === null) {
      this.endSent = true;
      this.post(null, true);
    }
    this.control();
  }

  /** The permission travels with the bytes, since messages are the main cost: there would be three per frame. */
  private post(bytes: Uint8Array<ArrayBuffer> | null, end: boolean): void {
    const order: LiveOrder = { bytes, more: this.owed, end };
    this.owed = 0;
    this.port.postMessage(order, bytes === null ? [] : [bytes.buffer]);
    this.watch();
  }

  private onMessage(output: LiveOutput): void {
    this.stall.stop();
    if (this.outcome !== null) return;
    if (output === 'ended') this.finish('ended');
    else if ('failure' in output) this.finish(new ServerError(output.failure.code, output.failure.detail));
    else {
      if (output.piece !== null) {
        this.pieces.push(output.piece);
        this.samples += output.piece[0]?.length ?? 0;
      }
      this.lookedAt = output.lookedAt ?? this.lookedAt;
    }
    this.deliver();
    if (this.outcome === null) this.send();
    this.watch();
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
    this.input.close();
    this.control();
  }

  private control(): void {
    if (!this.paused) this.paused = this.unsent;
    else if (!this.unsent) {
      this.paused = false;
      if (!this.closed) this.events.drained();
    }
  }

  /** The thread has bytes and permission, and so must send something. */
  private get owes(): boolean {
    const isBusy = this.sent > this.lookedAt || this.endSent;
    return isBusy && this.outcome === null && this.pieces.length < LIVE_AHEAD;
  }

  /** A thread that owes something but sends nothing is stuck, and is ended. */
  private watch(): void {
    if (!this.owes) this.stall.stop();
    else if (!this.stall.isRunning) this.stall.start();
  }
}
