/** What the session machine is told, what it asks for, and what it knows. No audio appears in any of it. */
import type { ErrorCode } from '../src/errors.js';
import type { RecordingConfig } from '../src/protocol/types.js';

export type FlushReason = 'stop' | 'drain';

/** What the machine asks of the session. Each call is synchronous and must not block. */
export interface SessionEffects {
  /** idle → recording: zero the slot, answer `recording_started`, then feed audio held back while queued. */
  beginRecording(config: RecordingConfig): void;
  /** recording → flushing: run what is left through the model at the head of the queue, then send FLUSHED. */
  beginFlush(reason: FlushReason): void;
  /** flushing → idle: answer `recording_stopped`. */
  finishRecording(): void;
  /** FINALIZE while recording: close the current segment now. */
  finalizeSegment(): void;
  /** FINALIZE behind a remembered START: keep it among the frames that are held back, in order. */
  holdFinalize(): void;
  /** A control message came in the wrong state; the connection survives. */
  refuse(code: ErrorCode): void;
  /** The socket is gone, the session waits for another. */
  detach(): void;
  /** A new socket resumed the session. */
  attach(): void;
  /** Final: free the slot, close the socket with the code's close code (null: 1000). */
  close(code: ErrorCode | null): void;
  /**
   * One of the calls above threw. Log it; must not throw (if it does, that is dropped). The machine finishes
   * the step it is in and then closes the session with the error's own code, INTERNAL for a stranger. Had
   * `close` itself thrown, the machine is in `closed` all the same and nothing else is called.
   */
  effectFailed(effect: SessionEffectName, cause: unknown): void;
}

export type SessionEffectName = Exclude<keyof SessionEffects, 'effectFailed'>;

export type SessionEvent =
  | { type: 'START'; config: RecordingConfig }
  | { type: 'STOP' }
  | { type: 'FINALIZE' }
  /** The last result of a flush has been committed. One for each `beginFlush`. */
  | { type: 'FLUSHED' }
  | { type: 'DETACHED' }
  | { type: 'ATTACHED' }
  | { type: 'IDLE_TIMEOUT' }
  | { type: 'DRAIN' }
  | { type: 'FAULT'; code: ErrorCode }
  | { type: 'CLOSE'; code: ErrorCode | null };

export interface SessionInput {
  effects: SessionEffects;
  /** How long a session outlives its socket, milliseconds; 0: not at all. */
  resumeWindowMs: number;
}

export interface SessionContext extends SessionInput {
  /** What the current recording was started with, or the remembered START. */
  config: RecordingConfig | null;
  closeCode: ErrorCode | null;
}

/**
 * `accepting-audio`: samples may be written to the ring.
 * `holding-audio`: a START is remembered; keep the frames that follow it (pause the socket), they belong to
 * the recording that begins on FLUSHED.
 */
export type SessionTag = 'accepting-audio' | 'holding-audio';
