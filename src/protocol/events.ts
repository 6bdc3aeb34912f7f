/**
 * What happens in a session, as facts: a dialect makes messages of them. Positions are samples at 16 kHz from the start
 * of the recording; durations are milliseconds.
 */
import type { ErrorCode } from '../errors.js';
import type { Segment } from '../transcript/transcript.js';
import type { Word } from '../transcript/words.js';
import type { RecordingConfig } from './types.js';

/** The session is open: the first event. */
export interface OpenedEvent {
  readonly type: 'opened';
  readonly sessionId: string;
  readonly clientId: string;
  /** Takes up the session after its connection broke; absent where that is not possible. */
  readonly resumeToken?: string | undefined;
}

/**
 * The session goes on over a new connection: told on it first, before what the client has missed. The client sends again all
 * that comes behind `receivedSamples` and `receivedControls`, which is a prefix of what it sent.
 */
export interface ResumedEvent {
  readonly type: 'resumed';
  /** `stopping`: the recording is over but for its last results. */
  readonly state: 'idle' | 'recording' | 'stopping';
  /** Audio taken since the start of the recording; exact at the client's own rate too. */
  readonly receivedSamples: number;
  /** Of compressed audio: it cannot be cut at a sample, and goes on behind so many of its bytes. */
  readonly receivedBytes?: number | undefined;
  /** Text frames taken since then, readable or not, without `ping` and `keepalive`. */
  readonly receivedControls: number;
  readonly resumeToken: string;
  /** The number of the last message that need not be told again. */
  readonly seen: number;
}

/** A recording began; `config` is all that is in force. Audio positions count from 0 again. */
export interface StartedEvent {
  readonly type: 'started';
  readonly config: RecordingConfig;
}

/** Settings changed: by `configure`, or by what the audio begins with: a WAV header, a container. */
export interface ConfiguredEvent {
  readonly type: 'configured';
  readonly config: RecordingConfig;
}

/**
 * The open segment as it is now; it replaces the one before it. To a client that reads slowly only the newest is told,
 * so a dialect that sends deltas must take them from what it rendered last.
 */
export interface PartialEvent {
  readonly type: 'partial';
  /** 0; with two channels apart, 0 or 1. */
  readonly channel: number;
  /** The id that the segment will have: 1, 2, 3 … within the recording and channel. */
  readonly segmentId: number;
  /** Valid until `render` returns: copy what is kept. */
  readonly words: readonly Word[];
  /** How many of `words`, from the first, will not change any more. */
  readonly stableWords: number;
  /** Samples of audio recognised so far. */
  readonly audioEndSamples: number;
  /** From the chunk being complete on the server to its result. */
  readonly processingMs: number;
  /** The client wants `words` told. */
  readonly withWords: boolean;
}

/** A segment is final. Never left out, and never behind a partial of its own. */
export interface SegmentEvent {
  readonly type: 'segment';
  readonly channel: number;
  readonly segment: Segment;
  readonly audioEndSamples: number;
  readonly processingMs: number;
  readonly withWords: boolean;
}

/** The speaker began or fell silent. Told whether or not `vad_events` asks for it: `wanted` says so. */
export interface SpeechEvent {
  readonly type: 'speech';
  readonly channel: number;
  readonly change: 'started' | 'ended';
  readonly atSamples: number;
  readonly wanted: boolean;
}

/** A step was taken, and what came of it is told. To dialects only that ask for it. */
export interface ProgressEvent {
  readonly type: 'progress';
  readonly channel: number;
  readonly audioEndSamples: number;
}

/** The recording is over, and all of its segments are told. */
export interface StoppedEvent {
  readonly type: 'stopped';
  /** All segments joined by one space; the end of it if it is longer than LIMITS.maxFinalTranscriptChars. */
  readonly text: string;
  readonly truncated: boolean;
  readonly segments: number;
  /** Audio received, 16 kHz. */
  readonly samples: number;
}

/** Something was left out or ignored; nothing is wrong with the connection. */
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

/** Once a second while recording, if the settings ask for it. */
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
 * Once a second while recording, to resumable dialects only: what has arrived up to here survives the loss of the connection.
 * Exact at the client's own rate too.
 */
export interface AckEvent {
  readonly type: 'ack';
  readonly receivedSamples: number;
  /** Of compressed audio, as it was sent. */
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
  /** The server is about to stop, and the session goes on at another one: its connection is closed right after this. */
  | { readonly type: 'moving' }
  /** The connection is about to be closed with `closeCode(code)`: the last event, and the last chance to say something. */
  | { readonly type: 'closing'; readonly code: ErrorCode | null };
