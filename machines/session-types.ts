/** Events, effects and context of the session machine. No audio appears in any of them. */
import type { ErrorCode } from '../src/errors.js';
import type { RecordingConfig } from '../src/protocol/types.js';

/** `timeout`: the client sent nothing, or no audio, for too long. */
export type FlushReason = 'stop' | 'drain' | 'timeout';

/** Calls that the machine makes on the session. Each is synchronous and must not block. */
export interface SessionEffects {
  /** idle → recording: the recording is open; announce it. */
  beginRecording(config: RecordingConfig): void;
  /**
   * recording → flushing: take no more input from the client, run the remaining audio through the model at the head of
   * the queue, then send FLUSHED.
   */
  beginFlush(reason: FlushReason): void;
  /** flushing → idle: report the end, return the slot, then take the input that arrived meanwhile. */
  finishRecording(): void;
  /** FINALIZE while recording: close the current segment now. */
  finalizeSegment(): void;
  /** A control message arrived in the wrong state; the connection continues. */
  refuse(code: ErrorCode): void;
  /** The socket is lost; the session waits for another. */
  detach(): void;
  /** A new socket resumed the session. */
  attach(): void;
  /** Final: free the slot, close the socket with the code's close code (null: 1000). */
  close(code: ErrorCode | null): void;
  /**
   * One of the calls above threw. Log it; must not throw (if it does, that error is dropped). The machine finishes its
   * step and then closes the session with the error's own code, or INTERNAL if it has none. If `close` itself threw,
   * the machine is in `closed` regardless, and nothing else is called.
   */
  effectFailed(effect: SessionEffectName, cause: unknown): void;
}

export type SessionEffectName = Exclude<keyof SessionEffects, 'effectFailed'>;

export type SessionEvent =
  | { type: 'START'; config: RecordingConfig }
  | { type: 'STOP' }
  | { type: 'FINALIZE' }
  /** The last result of a flush has been committed. Once per `beginFlush`. */
  | { type: 'FLUSHED' }
  | { type: 'DETACHED' }
  | { type: 'ATTACHED' }
  /** Nothing was received from the client for too long. */
  | { type: 'IDLE_TIMEOUT' }
  /** The client is connected, but its recording received no audio for too long. */
  | { type: 'NO_AUDIO' }
  | { type: 'DRAIN' }
  | { type: 'FAULT'; code: ErrorCode }
  | { type: 'CLOSE'; code: ErrorCode | null };

export interface SessionInput {
  effects: SessionEffects;
  /** How long a session outlives its socket, milliseconds; 0: not resumable. */
  resumeWindowMs: number;
}

export interface SessionContext extends SessionInput {
  closeCode: ErrorCode | null;
  /** The current flush is the last: the session then closes with `closeCode`. */
  leaving: boolean;
}

/** `accepting-audio`: samples may be written to the ring. */
export type SessionTag = 'accepting-audio';
