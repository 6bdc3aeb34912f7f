/**
 * How a session and its connection part, and how the client finds it again. While it has no connection, what was taken is
 * recognised to its end; frames that nobody has looked at are forgotten, since the client sends again all that comes behind
 * the position that it is told.
 */
import type { SessionActivity, SessionEvent } from '../../machines/session.js';
import type { Logger } from '../log.js';
import type { Dialect } from '../protocol/dialect.js';
import type { SessionContext } from './context.js';
import type { Flow } from './flow.js';
import type { Inbox } from './inbox.js';
import type { Outbox, Transport } from './outbox.js';
import type { Recorder } from './recorder.js';
import type { Resumable, ResumeTicket } from './resume-desk.js';

/** A connection that takes a session over. */
export interface Arrival {
  readonly transport: Transport;
  /** Address. */
  readonly remote: string;
  /** What it presented. */
  readonly token: string;
  /** The number of the last message that the client has; null: it does not say. */
  readonly seen: number | null;
}

export interface AttachmentParts {
  readonly context: SessionContext;
  readonly dialect: Dialect;
  readonly log: Logger;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly flow: Flow;
  readonly recorder: Recorder;
  /** To the session's machine. */
  send(event: SessionEvent): void;
}

const STATES = { idle: 'idle', recording: 'recording', flushing: 'stopping', closed: 'idle' } as const;

export class Attachment {
  private readonly parts: AttachmentParts;
  /** Null for a client that does not resume. */
  private readonly ticket: ResumeTicket | null;
  /** The connection that takes over, while the machine is told of it. */
  private arriving: Arrival | null = null;
  /** The token that goes with the next answer, where the fleet had to know of it first. */
  private nextToken: string | null = null;

  constructor(parts: AttachmentParts, session: Resumable) {
    this.parts = parts;
    this.ticket = parts.dialect.policy.resumable ? parts.context.desk.open(session) : null;
  }

  /** Of the first connection. */
  firstToken(): string | undefined {
    return this.ticket?.issue();
  }

  /**
   * Of a session that another server had: the client presents this one, and is about to get the next.
   * @param known hashes of all that were good there
   */
  adopt(token: string, known: readonly string[]): void {
    this.nextToken = this.ticket?.adopt(token, known) ?? null;
  }

  /** Hashes of the tokens that are good now. */
  get tokens(): readonly string[] {
    return this.ticket?.hashes ?? [];
  }

  /** A sign of life behind the newest token: the client has it. */
  onAlive(): void {
    this.ticket?.confirm();
  }

  /**
   * The socket is gone. Who said goodbye, or never showed that the token had come, will not be back.
   * @param said the client closed it, with 1000, 1001 or no code
   */
  onSocketClosed(said: boolean): void {
    const { outbox, send } = this.parts;
    outbox.detach();
    if (this.ticket === null || (this.ticket.held && !said)) send({ type: 'DETACHED' });
    else send({ type: 'CLOSE', code: null });
  }

  /** A client that resumes may come back for what it did not read; for others that is the end. */
  onOverflow(): void {
    const { context, dialect, outbox, flow, send } = this.parts;
    if (!this.ticket?.held) {
      send({ type: 'FAULT', code: 'SLOW_READER' });
      return;
    }
    context.metrics.countError('SLOW_READER');
    outbox.detach();
    flow.close(dialect.closeCode('SLOW_READER'), 'SLOW_READER');
    send({ type: 'DETACHED' });
  }

  /**
   * Another connection takes the session over, whether or not the one before it is known to be gone.
   * @returns false if what the client lacks is gone
   */
  resume(arrival: Arrival): boolean {
    if (!this.parts.outbox.canReplay(arrival.seen)) return false;
    this.arriving = arrival;
    this.parts.send({ type: 'ATTACHED' });
    this.arriving = null;
    return true;
  }

  // ---- from the machine -----------------------------------------------------------------------------------

  detach(): void {
    const { dialect, inbox, outbox, flow, log } = this.parts;
    outbox.detach();
    inbox.forget();
    // Normally gone already. If not it is half open, or its client has given the token away.
    flow.close(dialect.closeCode('CLIENT_ID_IN_USE'), 'CLIENT_ID_IN_USE');
    if (this.arriving !== null) return;
    log.info('session suspended');
    this.ticket?.suspend(outbox.keptBytes);
  }

  attach(activity: SessionActivity): void {
    const { ticket, arriving } = this;
    const { context, inbox, outbox, flow, recorder, log } = this.parts;
    if (ticket === null || arriving === null) throw new Error('Nobody came.'); // `resume` sees to it
    ticket.resume();
    context.metrics.resumed++;
    log.info({ remote: arriving.remote }, 'session resumed');
    flow.attach(arriving.transport);
    outbox.attach(arriving.transport, arriving.seen, {
      type: 'resumed',
      state: STATES[activity],
      receivedSamples: recorder.resume(),
      receivedBytes: recorder.live?.securedBytes,
      receivedControls: inbox.controls,
      resumeToken: this.nextToken ?? ticket.issue(arriving.token),
    });
    this.nextToken = null;
  }

  close(): void {
    this.ticket?.close();
  }
}
