/**
 * Compressed audio that is decoded as it arrives, on the main thread's side. A thread decodes many streams in turns; the
 * decoder of each lives there from its first byte to its last.
 *
 *   main ── bytes, leave for more pieces, end ──▶ worker        main ◀── piece, how much is looked at | failure ── worker
 *
 * At most LIMITS.liveWindowBytes are under way and two pieces ahead; the other bytes wait here, in a bounded list.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { FileFailure } from '../audio/file.js';
import type { LivePiece, LiveRequest } from '../audio/live/decode.js';
import { ServerError, toServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { LiveSeat, LiveThreads } from './live-threads.js';

/** What the worker is told: bytes, or null; leave to send so many more pieces; whether that was the last of it. */
export interface LiveInput {
  readonly bytes: Uint8Array | null;
  readonly more: number;
  readonly end: boolean;
}

/** What the worker says: samples, if there are any, and of how many bytes all is told, if it has nothing left to do; the end. */
export type LiveOutput =
  | { readonly piece: LivePiece | null; readonly lookedAt: number | null }
  | { readonly failure: FileFailure }
  | 'ended';

export interface LiveStreamEvents {
  /** May `take` be called? If not, `LiveStream.resume` is, later. */
  accepts(): boolean;
  take(piece: LivePiece): void;
  /** `accepts()` of the stream was false and is true again. */
  drained(): void;
  /** Nothing more will come of it; everything before was taken. */
  failed(error: ServerError): void;
}

/** Pieces that are decoded ahead of the one that is being taken. */
export const LIVE_AHEAD = 2;

export class LiveStream {
  private readonly events: LiveStreamEvents;
  private readonly port: MessagePort;
  private readonly seat: LiveSeat;
  /** Bytes that were not sent to the worker yet. */
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  /** Bytes sent, and those of them that were looked at. */
  private sent = 0;
  private lookedAt = 0;
  private readonly pieces: LivePiece[] = [];
  /** Pieces that were taken and not told. */
  private owed = 0;
  private settling: (() => void)[] = [];
  private paused = false;
  private ending = false;
  private endSent = false;
  private outcome: 'ended' | ServerError | null = null;
  private told = false;
  private closed = false;
  private stall: NodeJS.Timeout | undefined;

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
   * The next bytes; they are copied. Of bare packets, one. Ignored once the stream is over.
   * @throws ServerError MESSAGE_TOO_LARGE if the caller goes on though `accepts()` is false
   */
  write(bytes: Uint8Array): void {
    if (this.outcome !== null || this.ending || bytes.length === 0) return;
    if (this.waitingBytes + bytes.length > LIMITS.maxWaitingAudioBytes) {
      throw new ServerError('MESSAGE_TOO_LARGE', 'Audio came faster than it could be taken.');
    }
    this.waiting.push(new Uint8Array(bytes));
    this.waitingBytes += bytes.length;
    this.send();
  }

  /** There may be room for pieces again. */
  resume(): void {
    this.deliver();
  }

  /** Calls back, at once if it can, when all that was written is decoded and taken, or will never be. */
  whenSettled(done: () => void): void {
    if (this.closed) return;
    this.settling.push(done);
    this.settle();
  }

  /** No more is written; calls back when the last of it is taken, or will never be. */
  end(done: () => void): void {
    this.ending = true;
    this.send();
    this.whenSettled(done);
  }

  /** Nobody wants the rest; nothing is called back any more. */
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
      // One that is larger than the window goes alone: a packet is not cut.
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

  /** Leave for more pieces travels along with bytes: three messages per frame cost more than all else. */
  private post(bytes: Uint8Array | null, end: boolean): void {
    const input: LiveInput = { bytes, more: this.owed, end };
    this.owed = 0;
    this.port.postMessage(input, bytes === null ? [] : [bytes.buffer as ArrayBuffer]);
    this.watch();
  }

  private onMessage(output: LiveOutput): void {
    clearTimeout(this.stall);
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
    clearTimeout(this.stall);
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

  /** A thread that has bytes and leave, and says nothing, is stuck: it is ended, with all that it decodes. */
  private watch(): void {
    clearTimeout(this.stall);
    if (this.outcome !== null || this.pieces.length >= LIVE_AHEAD) return;
    const halfMs = LIMITS.fileStallMs / 2;
    // Looked at twice: a process that stood still itself has not heard of an answer either.
    this.stall = setTimeout(() => {
      this.stall = setTimeout(() => this.seat.endThread(), halfMs).unref();
    }, halfMs).unref();
  }
}
