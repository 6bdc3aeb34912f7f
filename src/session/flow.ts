/** Controls whether a session's connection is read, and checks that its client is still there. */
import type { Transport } from './outbox.js';
import type { Watch } from './watch.js';

export class Flow {
  /** The server does not read: nothing can be received, so the client's silence means nothing. */
  paused = false;
  private transport: Transport | null;
  private readonly watch: Watch;

  constructor(transport: Transport | null, watch: Watch) {
    this.transport = transport;
    this.watch = watch;
  }

  /** Resumes reading, or lets TCP slow down a client whose frames cannot be accepted now. */
  set(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.transport?.pause();
    else {
      this.watch.restart();
      this.transport?.resume();
    }
  }

  /** Whether this connection carries the session. */
  carries(transport: Transport): boolean {
    return this.transport === transport;
  }

  attach(transport: Transport): void {
    this.transport = transport;
    this.paused = false;
    this.watch.restart();
  }

  /** Probes the client when due. */
  beat(nowMs: number): void {
    if (this.watch.beat(nowMs)) this.transport?.heartbeat();
  }

  probe(): void {
    if (!this.paused) this.transport?.probe();
  }

  /** Closes the connection; no effect if it is closed already. */
  close(code: number, reason: string): void {
    this.set(false);
    this.transport?.close(code, reason);
    this.transport = null;
  }
}
