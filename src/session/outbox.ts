/**
 * The way out of a session: events become frames by its dialect. Partials are held back from a client that reads slowly
 * (only the newest counts) before they are rendered, so that a dialect never counts as told what was not; nothing else is
 * ever dropped; a client that does not read at all is given up.
 */
import { LIMITS } from '../limits.js';
import type { Dialect, Frame, PartialEvent, StreamEvent } from '../protocol/dialect.js';

/** One connection, as a session needs it: a WebSocket, or anything else that carries frames in order. */
export interface Transport {
  /** Bytes handed over that the client has not taken. */
  readonly bufferedAmount: number;
  /** A string is a text frame, bytes are a binary one. */
  send(frame: Frame): void;
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
  /** The partial that waits, by channel. */
  private readonly held: (PartialEvent | null)[] = [];
  private transport: Transport | null;
  private readonly dialect: Dialect;
  private readonly onOverflow: () => void;

  constructor(transport: Transport, dialect: Dialect, onOverflow: () => void) {
    this.transport = transport;
    this.dialect = dialect;
    this.onOverflow = onOverflow;
  }

  /** Nothing is sent any more: the socket is gone. */
  detach(): void {
    this.transport = null;
    this.held.length = 0;
  }

  tell(event: StreamEvent): void {
    if (this.transport === null) return;
    switch (event.type) {
      case 'partial':
        if (this.dialect.policy.coalescesPartials) this.tellPartial(event);
        else this.render(event);
        return;
      // A final says all that a held partial of its segment said.
      case 'segment':
        this.held[event.channel] = null;
        break;
      case 'started':
      case 'stopped':
      case 'closing':
        this.held.length = 0;
        break;
      default:
        this.sendHeld();
    }
    this.render(event);
  }

  /** Sends what a dialect says by itself. */
  send(frames: readonly Frame[]): void {
    for (const frame of frames) {
      const { transport } = this;
      if (transport === null) return;
      transport.send(frame);
      if (transport.bufferedAmount > LIMITS.outboxHardBytes) this.onOverflow();
    }
  }

  /** Sends the partials that were held back, if the client has caught up. Called by the sweep too. */
  sendHeld(): void {
    for (let channel = 0; channel < this.held.length; channel++) {
      const event = this.held[channel];
      if (event === null || event === undefined || this.full) continue;
      this.held[channel] = null;
      this.render(event);
    }
  }

  private get full(): boolean {
    return this.transport === null || this.transport.bufferedAmount > LIMITS.outboxSoftBytes;
  }

  /** Goes out if the client keeps up; else it waits, and a newer one takes its place. */
  private tellPartial(event: PartialEvent): void {
    const { channel } = event;
    if (this.held[channel] != null) this.droppedPartials++;
    if (this.full) {
      this.held[channel] = { ...event, words: event.words.map((word) => ({ ...word })) };
      return;
    }
    this.held[channel] = null;
    this.render(event);
  }

  private render(event: StreamEvent): void {
    this.send(this.dialect.render(event));
  }
}
