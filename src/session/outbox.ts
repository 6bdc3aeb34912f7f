/**
 * The way out of a session: numbers every message, holds partials back from a client that reads slowly (only the
 * newest counts), never drops anything else, and gives up on a client that does not read at all.
 */
import { LIMITS } from '../limits.js';
import type { ServerMessage } from '../protocol/types.js';

/** One socket, as the outbox needs it. */
export interface Transport {
  readonly bufferedAmount: number;
  send(text: string): void;
  /** Stops reading, so that TCP slows the client; and goes on. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  /** Asks for a sign of life; if the last one was not answered, the socket is ended as gone. */
  heartbeat(): void;
  /** Asks for a sign of life now: a socket that gives none within LIMITS.probeMs is ended as gone. */
  probe(): void;
}

export class Outbox {
  droppedPartials = 0;
  private seq = 0;
  /** The partial that waits, as JSON. */
  private held: string | null = null;
  private transport: Transport | null;
  private readonly onOverflow: () => void;

  constructor(transport: Transport, onOverflow: () => void) {
    this.transport = transport;
    this.onOverflow = onOverflow;
  }

  /** Nothing is sent any more: the socket is gone. */
  detach(): void {
    this.transport = null;
    this.held = null;
  }

  send(message: ServerMessage): void {
    // A final says all that a held partial of its segment said.
    if (message.type === 'transcription') this.held = null;
    else this.sendHeld();
    this.write(JSON.stringify(message));
  }

  /** A partial, as JSON, goes out if the client keeps up; else it waits, and a newer one takes its place. */
  sendPartial(json: string): void {
    if (this.transport === null) return;
    if (this.transport.bufferedAmount > LIMITS.outboxSoftBytes) {
      if (this.held !== null) this.droppedPartials++;
      this.held = json;
      return;
    }
    if (this.held !== null) this.droppedPartials++;
    this.held = null;
    this.write(json);
  }

  /** Sends the partial that was held back, if the client has caught up. Called by the sweep. */
  sendHeld(): void {
    const { held, transport } = this;
    if (held === null || transport === null || transport.bufferedAmount > LIMITS.outboxSoftBytes) return;
    this.held = null;
    this.write(held);
  }

  /** Sends an object's JSON with its number as the last field. */
  private write(json: string): void {
    const { transport } = this;
    if (transport === null) return;
    transport.send(`${json.slice(0, -1)},"seq":${++this.seq}}`);
    if (transport.bufferedAmount > LIMITS.outboxHardBytes) this.onOverflow();
  }
}
