import type { RecordingConfig } from '../../src/protocol/types.js';

/** A whole configuration, as the machine and a session take it. */
export function recordingConfig(language = 'en'): RecordingConfig {
  return {
    sample_rate: 16_000,
    encoding: 'pcm16',
    channels: 1,
    multichannel: false,
    language,
    partials: true,
    partial_interval_ms: 0,
    vad_threshold: null,
    silence_duration: 0.5,
    max_segment_duration: 30,
    words: true,
    vad_events: false,
    metrics: false,
    hotwords: [],
  };
}
