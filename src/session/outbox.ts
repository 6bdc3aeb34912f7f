/**
 * The output of a session: its dialect turns events into frames. For a slow client, partials are held back before they
 * are rendered and only the newest counts, so a dialect never records as sent what was not. Nothing else is ever
 * dropped; a client that does not read at all is disconnected. Messages that a resumable client may lack are kept and
 * sent again when it returns. Without a socket, partials are held back too, and get no number.
 */
import { LIMITS } from '../limits.js';
import type { Dialect, Frame, PartialEvent, ResumedEvent, StreamEvent } from '../protocol/dialect.js';
import type { RecordingConfig } from '../protocol/types.js';
import { type SentFrames, SentLog } from './sent-log.js';
import { type KeptTold, type Kind, type Position, type Told, ToldCount } from './told.js';

/** A connection as a session sees it: a WebSocket, or anything else that carries frames in order. */
export interface Transport {
  /** Bytes sent that the client has not received. */
  readonly bufferedAmount: number;
  /** Sends a frame: a string as text, bytes as binary. */
  send(frame: Frame): void;
  /** Stops reading, so that TCP slows the client; and resumes. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  /** Probes the client. A socket that has not answered the last probe is closed as dead. */
  heartbeat(): void;
  /** Probes the client now. A socket without an answer within LIMITS.probeMs is closed as dead. */
  probe(): void;
  /** Asks the other end to confirm everything sent: it then has every frame up to the `last`-th of the session. */
  mark(last: number): void;
}

/** What an outbox has sent, and which messages the client may lack. */
export interface KeptOutbox {
  readonly told: KeptTold;
  readonly sent: SentFrames;
}

const NOTHING: SentFrames = { before: 0, frames: [], kinds: '', told: null };

export class Outbox {
  droppedPartials = 0;
  /** The held-back partial of each channel. */
  private readonly held: (PartialEvent | null)[] = [];
  private transport: Transport | null;
  private readonly dialect: Dialect;
  private readonly onOverflow: () => void;
  private readonly onFailed: (error: unknown) => void;
  private readonly log: SentLog | null;
  private readonly count = new ToldCount();

  /** @param onFailed the dialect threw: nothing more can be sent to its client */
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

  /** The socket is closed: nothing is sent. */
  detach(): void {
    this.transport = null;
    if (this.log === null) this.held.length = 0;
  }

  /** Counts of what was sent to the client. */
  get told(): Told {
    return this.count;
  }

  /** Data that another server needs to continue. */
  save(): KeptOutbox {
    return { told: this.count.save(), sent: this.log?.save() ?? NOTHING };
  }

  /** Continues the output of another server. Only on a new outbox of a resumable dialect. */
  restore({ told, sent }: KeptOutbox, config: RecordingConfig): void {
    this.count.restore(told);
    this.log?.restore(sent);
    this.dialect.goOn?.(sent.before + sent.frames.length, config);
  }

  /** Bytes kept for the client. */
  get keptBytes(): number {
    return this.log?.size ?? 0;
  }

  /** @param seen number of the last message that the client has; null: unknown */
  canReplay(seen: number | null): boolean {
    return this.log !== null && this.log.after(seen ?? this.log.oldest) !== null;
  }

  /**
   * Whether the client has other messages than were sent here: more, or others under the same numbers. Another server
   * sent them.
   */
  contradicts(position: Position): boolean {
    const { seen } = position;
    return seen !== null && (seen > (this.log?.last ?? 0) || this.log?.agrees(position) === false);
  }

  /** Attaches another socket: sends `resumed`, then everything the client lacks. Only if `canReplay`. */
  attach(transport: Transport, seen: number | null, resumed: Omit<ResumedEvent, 'seen'>): void {
    this.transport = transport;
    const from = seen ?? this.log?.oldest ?? 0;
    const missed = this.log?.after(from) ?? [];
    // These frames are not new messages, so they are neither numbered nor kept. A client that falls behind here already
    // was behind.
    for (const frame of this.dialect.render({ ...resumed, seen: from })) transport.send(frame);
    for (const frame of missed) transport.send(frame);
    this.mark();
    this.sendHeld();
  }

  /** The client has the first `last` frames. */
  delivered(last: number): void {
    this.log?.delivered(last);
  }

  /**
   * Asks the client to confirm what it has, if some messages are unconfirmed and the answer would not be delayed by a
   * backlog.
   */
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
      // A final makes a held-back partial of its segment obsolete.
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

  /** Sends a dialect's own messages. */
  send(frames: readonly Frame[], kind: Kind = '-'): void {
    for (const [i, frame] of frames.entries()) {
      const { transport } = this;
      this.log?.append(frame, i === 0 ? kind : '-');
      if (transport === null) continue;
      transport.send(frame);
      if (transport.bufferedAmount > LIMITS.outboxHardBytes) this.onOverflow();
    }
  }

  /** Sends held-back partials if the client has caught up. Also called by the sweep. */
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

  /** Sends a partial if the client keeps up; otherwise it waits, and a newer one replaces it. */
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
    let kind: Kind | null;
    try {
      kind = this.count.count(event);
      if (kind === null) {
        if (event.type === 'configured') this.dialect.goOn?.(this.log?.last ?? 0, event.config);
        return;
      }
      frames = this.dialect.render(event);
    } catch (error) {
      // Events come from sockets, timers and promises, where an exception would end the process.
      this.onFailed(error);
      return;
    }
    this.send(frames, kind);
  }
}
