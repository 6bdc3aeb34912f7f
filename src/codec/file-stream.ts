/**
 * A file that a codec worker decodes, on the main thread's side. Pieces come through a message port, and only as many
 * as were asked for: however long the audio, a few seconds of it are in memory.
 *
 *   main ── how many more ──▶ worker        main ◀── piece | end | failure ── worker
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { FileFailure, FilePiece, FileRequest } from '../audio/file.js';
import { ServerError, toServerError } from '../errors.js';
import { LIMITS } from '../limits.js';

/** What the worker says. */
export type FileMessage = 'started' | 'ended' | FilePiece | FileFailure;

/** The task of a codec worker: `port` takes how many pieces it may send, as numbers. */
export interface FileTask {
  readonly request: FileRequest;
  readonly port: MessagePort;
}

/** Runs a task in some thread; resolves when the thread is free again. Aborting ends the thread. */
export type RunFileTask = (
  task: FileTask,
  transfer: readonly (ArrayBuffer | MessagePort)[],
  signal: AbortSignal,
) => Promise<void>;

/** A file as it is decoded. */
export interface FilePieces {
  /**
   * The next piece, or null after the last. One call at a time.
   * @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO, UPLOAD_TOO_LONG
   */
  next(): Promise<FilePiece | null>;
  /** Nobody wants the rest. */
  close(): void;
}

/** Pieces that are decoded ahead of the one that is being used. */
const AHEAD = 2;

export class FileStream implements FilePieces {
  private readonly port: MessagePort;
  private readonly aborter = new AbortController();
  private readonly pieces: FilePiece[] = [];
  private waiting: { resolve(piece: FilePiece | null): void; reject(error: unknown): void } | null = null;
  private outcome: 'ended' | ServerError | null = null;
  private started = false;
  private settled = false;
  private stall: NodeJS.Timeout | undefined;

  /** The request's bytes are taken over: they must fill an ArrayBuffer of their own. */
  constructor(request: FileRequest, run: RunFileTask) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.on('message', (message: FileMessage) => this.onMessage(message));
    port1.postMessage(AHEAD);
    const transfer = [request.bytes.buffer as ArrayBuffer, port2];
    run({ request, port: port2 }, transfer, this.aborter.signal).then(
      () => this.onSettled(new ServerError('INTERNAL', 'A decoder ended without a word.')),
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

  /** A thread that does not take the hint in time is ended. */
  close(): void {
    this.abandon('ended');
  }

  /** As `close`; whoever asks for the next piece is told why. */
  abandon(outcome: 'ended' | ServerError): void {
    this.end(outcome);
    this.pieces.length = 0;
    if (!this.started) this.aborter.abort();
    else if (!this.settled) this.watch();
  }

  private onMessage(message: FileMessage): void {
    clearTimeout(this.stall);
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

  /** The thread is free again, or dead. What it said before lies in the port still: a turn lets it arrive. */
  private onSettled(otherwise: ServerError): void {
    this.settled = true;
    clearTimeout(this.stall);
    setImmediate(() => setImmediate(() => this.end(otherwise)));
  }

  /** While a thread decodes for us, it must give a sign of life. One that waits in the queue need not. */
  private watch(): void {
    clearTimeout(this.stall);
    if (!this.started || this.settled) return;
    this.stall = setTimeout(() => this.aborter.abort(), LIMITS.fileStallMs).unref();
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
