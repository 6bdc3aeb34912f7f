/**
 * Schemas of the messages that the server sends at `/ws/transcribe`, with meanings, units and examples, for
 * descriptions and tests. types.ts has the same as types; the compiler checks that they agree.
 */
import { z } from 'zod';
import { ERRORS } from '../errors.js';
import { type MessageEntry, recordingConfig } from './client-messages.js';
import {
  channel,
  complaint,
  count,
  inRecording,
  milliseconds,
  samples,
  seconds,
  seq,
  share,
  text,
  timestamp,
  words,
} from './message-fields.js';
import { PROTOCOL_VERSION, type Sequenced, type ServerMessage } from './types.js';

const NOW = '2026-01-15T09:30:00.000Z';
const WORDS = [
  { word: 'hello', start: 0.32, end: 0.61, confidence: 0.97 },
  { word: 'world', start: 0.64, end: 1.05, confidence: 0.91 },
];
const CONFIG = {
  ...{ sample_rate: 16_000, encoding: 'pcm16', channels: 1, multichannel: false, language: 'en' },
  ...{ partials: true, partial_interval_ms: 100, vad_threshold: null, silence_duration: 0.6 },
  ...{ max_segment_duration: 30, words: true, vad_events: false, metrics: false, hotwords: [] },
};

const speech = <T extends 'speech_started' | 'speech_ended'>(name: T, where: string) => ({
  schema: z.object({
    type: z.literal(name),
    audio_time: seconds(where),
    channel,
    timestamp,
    seq,
  }),
  examples: [{ type: name, audio_time: name === 'speech_started' ? 0.28 : 1.1, timestamp: NOW, seq: 4 }],
});

const bytesReceived = (what: string) =>
  count(`Only of compressed audio: ${what}`).meta({ 'x-unit': 'bytes' }).exactOptional();

export const SERVER_MESSAGES = {
  connection: {
    schema: z.object({
      type: z.literal('connection'),
      status: z.literal('connected'),
      client_id: text('As given, or a new one.'),
      session_id: text('Names the session in logs and in the inspector.'),
      resume_token: text('With `?resumable=1` only. Good for one resumption.').exactOptional(),
      message: text('A sentence for display.'),
      protocol_version: z.string(),
      model: text('Name of the model in use.'),
      supported_audio_formats: z
        .object({
          sample_rates: z.array(z.number().int()).meta({ 'x-unit': 'Hz' }),
          encodings: z.array(z.string()),
          channels: z.array(z.number().int()),
        })
        .describe('Common rates; any integer rate from 8,000 to 48,000 Hz is accepted.'),
      seq,
    }),
    summary: 'The greeting, once per session.',
    examples: [
      {
        ...{ type: 'connection', status: 'connected', client_id: 'desk-4', session_id: 'Zr0v1bX2mQpA' },
        message: 'Send {"type":"start_recording"}, then audio in binary frames.',
        ...{ protocol_version: PROTOCOL_VERSION, model: 'en-tiny-streaming' },
        supported_audio_formats: {
          sample_rates: [8_000, 16_000, 48_000],
          encodings: ['pcm16', 'float32', 'mulaw', 'alaw'],
          channels: [1, 2],
        },
        seq: 1,
      },
    ],
  },
  recording_started: {
    schema: z.object({
      type: z.literal('recording_started'),
      config: recordingConfig.describe('All settings in force.'),
      timestamp,
      seq,
    }),
    summary: 'The recording has begun.',
    examples: [{ type: 'recording_started', config: CONFIG, timestamp: NOW, seq: 2 }],
  },
  configured: {
    schema: z.object({
      type: z.literal('configured'),
      config: recordingConfig.describe('All settings in force.'),
      seq,
    }),
    summary: 'Settings have changed.',
    examples: [{ type: 'configured', config: { ...CONFIG, silence_duration: 0.3 }, seq: 3 }],
  },
  partial: {
    schema: z.object({
      type: z.literal('partial'),
      ...inRecording,
      text: z.string(),
      is_final: z.literal(false),
      words,
      stable_chars: z.number().int().min(0).meta({
        description: 'Number of characters at the start of `text` that will not change any more.',
        'x-unit': 'UTF-16 units',
      }),
      audio_end: seconds('End of the audio that it covers.'),
      processing_time_ms: milliseconds('From the arrival of a complete chunk at the server to its result.'),
      timestamp,
      seq,
    }),
    summary: 'The open segment so far; each partial replaces the one before it.',
    examples: [
      {
        ...{ type: 'partial', segment_id: 1, text: 'hello wor', is_final: false, stable_chars: 5 },
        words: [WORDS[0], { ...WORDS[1], word: 'wor', end: 0.9 }],
        ...{ audio_end: 0.9, processing_time_ms: 6.1, timestamp: NOW, seq: 3 },
      },
    ],
  },
  transcription: {
    schema: z.object({
      type: z.literal('transcription'),
      ...inRecording,
      text: z.string(),
      is_final: z.literal(true),
      words,
      start: seconds('Start of the first word.'),
      duration: seconds('From `start` to the end of the last word.'),
      confidence: share('Mean over its words; 0 if there are none.'),
      reason: z
        .enum(['silence', 'max_duration', 'finalize', 'stop', 'timeout'])
        .describe('Why the segment ended.'),
      processing_time_ms: milliseconds('From the arrival of a complete chunk at the server to its result.'),
      timestamp,
      seq,
    }),
    summary: 'A finished segment. It never changes and is always sent.',
    examples: [
      {
        ...{ type: 'transcription', segment_id: 1, text: 'hello world', is_final: true, words: WORDS },
        ...{ start: 0.32, duration: 0.73, confidence: 0.94, reason: 'silence' },
        ...{ processing_time_ms: 5.8, timestamp: NOW, seq: 5 },
      },
    ],
  },
  recording_stopped: {
    schema: z.object({
      type: z.literal('recording_stopped'),
      final_transcript: text('All segments, joined.'),
      final_transcript_truncated: z
        .literal(true)
        .exactOptional()
        .describe('Present if `final_transcript` is only the end of a longer transcript.'),
      total_duration: seconds('Audio received.'),
      total_segments: count('In this recording.'),
      timestamp,
      seq,
    }),
    summary: 'The recording is over and all of its segments have been sent.',
    examples: [
      {
        ...{ type: 'recording_stopped', final_transcript: 'hello world', total_duration: 2.4 },
        ...{ total_segments: 1, timestamp: NOW, seq: 6 },
      },
    ],
  },
  ack: {
    schema: z.object({
      type: z.literal('ack'),
      received_samples: samples('Audio received since the start of the recording.'),
      received_bytes: bytesReceived('how much of it has arrived.'),
      seq,
    }),
    summary:
      'With `?resumable=1`, once per second: audio up to here survives a lost connection and, in a fleet, a lost server.',
    examples: [{ type: 'ack', received_samples: 16_000, seq: 4 }],
  },
  moving: {
    schema: z.object({ type: z.literal('moving'), timestamp, seq }),
    summary:
      'In a fleet, with `?resumable=1`: the server is about to stop, and closes with 1001; the session goes on at another one.',
    examples: [{ type: 'moving', timestamp: NOW, seq: 21 }],
  },
  resumed: {
    schema: z.object({
      type: z.literal('resumed'),
      received_samples: samples('The client must send its audio from here on.'),
      received_bytes: bytesReceived('the client must send from this byte of the recording instead.'),
      received_controls: count('Text frames of this recording that the client must not send again.'),
      state: z.enum(['idle', 'recording', 'stopping']),
      resume_token: text('Token for the next resumption.'),
      seq: z.number().int().min(0).describe('`seq` of the last message that is not sent again.'),
    }),
    summary: 'The session continues over this connection. Sent instead of `connection`.',
    examples: [
      {
        ...{ type: 'resumed', received_samples: 48_000, received_controls: 0, state: 'recording' },
        ...{ resume_token: 'b2xkIHRva2Vucw', seq: 7 },
      },
    ],
  },
  speech_started: {
    ...speech('speech_started', 'Where speech began.'),
    summary: 'Speech began. Sent with `"vad_events":true`.',
  },
  speech_ended: {
    ...speech('speech_ended', 'Where speech ended.'),
    summary: 'Speech ended. Sent with `"vad_events":true`.',
  },
  metrics: {
    schema: z.object({
      type: z.literal('metrics'),
      level_dbfs: z.number().meta({ description: 'RMS level since the last `metrics`.', 'x-unit': 'dBFS' }),
      lag: seconds('Audio received but not yet recognised.'),
      step_ms_p50: milliseconds('Model steps of all streams, over the last one to two minutes.'),
      step_ms_p95: milliseconds('The same.'),
      dropped_partials: count('Of this session.'),
      audio_received: seconds('In this recording.'),
      timestamp,
      seq,
    }),
    summary: 'Figures, once per second while recording. Sent with `"metrics":true`.',
    examples: [
      {
        ...{ type: 'metrics', level_dbfs: -23.4, lag: 0.06, step_ms_p50: 5.2, step_ms_p95: 7.9 },
        ...{ dropped_partials: 0, audio_received: 3, timestamp: NOW, seq: 9 },
      },
    ],
  },
  pong: {
    schema: z.object({ type: z.literal('pong'), timestamp, seq }),
    summary: 'Answers `ping`.',
    examples: [{ type: 'pong', timestamp: NOW, seq: 2 }],
  },
  warning: {
    schema: z.object({
      type: z.literal('warning'),
      warning: text('The text from the error table.'),
      ...complaint,
      seq,
    }),
    summary: 'Something was ignored. The connection continues.',
    examples: [
      {
        ...{ type: 'warning', warning: ERRORS.UNKNOWN_SETTING.text, code: 'UNKNOWN_SETTING' },
        ...{ retryable: false, detail: '"smart_format"', timestamp: NOW, seq: 3 },
      },
    ],
  },
  error: {
    schema: z.object({
      type: z.literal('error'),
      error: text('The text from the error table.'),
      ...complaint,
      seq,
    }),
    summary: 'A message was refused, or the connection is about to end.',
    examples: [
      {
        ...{ type: 'error', error: ERRORS.AT_CAPACITY.text, code: 'AT_CAPACITY' },
        ...{ retryable: true, timestamp: NOW, seq: 2 },
      },
    ],
  },
} as const satisfies Record<ServerMessage['type'], MessageEntry>;

// ---- checked against types.ts by the compiler -----------------------------------------------------------

type Told<T extends ServerMessage['type']> = z.output<(typeof SERVER_MESSAGES)[T]['schema']>;
type Typed<T extends ServerMessage['type']> = Sequenced<ServerMessage & { type: T }>;
type Same<A, B> = [A, B, keyof A, keyof B] extends [B, A, keyof B, keyof A] ? true : false;
type Mismatch<T extends ServerMessage['type']> = T extends unknown
  ? Same<Told<T>, Typed<T>> extends true
    ? never
    : T
  : never;
type None<T extends never> = T;

/** Does not compile if a schema and its type differ; the error names the message. */
export type SchemasDiffer = None<Mismatch<ServerMessage['type']>>;
