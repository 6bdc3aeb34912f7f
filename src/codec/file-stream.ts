/**
 * The main thread's side of a file that a codec worker decodes. Pieces come through a message port, only as many as
 * requested: however long the audio, only a few seconds of it are in memory.
 *
 *   main ── how many more ──▶ worker        main ◀── piece | end | failure ── worker
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { FileFailure, FilePiece, FileRequest } from '../audio/file.js';
import { ServerError, toServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { StallTimer } from './stall-timer.js';

/** Messages from the worker. */
export type FileMessage = 'started' | 'ended' | FilePiece | FileFailure;

/** Task of a codec worker. Through `port` it receives the number of pieces that it may send. */
export interface FileTask {
  readonly request: FileRequest;
  readonly port: MessagePort;
}

/** Runs a task in a thread; resolves when the thread is free again. Aborting ends the thread. */
export type RunFileTask = (
  task: FileTask,
  transfer: readonly (ArrayBuffer | MessagePort)[],
  signal: AbortSignal,
) => Promise<void>;

/** A file being decoded. */
export interface FilePieces {
  /**
   * The next piece, or null after the last. One call at a time.
   * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG
   */
  next(): Promise<FilePiece | null>;
  /** Stops decoding; the rest is not needed. */
  close(): void;
}

/** Pieces decoded ahead of the one in use. */
const AHEAD = 2;

export class FileStream implements FilePieces {
  private readonly port: MessagePort;
  private readonly aborter = new AbortController();
  private readonly pieces: FilePiece[] = [];
  private waiting: { resolve(piece: FilePiece | null): void; reject(error: unknown): void } | null = null;
  private outcome: 'ended' | ServerError | null = null;
  private started = false;
  private settled = false;
  private readonly stall = new StallTimer(LIMITS.fileStallMs, () => this.aborter.abort());

  /** Takes ownership of the request's bytes, which must fill their ArrayBuffer. */
  constructor(request: FileRequest, run: RunFileTask) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.on('message', (message: FileMessage) => this.onMessage(message));
    port1.postMessage(AHEAD);
    const transfer = [request.bytes.buffer as ArrayBuffer, port2];
    run({ request, port: port2 }, transfer, this.aborter.signal).then(
      () => this.onSettled(new ServerError('INTERNAL', 'A decoder ended without a result.')),
      (error: unknown) => this.onSettled(this.causeOf(error)),
    );
  }

  next(): Promise<FilePiece | null> {
    const piece = this.pieces.shift();
    if (piece !== undefined) {
      if (this.outcome === null) this.port.postMessage(1);
      return Promise.resolve(piece);
    }
    if (this.outcome === 'ended') return Promise.resolve(null);
    if (this.outcome !== null) return Promise.reject(this.outcome);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.watch();
    });
  }

  /** Ends a thread that does not stop in time. */
  close(): void {
    this.abandon('ended');
  }

  /** As `close`; a pending `next` gets the reason. */
  abandon(outcome: 'ended' | ServerError): void {
    this.end(outcome);
    this.pieces.length = 0;
    if (!this.started) this.aborter.abort();
    else if (!this.settled) this.watch();
  }

  private onMessage(message: FileMessage): void {
    this.stall.stop();
    if (this.outcome !== null) return;
    if (message === 'ended') this.end('ended');
    else if (message === 'started') {
      this.started = true;
      if (this.waiting !== null) this.watch();
    } else if ('code' in message) this.end(new ServerError(message.code, message.detail));
    else if (this.waiting === null) this.pieces.push(message);
    else {
      const { resolve } = this.waiting;
      this.waiting = null;
      this.port.postMessage(1);
      resolve(message);
    }
  }

  private end(outcome: 'ended' | ServerError): void {
    if (this.outcome !== null) return;
    this.outcome = outcome;
    this.port.close();
    const { waiting } = this;
    this.waiting = null;
    if (outcome === 'ended') waiting?.resolve(null);
    else waiting?.reject(outcome);
  }

  /**
   * The thread is free again or dead. Its last messages may still be in the port; one turn of the event loop delivers
   * them.
   */
  private onSettled(otherwise: ServerError): void {
    this.settled = true;
    this.stall.stop();
    setImmediate(() => setImmediate(() => this.end(otherwise)));
  }

  /** Ends a thread that makes no progress while decoding. A task that waits in the queue is not timed. */
  private watch(): void {
    if (!this.started || this.settled) this.stall.stop();
    else this.stall.start();
  }

  private causeOf(error: unknown): ServerError {
    if (this.aborter.signal.aborted) {
      return new ServerError('CORRUPT_AUDIO', `Its decoder was stuck for ${LIMITS.fileStallMs / 1000} s.`);
    }
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return new ServerError('CORRUPT_AUDIO', 'Its decoder needed too much memory.');
    }
    return toServerError(error);
  }
}
