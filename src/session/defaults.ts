/** Default settings of a recording. */
import type { Config } from '../config.js';
import type { RecordingConfig } from '../protocol/types.js';

export function recordingDefaults(config: Config, language: string): RecordingConfig {
  return {
    sample_rate: 16_000,
    encoding: 'pcm16',
    channels: 1,
    multichannel: false,
    language,
    partials: true,
    partial_interval_ms: config.partialIntervalMs,
    vad_threshold: null,
    silence_duration: config.silenceDuration,
    max_segment_duration: config.maxSegmentDuration,
    words: true,
    vad_events: false,
    metrics: false,
    hotwords: [],
  };
}
