/** Whether a session's connection is read, and whether its client is still there. */
import type { Transport } from './outbox.js';
import type { Watch } from './watch.js';

export class Flow {
  /** The server does not read: no sign of life could be seen, and the client is not to blame for its silence. */
  paused = false;
  private transport: Transport | null;
  private readonly watch: Watch;

  constructor(transport: Transport | null, watch: Watch) {
    this.transport = transport;
    this.watch = watch;
  }

  /** Reads on, or lets TCP slow a client whose frames cannot be taken now. */
  set(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.transport?.pause();
    else {
      this.watch.restart();
      this.transport?.resume();
    }
  }

  /** This is the connection that carries the session. */
  carries(transport: Transport): boolean {
    return this.transport === transport;
  }

  attach(transport: Transport): void {
    this.transport = transport;
    this.paused = false;
    this.watch.restart();
  }

  /** Asks for a sign of life when it is time to. */
  beat(nowMs: number): void {
    if (this.watch.beat(nowMs)) this.transport?.heartbeat();
  }

  probe(): void {
    if (!this.paused) this.transport?.probe();
  }

  /** Lets the connection go; one that is gone already does not mind. */
  close(code: number, reason: string): void {
    this.set(false);
    this.transport?.close(code, reason);
    this.transport = null;
  }
}
