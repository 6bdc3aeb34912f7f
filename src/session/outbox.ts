/**
 * The way out of a session: events become frames by its dialect. Partials are held back from a client that reads slowly
 * (only the newest counts) before they are rendered, so that a dialect never counts as told what was not; nothing else is
 * ever dropped; a client that does not read at all is given up. What a resumable client is not known to have is kept, and
 * told again when it comes back; without a socket partials are held back as from a slow reader, and are not numbered.
 */
import { LIMITS } from '../limits.js';
import type { Dialect, Frame, PartialEvent, ResumedEvent, StreamEvent } from '../protocol/dialect.js';
import type { RecordingConfig } from '../protocol/types.js';
import { type SentFrames, SentLog } from './sent-log.js';
import { type KeptTold, type Told, ToldCount } from './told.js';

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
  /** Asks the other end to confirm all that was sent: once it has, it has every frame up to the `last`-th of the session. */
  mark(last: number): void;
}

/** What an outbox has told, and what of it the client may lack. */
export interface KeptOutbox {
  readonly told: KeptTold;
  readonly sent: SentFrames;
}

export class Outbox {
  droppedPartials = 0;
  /** The partial that waits, by channel. */
  private readonly held: (PartialEvent | null)[] = [];
  private transport: Transport | null;
  private readonly dialect: Dialect;
  private readonly onOverflow: () => void;
  private readonly onFailed: (error: unknown) => void;
  private readonly log: SentLog | null;
  private readonly count = new ToldCount();

  /** @param onFailed the dialect threw: its client cannot be told anything any more */
  constructor(
    transport: Transport | null,
    dialect: Dialect,
    onOverflow: () => void,
    onFailed: (error: unknown) => void,
  ) {
    this.transport = transport;
    this.dialect = dialect;
    this.onOverflow = onOverflow;
    this.onFailed = onFailed;
    this.log = dialect.policy.resumable ? new SentLog() : null;
  }

  /** Nothing is sent: the socket is gone. */
  detach(): void {
    this.transport = null;
    if (this.log === null) this.held.length = 0;
  }

  /** What the client was told so far. */
  get told(): Told {
    return this.count;
  }

  /** What another server needs to go on telling. */
  save(): KeptOutbox {
    return { told: this.count.save(), sent: this.log?.save() ?? { before: 0, frames: [] } };
  }

  /** Goes on telling what another server has begun to. Only a new outbox of a resumable dialect. */
  restore({ told, sent }: KeptOutbox, config: RecordingConfig): void {
    this.count.restore(told);
    this.log?.restore(sent);
    this.dialect.goOn?.(sent.before + sent.frames.length, config);
  }

  /** What the session keeps for its client, bytes. */
  get keptBytes(): number {
    return this.log?.size ?? 0;
  }

  /** @param seen the number of the last message that the client has; null: it does not say */
  canReplay(seen: number | null): boolean {
    return this.log !== null && this.log.after(seen ?? this.log.oldest) !== null;
  }

  /** The client has more messages than were told here: another server told them. */
  isBehind(seen: number | null): boolean {
    return seen !== null && seen > (this.log?.last ?? 0);
  }

  /** Another socket: first what was resumed, then all that its client lacks. Only if `canReplay`. */
  attach(transport: Transport, seen: number | null, resumed: Omit<ResumedEvent, 'seen'>): void {
    this.transport = transport;
    const from = seen ?? this.log?.oldest ?? 0;
    const missed = this.log?.after(from) ?? [];
    // Neither is a new message, so neither is numbered or kept, and a client that falls behind here already did.
    for (const frame of this.dialect.render({ ...resumed, seen: from })) transport.send(frame);
    for (const frame of missed) transport.send(frame);
    this.mark();
    this.sendHeld();
  }

  /** The client has the first `last` frames. */
  delivered(last: number): void {
    this.log?.delivered(last);
  }

  /** Asks how far the client has got, if anything is not known to be delivered and the answer would not stand in a jam. */
  mark(): void {
    if (this.log !== null && this.log.size > 0 && !this.full) this.transport?.mark(this.log.last);
  }

  tell(event: StreamEvent): void {
    if (this.transport === null && this.log === null) return;
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
      this.log?.append(frame);
      if (transport === null) continue;
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
    let frames: readonly Frame[];
    try {
      if (!this.count.count(event)) {
        if (event.type === 'configured') this.dialect.goOn?.(this.log?.last ?? 0, event.config);
        return;
      }
      frames = this.dialect.render(event);
    } catch (error) {
      // Events come from sockets, timers and promises, where an exception would end every session.
      this.onFailed(error);
      return;
    }
    this.send(frames);
  }
}
