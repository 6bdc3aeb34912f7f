/**
 * Destination of log lines. Logging must never stop the server. Lines that cannot be written now (full disk, blocked
 * reader) wait, up to a limit; beyond it newer lines are dropped, and the loss is logged when there is room again.
 * Pino's own destination ends the process at the first line that does not fit on the disk, or blocks at its end.
 */
import * as fs from 'node:fs';
import { LIMITS } from './limits.js';

const RETRY_MS = 1_000;

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
    process.once('exit', () => this.end());
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
    else setTimeout(() => this.again(), RETRY_MS).unref();
  }

  private again(): void {
    this.state = 'idle';
    this.pump();
  }

  private forget(): void {
    this.waiting = [];
    this.rest = Buffer.alloc(0);
  }

  /** At process exit: writes what waits, if that is possible at once. */
  private end(): void {
    if (this.state !== 'idle') return;
    this.take();
    try {
      if (this.rest.length > 0) this.io.writeSync(this.fd, this.rest);
    } catch {
      // There is no one left to report to.
    }
  }
}
