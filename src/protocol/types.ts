/**
 * The wire contract of `/ws/transcribe`, version 1.1, as types. docs/WEBSOCKET_API.md is its prose.
 * Times on the wire are seconds from the start of the recording; inside the server they are samples at 16 kHz.
 */
import type { LiveFormat } from '../audio/format.js';
import type { ErrorCode } from '../errors.js';
import type { SegmentReason, TuningConfig } from '../transcript/tuning.js';

export const PROTOCOL_VERSION = '1.1';

export interface RecordingConfig extends LiveFormat, TuningConfig {
  /** Each of two channels has a transcript of its own. Otherwise they are mixed. */
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
  /** Only to clients that connect with `?resumable=1`. */
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
  /** How many characters of `text` will not change any more. */
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
  /** Seconds from the segment's first word to its last word's end. */
  duration: number;
  confidence: number;
  reason: SegmentReason;
  processing_time_ms: number;
  timestamp: string;
}

export interface RecordingStoppedMessage {
  type: 'recording_stopped';
  final_transcript: string;
  /** Only if it is: `final_transcript` is the end of a longer one. */
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
  /** Seconds of audio received and not yet recognised. */
  lag: number;
  step_ms_p50: number;
  step_ms_p95: number;
  dropped_partials: number;
  audio_received: number;
  timestamp: string;
}

export interface ResumedMessage {
  type: 'resumed';
  /** The client goes on behind this sample, 16 kHz, from the start of the recording … */
  received_samples: number;
  /** … and behind this many of its text frames since then, `ping` and `keepalive` not counted. */
  received_controls: number;
  /** Of compressed audio: the client goes on behind this byte of it instead. */
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

/** Every server message also carries `seq`: 1, 2, 3 … per session; `resumed` the one behind which the others go on. */
export type Sequenced<M extends ServerMessage = ServerMessage> = M & { seq: number };
