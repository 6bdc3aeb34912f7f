/** A streamed response, written at the pace of the client. */
import type { Writable } from 'node:stream';
import { LIMITS } from '../limits.js';

/** The response stream: can be written to, and reports when there is room again. */
export type PacedOutput = Pick<Writable, 'write' | 'writableNeedDrain' | 'once' | 'off'>;

export class PacedStream {
  private readonly output: PacedOutput;
  private readonly onStalled: () => void;
  private resume: (() => void) | null = null;
  private stall: NodeJS.Timeout | null = null;
  private readonly onDrain = (): void => {
    this.stopWaiting();
    const resume = this.resume;
    this.resume = null;
    resume?.();
  };

  /** @param onStalled the client has read nothing for LIMITS.uploadStallMs */
  constructor(output: PacedOutput, onStalled: () => void) {
    this.output = output;
    this.onStalled = onStalled;
  }

  /** Never dropped, so it may exceed a full buffer. */
  send(text: string): void {
    this.output.write(text);
    if (!this.accepts()) this.waitForClient();
  }

  accepts(): boolean {
    return !this.output.writableNeedDrain;
  }

  whenAccepting(resume: () => void): void {
    this.resume = resume;
    this.waitForClient();
  }

  /** Everything is written; the client is no longer waited for. */
  close(): void {
    this.stopWaiting();
    this.resume = null;
  }

  private waitForClient(): void {
    if (this.stall !== null) return;
    this.stall = setTimeout(this.onStalled, LIMITS.uploadStallMs);
    this.output.once('drain', this.onDrain);
  }

  private stopWaiting(): void {
    if (this.stall !== null) clearTimeout(this.stall);
    this.stall = null;
    this.output.off('drain', this.onDrain);
  }
}
