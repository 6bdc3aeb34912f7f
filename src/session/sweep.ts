/**
 * What an attached session does once per second: sends acknowledgements, metrics and held-back partials, and handles
 * timeouts.
 */
import type { SessionEvent } from '../../machines/session.js';
import type { DialectPolicy } from '../protocol/dialect.js';
import type { Flow } from './flow.js';
import type { Gate } from './gate.js';
import type { Keeper } from './keeper.js';
import type { LiveRecording } from './live-recording.js';
import type { Outbox } from './outbox.js';
import type { Recorder } from './recorder.js';
import type { Replies } from './replies.js';
import type { Watch } from './watch.js';

export interface SweepParts {
  readonly policy: DialectPolicy;
  readonly watch: Watch;
  readonly flow: Flow;
  readonly gate: Gate;
  readonly outbox: Outbox;
  readonly recorder: Recorder;
  readonly replies: Replies;
  /** Null if the session ends with its server. */
  readonly keeper: Keeper | null;
  /** To the session's machine. */
  send(event: SessionEvent): void;
}

export class Sweep {
  private readonly parts: SweepParts;

  constructor(parts: SweepParts) {
    this.parts = parts;
  }

  /** @param nowMs of performance.now */
  run(nowMs: number): void {
    const { policy, watch, flow, outbox, recorder, send } = this.parts;
    const { live } = recorder;
    outbox.sendHeld();
    const { keeper } = this.parts;
    recorder.report(nowMs, outbox.droppedPartials, (here) => keeper?.ack(here) ?? here);
    outbox.mark();
    // While a socket is not read, nothing can be received from it.
    if (flow.paused) return;
    flow.beat(nowMs);
    if (policy.idle === 'frames' && watch.idle(nowMs)) send({ type: 'IDLE_TIMEOUT' });
    else if (live !== null) this.look(live, nowMs);
  }

  /** Checks a running recording. */
  private look(live: LiveRecording, nowMs: number): void {
    const { policy, watch, gate, replies, keeper, send } = this.parts;
    if (watch.noAudio(nowMs)) {
      keeper?.forget();
      replies.tell({ type: 'warning', code: 'RECORDING_TIMEOUT' });
      send({ type: 'NO_AUDIO' });
      return;
    }
    const paused = !policy.resumable && watch.pause(nowMs, live.config.silence_duration);
    if (paused && live.unanswered) gate.cut((onCut) => live.answerPause(onCut));
  }
}
