/** Whether a session's connection is read, and whether its client is still there. */
import type { Transport } from './outbox.js';
import type { Watch } from './watch.js';

export class Flow {
  /** The server does not read: no sign of life could be seen, and the client is not to blame for its silence. */
  paused = false;
  private readonly transport: Transport;
  private readonly watch: Watch;

  constructor(transport: Transport, watch: Watch) {
    this.transport = transport;
    this.watch = watch;
  }

  /** Reads on, or lets TCP slow a client whose frames cannot be taken now. */
  set(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.transport.pause();
    else {
      this.watch.restart();
      this.transport.resume();
    }
  }

  /** Asks for a sign of life when it is time to. */
  beat(nowMs: number): void {
    if (this.watch.beat(nowMs)) this.transport.heartbeat();
  }

  probe(): void {
    if (!this.paused) this.transport.probe();
  }

  close(code: number, reason: string): void {
    this.set(false);
    this.transport.close(code, reason);
  }
}
