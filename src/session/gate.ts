/**
 * Decides when a session accepts input: not during a flush or a cut, so that no command overtakes it, and not while the
 * recording has no room.
 */
import type { SessionActivity, SessionEvent } from '../../machines/session.js';
import type { FlushReason } from '../../machines/session-types.js';
import type { ServerError } from '../errors.js';
import type { DialectPolicy, Input } from '../protocol/dialect.js';
import type { Flow } from './flow.js';
import type { Inbox } from './inbox.js';
import type { Recorder } from './recorder.js';
import type { Replies } from './replies.js';

export interface GateParts {
  readonly inbox: Inbox;
  readonly flow: Flow;
  readonly recorder: Recorder;
  readonly replies: Replies;
  readonly policy: DialectPolicy;
  /** To the session's machine. */
  send(event: SessionEvent): void;
  /** Current activity of the session's machine. */
  activity(): SessionActivity;
  /** Input is accepted again, and earlier input has been processed. */
  onReleased(): void;
}

export class Gate {
  /** The session is over: its connection is released and no longer read. */
  closed = false;
  private readonly parts: GateParts;
  private flushBeganMs = 0;
  /** A flush began. The machine says so only when its transition is over, but a cut may come in the middle of it. */
  private isFlushing = false;
  /** Callback waiting for the session to stand still. */
  private onStill: (() => void) | null = null;

  constructor(parts: GateParts) {
    this.parts = parts;
  }

  /** Reads the connection exactly while its input can be accepted. */
  regulate(): void {
    const { inbox, flow, recorder } = this.parts;
    if (!this.closed) flow.set(inbox.held || inbox.resting || !(recorder.live?.accepts() ?? true));
  }

  /**
   * Runs `act` when all earlier audio is recognised and reported; at once if nothing is recorded. No input is accepted
   * until then.
   */
  inPlace(act: () => void): void {
    const { inbox, recorder } = this.parts;
    if (recorder.live === null) {
      act();
      return;
    }
    inbox.hold();
    recorder.live.whenCaughtUp(() => {
      act();
      if (this.isRecording) this.release();
    });
    this.regulate();
  }

  /**
   * Processes no further frames, and calls back when accepted input is recognised and reported. The session then stands
   * still until `goOn`. A current flush finishes first.
   */
  standStill(then: () => void): void {
    this.parts.inbox.rest();
    this.onStill = then;
    this.regulate();
    this.still();
  }

  goOn(): void {
    this.onStill = null;
    this.parts.inbox.wake();
    this.regulate();
  }

  private still(): void {
    const { inbox, recorder } = this.parts;
    const then = this.onStill;
    if (then === null || this.closed || !inbox.between) return;
    this.onStill = null;
    if (recorder.live === null) then();
    else recorder.live.whenCaughtUp(then);
  }

  /** No input is accepted until the cut is in the ring. */
  cut(finalize: (onCut: () => void) => void): void {
    this.parts.inbox.hold();
    finalize(() => {
      // If a flush has begun meanwhile, the gate stays closed for it.
      if (this.isRecording) this.release();
    });
    this.regulate();
  }

  private get isRecording(): boolean {
    return !this.isFlushing && this.parts.activity() === 'recording';
  }

  /** No input is accepted until everything before the stop is reported. */
  flush(reason: FlushReason): void {
    const { inbox, recorder } = this.parts;
    this.flushBeganMs = performance.now();
    this.isFlushing = true;
    inbox.hold();
    recorder.live?.end(reason === 'timeout' ? 'timeout' : 'stop');
    this.regulate();
  }

  /** Everything is reported: waiting input is processed as soon as the slots are free. */
  finish(): void {
    void this.parts.recorder.finish(performance.now() - this.flushBeganMs).then(() => {
      this.isFlushing = false;
      if (this.parts.activity() === 'idle') this.release();
    });
  }

  /** Ends a running recording first, then handles `last`, an input that ends the session. */
  leave(last: Input): void {
    const { inbox, recorder, send } = this.parts;
    const isRecording = recorder.live !== null;
    if (isRecording) inbox.again(last);
    send(isRecording ? { type: 'STOP' } : { type: 'CLOSE', code: null });
  }

  /**
   * The rest of the audio cannot be read: reports the results so far. A client that did not start the recording itself
   * cannot continue after that.
   */
  lose(error: ServerError): void {
    const { recorder, replies, policy, activity } = this.parts;
    const { code, detail } = error;
    if (policy.startsByItself) {
      this.leave({ type: 'fail', code, detail });
      return;
    }
    replies.reject(error, false);
    if (activity() === 'recording') this.cut((onCut) => recorder.live?.finalize('finalize', onCut));
  }

  private release(): void {
    this.parts.inbox.release();
    this.regulate();
    this.parts.onReleased();
    this.still();
  }
}
