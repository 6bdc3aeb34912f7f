/**
 * The wire contract of `/ws/transcribe`, version 1.0, as types. docs/WEBSOCKET_API.md is its prose.
 * Times on the wire are seconds from the start of the recording; inside the server they are samples at 16 kHz.
 */
import type { ErrorCode } from '../errors.js';

export const PROTOCOL_VERSION = '1.0';

export const ENCODINGS = ['pcm16', 'float32', 'mulaw', 'alaw'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** Rates that clients are told about; any whole rate from 8,000 to 48,000 Hz is accepted. */
export const COMMON_SAMPLE_RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000] as const;

export interface Hotword {
  phrase: string;
  boost: number;
}

/** What `start_recording` fixes for the length of a recording. */
export interface AudioFormat {
  sample_rate: number;
  encoding: Encoding;
  channels: 1 | 2;
}

/** What `configure` may change at any time, from the next chunk on. */
export interface TuningConfig {
  language: string;
  partials: boolean;
  /** The least time between two partials, milliseconds. */
  partial_interval_ms: number;
  /** RMS level 0–1 above which a frame counts as speech; null: the model's own voice activity. */
  vad_threshold: number | null;
  /** Seconds of silence that end a segment. */
  silence_duration: number;
  /** Seconds after which a segment is cut at a word's end. */
  max_segment_duration: number;
  words: boolean;
  vad_events: boolean;
  metrics: boolean;
  hotwords: Hotword[];
}

export interface RecordingConfig extends AudioFormat, TuningConfig {}

// ---- client → server ------------------------------------------------------------------------------------

export type ClientMessage =
  | { type: 'start_recording'; config: Partial<RecordingConfig> }
  | { type: 'configure'; config: Partial<RecordingConfig> }
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

export type SegmentReason = 'silence' | 'max_duration' | 'finalize' | 'stop' | 'disconnect';

export interface ConnectionMessage {
  type: 'connection';
  status: 'connected';
  client_id: string;
  session_id: string;
  resume_token: string;
  message: string;
  protocol_version: string;
  model: string;
  supported_audio_formats: { sample_rates: number[]; encodings: string[]; channels: number[] };
}

export interface PartialMessage {
  type: 'partial';
  segment_id: number;
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
  | { type: 'ack'; received_samples: number }
  | { type: 'speech_started' | 'speech_ended'; audio_time: number; timestamp: string }
  | { type: 'resumed'; received_samples: number; state: 'idle' | 'recording' };

/** Every server message also carries `seq`: 1, 2, 3 … per session. */
export type Sequenced<M extends ServerMessage = ServerMessage> = M & { seq: number };
