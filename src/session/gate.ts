/**
 * When a session takes what its client sends: not during a flush or a cut, so that no command overtakes either, and not
 * while the recording has no room.
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
  /** Of the session's machine, now. */
  activity(): SessionActivity;
  /** Frames are taken again, and what was taken before is done. */
  onReleased(): void;
}

export class Gate {
  /** The session is over: its connection is let go, and read no more. */
  closed = false;
  private readonly parts: GateParts;
  private flushBeganMs = 0;
  /** Who waits for the session to stand still. */
  private onStill: (() => void) | null = null;

  constructor(parts: GateParts) {
    this.parts = parts;
  }

  /** Reads the connection exactly while what it brings can be taken. */
  regulate(): void {
    const { inbox, flow, recorder } = this.parts;
    if (!this.closed) flow.set(inbox.held || inbox.resting || !(recorder.live?.accepts() ?? true));
  }

  /** Does something when all audio before it is recognised and told; at once if nothing is recorded. Nothing is taken until then. */
  inPlace(act: () => void): void {
    const { inbox, recorder } = this.parts;
    if (recorder.live === null) {
      act();
      return;
    }
    inbox.hold();
    recorder.live.whenCaughtUp(() => {
      act();
      if (this.parts.activity() === 'recording') this.release();
    });
    this.regulate();
  }

  /**
   * Looks at no further frame, and calls back when what was taken is recognised and told: then the session stands still
   * until `goOn`. A flush under way comes first.
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

  /** Nothing is taken until the cut is in the ring. */
  cut(finalize: (onCut: () => void) => void): void {
    this.parts.inbox.hold();
    finalize(() => {
      // A flush that began meanwhile goes on holding it.
      if (this.parts.activity() === 'recording') this.release();
    });
    this.regulate();
  }

  /** Nothing is taken until everything before the stop is told. */
  flush(reason: FlushReason): void {
    const { inbox, recorder } = this.parts;
    this.flushBeganMs = performance.now();
    inbox.hold();
    recorder.live?.end(reason === 'timeout' ? 'timeout' : 'stop');
    this.regulate();
  }

  /** It is told: what waited is taken as soon as the slots are free. */
  finish(): void {
    void this.parts.recorder.finish(performance.now() - this.flushBeganMs).then(() => {
      if (this.parts.activity() === 'idle') this.release();
    });
  }

  /** Ends a running recording first, and comes back to `last`, an input that ends the session. */
  leave(last: Input): void {
    const { inbox, recorder, send } = this.parts;
    const isRecording = recorder.live !== null;
    if (isRecording) inbox.again(last);
    send(isRecording ? { type: 'STOP' } : { type: 'CLOSE', code: null });
  }

  /** The audio cannot be read any further: what was heard is told. Who never asked for a recording cannot go on then. */
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
