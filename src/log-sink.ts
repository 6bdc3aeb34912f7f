/**
 * Destination of log lines. Logging must never stop the server. Lines that cannot be written now (full disk, blocked
 * reader) wait, up to a limit; beyond it newer lines are dropped, and the loss is logged when there is room again. A
 * process that ends waits a limited time for its last lines. Pino's own destination ends the process at the first line
 * that does not fit on the disk, or blocks at its end.
 */
import * as fs from 'node:fs';
import { LIMITS } from './limits.js';

/** Until a file that could not be written to is tried again: a full disk, and a reader that has to catch up. */
const RETRY_MS = 1_000;
const AGAIN_MS = 20;
/** How long `process.exit` may take for the last lines, while nothing else runs. */
const EXIT_MS = 200;

const sinks = new Set<LogSink>();

/** Waits for the last lines of all logs, for `ms` at most. To be called before a process ends. */
export async function flushLogs(ms: number = LIMITS.logFlushMs): Promise<void> {
  await Promise.all([...sinks].map((sink) => sink.flush(ms)));
}

export class LogSink {
  private readonly fd: number;
  private waiting: string[] = [];
  private waitingBytes = 0;
  /** What is being written, or could not be written. */
  private rest = Buffer.alloc(0);
  private state: 'idle' | 'writing' | 'failed' | 'gone' = 'idle';
  private dropped = 0;

  private readonly io: Pick<typeof fs, 'write' | 'writeSync'>;

  constructor(fd: number, io: Pick<typeof fs, 'write' | 'writeSync'> = fs) {
    this.fd = fd;
    this.io = io;
    sinks.add(this);
    process.once('exit', () => this.end());
  }

  /** Resolves when no line waits, or after `ms`. */
  async flush(ms: number): Promise<void> {
    for (let leftMs = ms; this.isWaiting && leftMs > 0; leftMs -= AGAIN_MS) {
      this.again();
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  private get isWaiting(): boolean {
    return this.state !== 'gone' && (this.rest.length > 0 || this.waiting.length > 0);
  }

  /** Takes a line; never throws or blocks. */
  write(line: string): void {
    if (this.state === 'gone') return;
    const bytes = Buffer.byteLength(line);
    if (this.waitingBytes + bytes > LIMITS.maxLogBytes) {
      this.dropped++;
      return;
    }
    this.waiting.push(line);
    this.waitingBytes += bytes;
    this.pump();
  }

  private pump(): void {
    if (this.state !== 'idle') return;
    if (this.rest.length === 0) this.take();
    if (this.rest.length === 0) return;
    this.state = 'writing';
    this.io.write(this.fd, this.rest, (error, written) => {
      if (error === null) this.wrote(written);
      else this.failed(error);
    });
  }

  private take(): void {
    this.rest = Buffer.from(this.waiting.join(''));
    this.waiting = [];
    this.waitingBytes = 0;
  }

  private wrote(bytes: number): void {
    this.rest = this.rest.subarray(bytes);
    this.state = 'idle';
    if (this.rest.length === 0 && this.waiting.length === 0) this.tellDropped();
    this.pump();
  }

  private tellDropped(): void {
    if (this.dropped === 0) return;
    const said = { level: 40, time: new Date().toISOString(), lines: this.dropped, msg: 'lines were lost' };
    this.dropped = 0;
    this.write(`${JSON.stringify(said)}\n`);
  }

  private failed({ code }: NodeJS.ErrnoException): void {
    this.state = code === 'EPIPE' || code === 'EBADF' ? 'gone' : 'failed';
    if (this.state === 'gone') this.forget();
    else setTimeout(() => this.again(), code === 'EAGAIN' ? AGAIN_MS : RETRY_MS).unref();
  }

  private again(): void {
    if (this.state !== 'failed') return;
    this.state = 'idle';
    this.pump();
  }

  private forget(): void {
    this.waiting = [];
    this.rest = Buffer.alloc(0);
  }

  /**
   * At process exit: writes what waits, as far as that is soon possible. Lines behind a write that is under way are lost,
   * since nobody can tell how much of it is written; `flush` avoids that.
   */
  private end(): void {
    if (this.state === 'writing' || this.state === 'gone') return;
    const rest = Buffer.concat([this.rest, Buffer.from(this.waiting.join(''))]);
    const tick = new Int32Array(new SharedArrayBuffer(4));
    let at = 0;
    for (let leftMs = EXIT_MS; at < rest.length && leftMs > 0; ) {
      let written = 0;
      try {
        written = this.io.writeSync(this.fd, rest, at);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return; // there is no one left to report to
      }
      at += written;
      if (written > 0) continue;
      Atomics.wait(tick, 0, 0, AGAIN_MS);
      leftMs -= AGAIN_MS;
    }
  }
}
