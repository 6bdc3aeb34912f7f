/**
 * Settings for words and segments of a recording, and the reasons for which a segment ends. The names are those of the
 * protocol.
 */

export interface Hotword {
  phrase: string;
  boost: number;
}

/** Settings that `configure` may change at any time, from the next chunk on. */
export interface TuningConfig {
  language: string;
  partials: boolean;
  /** Minimum time between two partials, milliseconds. */
  partial_interval_ms: number;
  /** RMS level 0–1 above which a frame counts as speech; null: the model's own voice activity. */
  vad_threshold: number | null;
  /** Seconds of silence that end a segment. */
  silence_duration: number;
  /** Seconds after which a segment is cut at the end of a word. */
  max_segment_duration: number;
  words: boolean;
  vad_events: boolean;
  metrics: boolean;
  hotwords: Hotword[];
}

/** Why a segment ended. */
export type SegmentReason = 'silence' | 'max_duration' | 'finalize' | 'stop' | 'timeout';
