/**
 * The messages of `/ws/transcribe`, version 1.1, as types. docs/WEBSOCKET_API.md describes them. Times in messages are
 * seconds from the start of the recording; inside the server they are samples at 16 kHz.
 */
import type { LiveFormat } from '../audio/format.js';
import type { ErrorCode } from '../errors.js';
import type { SegmentReason, TuningConfig } from '../transcript/tuning.js';

export const PROTOCOL_VERSION = '1.1';

export interface RecordingConfig extends LiveFormat, TuningConfig {
  /** Two channels get separate transcripts. Otherwise they are mixed. */
  multichannel: boolean;
}

// ---- client → server ------------------------------------------------------------------------------------

export type ClientMessage =
  | { type: 'start_recording'; config: Partial<RecordingConfig>; unknown?: string[] }
  | { type: 'configure'; config: Partial<RecordingConfig>; unknown?: string[] }
  | { type: 'stop_recording' }
  | { type: 'finalize' }
  | { type: 'ping' }
  | { type: 'keepalive' };

export type ClientMessageType = ClientMessage['type'];
export const CLIENT_MESSAGE_TYPES = [
  'start_recording',
  'configure',
  'stop_recording',
  'finalize',
  'ping',
  'keepalive',
] as const satisfies readonly ClientMessageType[];

// ---- server → client ------------------------------------------------------------------------------------

export interface WordResult {
  word: string;
  /** Seconds from the start of the recording. */
  start: number;
  end: number;
  /** 0–1. */
  confidence: number;
}

export interface ConnectionMessage {
  type: 'connection';
  status: 'connected';
  client_id: string;
  session_id: string;
  /** Only for clients that connect with `?resumable=1`. */
  resume_token?: string;
  message: string;
  protocol_version: string;
  model: string;
  supported_audio_formats: { sample_rates: number[]; encodings: string[]; channels: number[] };
}

export interface PartialMessage {
  type: 'partial';
  segment_id: number;
  /** With `multichannel`: 0 or 1. */
  channel?: number;
  text: string;
  is_final: false;
  words?: WordResult[];
  /** Number of characters of `text` that no longer change. */
  stable_chars: number;
  /** Seconds of audio that this partial covers. */
  audio_end: number;
  processing_time_ms: number;
  timestamp: string;
}

export interface TranscriptionMessage {
  type: 'transcription';
  segment_id: number;
  /** With `multichannel`: 0 or 1. */
  channel?: number;
  text: string;
  is_final: true;
  words?: WordResult[];
  start: number;
  /** Seconds from the start of the segment's first word to the end of its last word. */
  duration: number;
  confidence: number;
  reason: SegmentReason;
  processing_time_ms: number;
  timestamp: string;
}

export interface RecordingStoppedMessage {
  type: 'recording_stopped';
  final_transcript: string;
  /** Present if `final_transcript` is only the end of a longer transcript. */
  final_transcript_truncated?: true;
  /** Seconds of audio received in this recording. */
  total_duration: number;
  total_segments: number;
  timestamp: string;
}

export interface ErrorMessage {
  type: 'error';
  error: string;
  code: ErrorCode;
  retryable: boolean;
  detail?: string;
  timestamp: string;
}

export interface WarningMessage {
  type: 'warning';
  warning: string;
  code: ErrorCode;
  retryable: boolean;
  detail?: string;
  timestamp: string;
}

export interface MetricsMessage {
  type: 'metrics';
  /** RMS level of the last second, dBFS (0 = full scale sine peak of 1.0 RMS; silence is −100). */
  level_dbfs: number;
  /** Seconds of audio received but not yet recognised. */
  lag: number;
  step_ms_p50: number;
  step_ms_p95: number;
  dropped_partials: number;
  audio_received: number;
  timestamp: string;
}

export interface ResumedMessage {
  type: 'resumed';
  /** The client continues after this sample, 16 kHz, from the start of the recording … */
  received_samples: number;
  /** … and after this many of its text frames since then, not counting `ping` and `keepalive`. */
  received_controls: number;
  /** For compressed audio: the client continues after this byte instead. */
  received_bytes?: number;
  state: 'idle' | 'recording' | 'stopping';
  resume_token: string;
}

export type ServerMessage =
  | ConnectionMessage
  | PartialMessage
  | TranscriptionMessage
  | RecordingStoppedMessage
  | ErrorMessage
  | WarningMessage
  | MetricsMessage
  | { type: 'recording_started'; timestamp: string; config: RecordingConfig }
  | { type: 'configured'; config: RecordingConfig }
  | { type: 'pong'; timestamp: string }
  | { type: 'ack'; received_samples: number; received_bytes?: number }
  | { type: 'moving'; timestamp: string }
  | { type: 'speech_started' | 'speech_ended'; audio_time: number; channel?: number; timestamp: string }
  | ResumedMessage;

/**
 * Every server message also carries `seq`: 1, 2, 3 … per session. In `resumed` it is the number after which the others
 * continue.
 */
export type Sequenced<M extends ServerMessage = ServerMessage> = M & { seq: number };
