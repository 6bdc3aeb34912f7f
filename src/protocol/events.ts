/**
 * Events of a session, from which a dialect makes messages. Positions are samples at 16 kHz from the start of the
 * recording; durations are milliseconds.
 */
import type { ErrorCode } from '../errors.js';
import type { Segment } from '../transcript/transcript.js';
import type { Word } from '../transcript/words.js';
import type { RecordingConfig } from './types.js';

/** The session is open. This is the first event. */
export interface OpenedEvent {
  readonly type: 'opened';
  readonly sessionId: string;
  readonly clientId: string;
  /** Resumes the session after a lost connection; absent if that is not possible. */
  readonly resumeToken?: string | undefined;
}

/**
 * The session continues over a new connection. Sent first, before missed messages. The client sends again everything
 * after `receivedSamples` and `receivedControls`, up to which all its input was received.
 */
export interface ResumedEvent {
  readonly type: 'resumed';
  /** `stopping`: the recording has ended except for its last results. */
  readonly state: 'idle' | 'recording' | 'stopping';
  /** Audio received since the start of the recording; an exact position at the client's rate too. */
  readonly receivedSamples: number;
  /** For compressed audio, which cannot be cut at a sample: the client continues after this byte. */
  readonly receivedBytes?: number | undefined;
  /** Text frames received since then, valid or not, except `ping` and `keepalive`. */
  readonly receivedControls: number;
  readonly resumeToken: string;
  /** Number of the last message that need not be sent again. */
  readonly seen: number;
}

/** A recording began; `config` is the complete set of settings. Audio positions restart at 0. */
export interface StartedEvent {
  readonly type: 'started';
  readonly config: RecordingConfig;
}

/** Settings changed, by `configure` or by the start of the audio (a WAV header, a container). */
export interface ConfiguredEvent {
  readonly type: 'configured';
  readonly config: RecordingConfig;
}

/**
 * The open segment so far; it replaces the previous one. A slow client gets only the newest, so a dialect that sends
 * deltas must compute them from the last one it rendered.
 */
export interface PartialEvent {
  readonly type: 'partial';
  /** 0; with two separate channels, 0 or 1. */
  readonly channel: number;
  /** The id that the segment will have: 1, 2, 3 … within the recording and channel. */
  readonly segmentId: number;
  /** Valid only until `render` returns; must be copied to be kept. */
  readonly words: readonly Word[];
  /** How many of `words`, from the first, no longer change. */
  readonly stableWords: number;
  /** Samples of audio recognised so far. */
  readonly audioEndSamples: number;
  /** From the arrival of a complete chunk at the server to its result. */
  readonly processingMs: number;
  /** Whether the client wants `words`. */
  readonly withWords: boolean;
}

/** A segment is final. Always sent, and never followed by a partial of the same segment. */
export interface SegmentEvent {
  readonly type: 'segment';
  readonly channel: number;
  readonly segment: Segment;
  readonly audioEndSamples: number;
  readonly processingMs: number;
  readonly withWords: boolean;
}

/** Speech began or ended. Emitted whether or not `vad_events` is set: `wanted` tells. */
export interface SpeechEvent {
  readonly type: 'speech';
  readonly channel: number;
  readonly change: 'started' | 'ended';
  readonly atSamples: number;
  readonly wanted: boolean;
}

/** A step was taken and its results were emitted. Only for dialects that request it. */
export interface ProgressEvent {
  readonly type: 'progress';
  readonly channel: number;
  readonly audioEndSamples: number;
}

/** The recording is over and all of its segments were emitted. */
export interface StoppedEvent {
  readonly type: 'stopped';
  /** All segments joined by spaces; only the end if it is longer than LIMITS.maxFinalTranscriptChars. */
  readonly text: string;
  readonly truncated: boolean;
  readonly segments: number;
  /** Audio received, samples at 16 kHz. */
  readonly samples: number;
}

/** Something was ignored; the connection continues. */
export interface WarningEvent {
  readonly type: 'warning';
  readonly code: ErrorCode;
  readonly detail?: string | undefined;
}

/** Something was refused. `fatal`: the connection is closed right after this. */
export interface ErrorEvent {
  readonly type: 'error';
  readonly code: ErrorCode;
  readonly detail?: string | undefined;
  readonly fatal: boolean;
}

/** Once per second while recording, if requested by the settings. */
export interface MetricsEvent {
  readonly type: 'metrics';
  readonly levelDbfs: number;
  readonly lagSamples: number;
  readonly stepMsP50: number;
  readonly stepMsP95: number;
  readonly droppedPartials: number;
  readonly receivedSamples: number;
}

/**
 * Once per second while recording, only for resumable dialects: input up to here survives a lost connection. An exact
 * position at the client's rate too.
 */
export interface AckEvent {
  readonly type: 'ack';
  readonly receivedSamples: number;
  /** For compressed audio: bytes as sent. */
  readonly receivedBytes?: number | undefined;
}

export type StreamEvent =
  | OpenedEvent
  | ResumedEvent
  | StartedEvent
  | ConfiguredEvent
  | PartialEvent
  | SegmentEvent
  | SpeechEvent
  | ProgressEvent
  | StoppedEvent
  | WarningEvent
  | ErrorEvent
  | MetricsEvent
  | { readonly type: 'pong'; readonly text?: string | undefined }
  | AckEvent
  /**
   * The server is about to stop and the session continues at another one; the connection is closed right after this.
   */
  | { readonly type: 'moving' }
  /**
   * The connection is about to be closed with `closeCode(code)`: the last event, and the last chance to send a message.
   */
  | { readonly type: 'closing'; readonly code: ErrorCode | null };
