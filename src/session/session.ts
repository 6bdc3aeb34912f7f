/**
 * One session. It connects the parts: the inbox takes the client's frames in order, the dialect parses and renders
 * them, the machine decides, and the recording does the work:
 *
 *     frame → inbox → audio ──▶ recording → slot's ring → batcher → transcript ─▶ event → outbox → socket
 *                   → command ─▶ machine ─▶ effects
 */
import { randomBytes } from 'node:crypto';
import { createActor } from 'xstate';
import {
  activityOf,
  isAttached,
  type SessionActivity,
  type SessionEffects,
  type SessionEvent,
  sessionMachine,
} from '../../machines/session.js';
import { type ErrorCode, toServerError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Dialect, Frame } from '../protocol/dialect.js';
import { type Arrival, Attachment } from './attachment.js';
import { type CommandParts, Commands } from './commands.js';
import type { Peer, SessionContext } from './context.js';
import { Flow } from './flow.js';
import { Gate } from './gate.js';
import { Handover, stateOf } from './handover.js';
import { Inbox } from './inbox.js';
import { Outbox, type Transport } from './outbox.js';
import { Recorder } from './recorder.js';
import { Replies } from './replies.js';
import { Sweep } from './sweep.js';
import { quietClock, Watch } from './watch.js';

export class Session {
  readonly id: string;
  readonly clientId: string;
  readonly openedAt = Date.now();
  readonly remote: string;
  /** Identity of the access key. */
  readonly key: string;
  readonly actor;
  readonly watch: Watch;
  /** To the other servers of the fleet. */
  readonly handover: Handover;

  private readonly context: SessionContext;
  private readonly log: Logger;
  private readonly dialect: Dialect;
  private readonly inbox: Inbox;
  private readonly outbox: Outbox;
  private readonly replies: Replies;
  private readonly flow: Flow;
  private readonly recorder: Recorder;
  private readonly attachment: Attachment;
  private readonly gate: Gate;
  private readonly commandParts: CommandParts;
  private readonly sweeper: Sweep;

  constructor(context: SessionContext, transport: Transport | null, dialect: Dialect, peer: Peer) {
    const { takeover } = peer;
    this.context = context;
    this.dialect = dialect;
    this.id = takeover?.id ?? randomBytes(9).toString('base64url');
    this.clientId = peer.clientId;
    this.remote = peer.remote;
    this.key = peer.key;
    this.watch = new Watch(context.bounds);
    this.flow = new Flow(transport, this.watch);
    this.log = context.log.child({ session: this.id });
    const commands = new Commands(() => this.commandParts);
    this.inbox = new Inbox(dialect, commands.handlers, (error) => commands.reject(error));
    const onOverflow = () => this.attachment.onOverflow();
    this.outbox = new Outbox(transport, dialect, onOverflow, (err) => this.fault(err, 'the dialect failed'));
    this.replies = new Replies(context, this.outbox, this.log, (code) =>
      this.actor.send({ type: 'CLOSE', code }),
    );
    this.recorder = new Recorder(context, dialect.policy, this.replies, this.log, {
      onStopped: () => this.actor.send({ type: 'FLUSHED' }),
      onRoom: () => this.flow.paused && this.gate.regulate(),
      onFailed: (err) => this.fault(err, 'the recording failed', 'ENGINE_FAILED'),
      onProgress: () => this.handover.keeper?.poke(),
      onUnreadable: (error) => this.gate.lose(error),
    });
    if (takeover !== undefined) this.recorder.restore(takeover.kept); // before anything that would have to be undone
    const resumeWindowMs = dialect.policy.resumable ? context.resumeWindowMs : 0;
    const input = { effects: this.effects(), resumeWindowMs };
    const snapshot = takeover === undefined ? undefined : stateOf(takeover.kept, input);
    this.actor = createActor(sessionMachine, { input, clock: quietClock, ...(snapshot && { snapshot }) });
    const { id, key, clientId, log, inbox, outbox, flow, watch, recorder, replies } = this;
    const send = (event: SessionEvent) => this.actor.send(event);
    const { policy } = dialect;
    const parts = { context, dialect, policy, log, inbox, outbox, flow, watch, recorder, replies, send };
    const onReleased = () => this.handover.keeper?.poke();
    this.gate = new Gate({ ...parts, activity: () => this.activity, onReleased });
    const { gate } = this;
    // Too many wait here: the fleet may have room for one more.
    const expire = () => void (this.handover.leaveIfKept() || send({ type: 'CLOSE', code: null }));
    this.attachment = new Attachment(parts, { id, key, expire });
    const identity = { id, key, clientId, epoch: takeover?.epoch ?? 1 };
    this.handover = new Handover(
      { ...parts, gate, activity: () => this.activity },
      identity,
      () => this.attachment.tokens,
    );
    this.sweeper = new Sweep({ ...parts, gate, keeper: this.handover.keeper });
    const acceptsAudio = () => this.actor.getSnapshot().hasTag('accepting-audio');
    this.commandParts = { ...parts, gate, acceptsAudio, activity: () => this.activity };
    // Without an error observer XState rethrows from a timer, which ends the process.
    this.actor.subscribe({ error: (err) => this.log.error({ err }, 'session machine failed') });
    this.actor.start();
    this.open(peer);
  }

  private open({ clientId, remote, keyName, expired, takeover }: Peer): void {
    this.log.info({ client: clientId, remote, key: keyName }, 'session opened');
    if (takeover !== undefined) {
      const { kept, token, tokens } = takeover;
      this.inbox.controls = kept.controls;
      this.outbox.restore(kept.outbox, this.recorder.settings.current);
      this.attachment.adopt(token, tokens);
      this.actor.send({ type: 'DETACHED' });
      return;
    }
    if (expired) this.replies.refuse('RESUME_EXPIRED');
    const resumeToken = this.attachment.firstToken();
    this.replies.tell({ type: 'opened', sessionId: this.id, clientId, resumeToken });
    this.outbox.mark();
    this.handover.keeper?.poke();
  }

  get activity(): SessionActivity {
    return activityOf(this.actor.getSnapshot());
  }

  get droppedPartials(): number {
    return this.outbox.droppedPartials;
  }

  /** Figures for the inspector, without any transcript. */
  summary(): { audioSeconds: number; segments: number; lagMs: number; droppedPartials: number } {
    return { ...this.recorder.summary(), droppedPartials: this.droppedPartials };
  }

  // ---- from the socket ------------------------------------------------------------------------------------

  /** False for a connection that another one has replaced; its remaining input is sent again. */
  carriedBy(transport: Transport): boolean {
    return this.flow.carries(transport);
  }

  /** A frame arrived: text, or bytes that are valid only during this call. */
  onFrame(frame: Frame): void {
    if (this.gate.closed) return;
    this.onAlive();
    this.inbox.push(frame);
    this.gate.regulate();
    this.handover.keeper?.poke();
  }

  /** The client answered a ping, or showed otherwise that it is alive. */
  onAlive(): void {
    this.watch.heardMs = performance.now();
    if (this.attachment.onAlive()) this.handover.keeper?.poke();
  }

  /** The client has the first `last` messages. */
  onDelivered(last: number): void {
    this.outbox.delivered(last);
  }

  /** The socket violated its protocol; it closes by itself. */
  onSocketError(error: Error & { code?: string }): void {
    const code = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'MESSAGE_TOO_LARGE' : 'INVALID_MESSAGE';
    this.context.metrics.countError(code);
    this.log.info({ code, detail: error.message }, 'socket error');
  }

  /** The socket is closed. @param said the client closed it, with 1000, 1001 or no code */
  onSocketClosed(said = false): void {
    this.attachment.onSocketClosed(said);
  }

  /**
   * Another connection takes over the session, whether or not the previous one is known to be closed.
   * @returns false if it cannot continue: it is over, or messages that the client lacks are gone
   */
  resume(arrival: Arrival): boolean {
    return !this.gate.closed && this.attachment.resume(arrival);
  }

  /** Its client has heard of it what was not told here, from another server. */
  contradicts(position: Parameters<Outbox['contradicts']>[0]): boolean {
    return this.outbox.contradicts(position);
  }

  private fault(err: unknown, what: string, otherwise: ErrorCode = 'INTERNAL'): void {
    this.log.error({ err }, what);
    this.actor.send({ type: 'FAULT', code: toServerError(err, otherwise).code });
  }

  // ---- from the machine -----------------------------------------------------------------------------------

  private effects(): SessionEffects {
    return {
      beginRecording: (config) => {
        this.watch.restart();
        this.recorder.begin(config);
      },
      beginFlush: (reason) => this.gate.flush(reason),
      finishRecording: () => this.gate.finish(),
      finalizeSegment: () => this.gate.cut((onCut) => this.recorder.live?.finalize('finalize', onCut)),
      refuse: (code) => this.replies.refuse(code),
      detach: () => this.attachment.detach(),
      attach: () => {
        this.attachment.attach(this.activity);
        this.gate.regulate();
        this.handover.keeper?.poke();
      },
      close: (code) => this.close(code),
      effectFailed: (effect, err) => this.log.error({ effect, err }, 'a session effect failed'),
    };
  }

  private close(code: ErrorCode | null): void {
    this.gate.closed = true;
    this.handover.keeper?.close();
    this.attachment.close();
    void this.recorder.close();
    this.inbox.close();
    this.replies.goodbye(code);
    this.outbox.detach();
    const reason = code === null ? '' : (this.dialect.closeReason?.(code) ?? code);
    this.flow.close(this.dialect.closeCode(code), reason);
    this.log.info({ code, seconds: this.watch.ageSeconds() }, 'session closed');
    this.context.onClosed(this);
  }

  // ---- from the registry ----------------------------------------------------------------------------------

  /** Once per second. */
  sweep(nowMs: number): void {
    if (isAttached(this.actor.getSnapshot())) this.sweeper.run(nowMs);
    this.handover.keeper?.sweep();
  }

  /** Another client asks for this session's client_id: checks that its own client is still there. */
  probe(): void {
    this.flow.probe();
  }
}
