/**
 * How a session loses its connection, and how its client resumes it. Without a connection, audio already taken is still
 * recognised. Frames that were not processed are dropped, since the client sends again everything after the position
 * that it is told.
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

/** A connection that takes over a session. */
export interface Arrival {
  readonly transport: Transport;
  /** Remote address. */
  readonly remote: string;
  /** The presented token. */
  readonly token: string;
  /** Number of the last message that the client has; null: unknown. */
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
  /** The connection that takes over, while the machine handles it. */
  private arriving: Arrival | null = null;
  /** The token for the next answer, if the fleet had to store it first. */
  private nextToken: string | null = null;

  constructor(parts: AttachmentParts, session: Resumable) {
    this.parts = parts;
    this.ticket = parts.dialect.policy.resumable ? parts.context.desk.open(session) : null;
  }

  /** Token for the first connection. */
  firstToken(): string | undefined {
    return this.ticket?.issue();
  }

  /**
   * For a session taken over from another server: the client presented `token` and is about to get the next one.
   * @param known hashes of all tokens that were valid there
   */
  adopt(token: string, known: readonly string[]): void {
    this.nextToken = this.ticket?.adopt(token, known) ?? null;
  }

  /** Hashes of the valid tokens. */
  get tokens(): readonly string[] {
    return this.ticket?.hashes ?? [];
  }

  /**
   * Something was received after the newest token was sent, so the client has it.
   * @returns whether earlier tokens became void: other servers must learn that at once
   */
  onAlive(): boolean {
    return this.ticket?.confirm() ?? false;
  }

  /**
   * The socket is closed. A client that said goodbye, or never confirmed its token, will not return.
   * @param said the client closed it, with 1000, 1001 or no code
   */
  onSocketClosed(said: boolean): void {
    const { outbox, send } = this.parts;
    outbox.detach();
    if (this.ticket === null || (this.ticket.held && !said)) send({ type: 'DETACHED' });
    else send({ type: 'CLOSE', code: null });
  }

  /** A resuming client may return for the unread messages; any other session ends. */
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
   * Another connection takes over the session, whether or not the previous one is known to be closed.
   * @returns false if messages that the client lacks are gone
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
    // Usually closed already. If not, it is half open, or the client has passed on its token.
    flow.close(dialect.closeCode('CLIENT_ID_IN_USE'), 'CLIENT_ID_IN_USE');
    if (this.arriving !== null) return;
    log.info('session suspended');
    this.ticket?.suspend(outbox.keptBytes);
  }

  attach(activity: SessionActivity): void {
    const { ticket, arriving } = this;
    const { context, inbox, outbox, flow, recorder, log } = this.parts;
    if (ticket === null || arriving === null) throw new Error('Nobody came.'); // `resume` ensures this
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
