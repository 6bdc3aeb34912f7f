/** What the session machine is told, what it asks for, and what it knows. No audio appears in any of it. */
import type { ErrorCode } from '../src/errors.js';
import type { RecordingConfig } from '../src/protocol/types.js';

/** `timeout`: the client gave no sign of life, or no audio, for too long. */
export type FlushReason = 'stop' | 'drain' | 'timeout';

/** What the machine asks of the session. Each call is synchronous and must not block. */
export interface SessionEffects {
  /** idle → recording: the recording is open; say that it began. */
  beginRecording(config: RecordingConfig): void;
  /**
   * recording → flushing: take nothing more of what the client sends, run what is left through the model at the head of
   * the queue, then send FLUSHED.
   */
  beginFlush(reason: FlushReason): void;
  /** flushing → idle: say how it ended, give the slot back, then take what the client sent meanwhile. */
  finishRecording(): void;
  /** FINALIZE while recording: close the current segment now. */
  finalizeSegment(): void;
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
  /** The client gave no sign of life for too long. */
  | { type: 'IDLE_TIMEOUT' }
  /** The client is there, and its recording got no audio for too long. */
  | { type: 'NO_AUDIO' }
  | { type: 'DRAIN' }
  | { type: 'FAULT'; code: ErrorCode }
  | { type: 'CLOSE'; code: ErrorCode | null };

export interface SessionInput {
  effects: SessionEffects;
  /** How long a session outlives its socket, milliseconds; 0: not at all. */
  resumeWindowMs: number;
}

export interface SessionContext extends SessionInput {
  closeCode: ErrorCode | null;
  /** The flush under way is the last: the session closes with `closeCode` after it. */
  leaving: boolean;
}

/** `accepting-audio`: samples may be written to the ring. */
export type SessionTag = 'accepting-audio';
