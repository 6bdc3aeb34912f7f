/**
 * The meanings of a recording's settings, for every description generated from their schema: tables, OpenAPI, AsyncAPI.
 */
import type { RecordingConfig } from './types.js';

export const CONFIG_MEANINGS: Readonly<Record<keyof RecordingConfig, string>> = {
  sample_rate: 'Hz. Fixed while a recording runs.',
  encoding: 'Encoding of the binary frames. Fixed while a recording runs.',
  channels: 'Two channels are mixed to one. Fixed while a recording runs.',
  multichannel:
    'With two channels: one transcript per channel, such as agent and customer. Partials, transcriptions and speech events name their `channel`, 0 or 1, and each channel counts its own `segment_id`. Counts as two streams. Fixed while a recording runs.',
  language:
    'Most models know one language; a multilingual model uses this one from the next step on. A language that the model does not know gives the warning `NOT_SUPPORTED`. `EN` and `en_US` are accepted too; `null` and `""` mean the default.',
  partials: 'Whether `partial` messages come.',
  partial_interval_ms: 'Minimum time between two partials, in milliseconds of audio.',
  vad_threshold:
    'RMS level above which audio counts as speech; `null` uses the model’s own voice activity, or 0.01 if it has none.',
  silence_duration: 'Seconds of silence that end a segment.',
  max_segment_duration: 'Seconds after which a segment is cut at the end of a word.',
  words: 'Whether `words` are sent.',
  vad_events: 'Whether `speech_started` and `speech_ended` are sent.',
  metrics: 'Whether `metrics` is sent once per second while recording.',
  hotwords:
    'Objects `{"phrase": string, "boost": number}`: the custom vocabulary. `boost` is in nats per token, default 2; useful values are 1 to 4. Phrases that the model cannot spell, or that exceed the limits, are ignored with the warning `NOT_SUPPORTED`.',
};

/** Units of the settings that have one. */
export const CONFIG_UNITS: Readonly<Partial<Record<keyof RecordingConfig, string>>> = {
  sample_rate: 'Hz',
  partial_interval_ms: 'ms',
  silence_duration: 's',
  max_segment_duration: 's',
};
