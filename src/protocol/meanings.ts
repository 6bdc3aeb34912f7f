/** What the settings of a recording mean, for every description that is made of their schema: tables, OpenAPI, AsyncAPI. */
import type { RecordingConfig } from './types.js';

export const CONFIG_MEANINGS: Readonly<Record<keyof RecordingConfig, string>> = {
  sample_rate: 'Hz. Fixed while a recording runs.',
  encoding: 'Of the binary frames. Fixed while a recording runs.',
  channels: 'Two channels are mixed to one. Fixed while a recording runs.',
  multichannel:
    'With two channels: a transcript per channel, say of agent and customer. Partials, transcriptions and speech events name their `channel`, 0 or 1, and `segment_id` counts in each. Takes the places of two streams. Fixed while a recording runs.',
  language:
    'Most models know one language; a multilingual one is told this one, from the next step on. One that the model does not have is answered with the warning `NOT_SUPPORTED`. `EN` and `en_US` are taken too; `null` and `""` stand for the default.',
  partials: 'Whether `partial` messages come.',
  partial_interval_ms: 'Least time between two partials, in milliseconds of audio.',
  vad_threshold:
    'RMS level above which audio counts as speech; `null`: the model’s own voice activity, or 0.01 where a model has none.',
  silence_duration: 'Seconds of silence that end a segment.',
  max_segment_duration: 'Seconds after which a segment is cut at a word’s end.',
  words: 'Whether `words` are sent.',
  vad_events: 'Whether `speech_started` and `speech_ended` are sent.',
  metrics: 'Whether `metrics` is sent once a second while recording.',
  hotwords:
    'Objects `{"phrase": string, "boost": number}`: phrases to listen for. `boost` is in nats a piece of a word, 2 if left out; 1 to 4 are of use. What the model cannot spell, and what there is no room for, is left out with the warning `NOT_SUPPORTED`.',
};

/** Units of those that have one. */
export const CONFIG_UNITS: Readonly<Partial<Record<keyof RecordingConfig, string>>> = {
  sample_rate: 'Hz',
  partial_interval_ms: 'ms',
  silence_duration: 's',
  max_segment_duration: 's',
};
