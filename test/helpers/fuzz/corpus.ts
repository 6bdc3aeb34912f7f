/** Valid messages of each dialect, from which the fuzzer starts. */
import { COMMON_SAMPLE_RATES } from '../../../src/audio/format.js';
import type { Dice } from './mutate.js';

export interface Speech {
  /** The name in `src/protocol/dialects`. */
  readonly dialect: string;
  readonly path: string;
  /** Parameters of the address, each with what it may be. */
  readonly query: Readonly<Record<string, readonly string[]>>;
  /** Text frames. */
  readonly messages: readonly object[];
}

const HZ = COMMON_SAMPLE_RATES.map(String);
const YES_NO = ['true', 'false', '1', '0', ''];
const base64 = Buffer.alloc(4_800, 7).toString('base64');

/** Includes A-law, an odd rate and separate channels, so that every decoder is used. */
const CONFIG = {
  sample_rate: 16_000, encoding: 'pcm16', channels: 1, multichannel: false, language: 'en', partials: true, partial_interval_ms: 0,
  vad_threshold: 0.5, silence_duration: 0.3, max_segment_duration: 5, words: true, vad_events: true, metrics: true,
  hotwords: ['hello', { phrase: 'world', boost: 3 }],
}; // biome-ignore format: a table

export const SPEECHES: readonly Speech[] = [
  {
    dialect: 'native',
    path: '/ws/transcribe',
    query: { resumable: YES_NO, last_seq: ['0', '-1', '1e99', 'x'], resume: ['', 'abc', 'x'.repeat(500)] },
    messages: [
      { type: 'start_recording', config: CONFIG },
      { type: 'start_recording', config: { sample_rate: 48_000, encoding: 'float32', channels: 2 } },
      { type: 'start_recording', config: { sample_rate: 8_000, encoding: 'alaw', vad_events: true } },
      { type: 'start_recording', config: { encoding: 'container' } },
      { type: 'start_recording', config: { encoding: 'opus', channels: 2 } },
      { type: 'start_recording', config: { sample_rate: 23_456, channels: 2, multichannel: true } },
      { type: 'start_recording' },
      { type: 'stop_recording' },
      { type: 'finalize' },
      { type: 'configure', config: CONFIG },
      { type: 'configure', silence_duration: 0.2, hotwords: [] },
      { type: 'ping' },
      { type: 'keepalive' },
    ],
  },
  {
    dialect: 'deepgram',
    path: '/v1/listen',
    query: {
      encoding: ['linear16', 'mulaw', 'alaw', 'opus', 'ogg-opus', 'x'], sample_rate: HZ, channels: ['1', '2', '3'], multichannel: YES_NO, interim_results: YES_NO,
      endpointing: ['10', '300', 'false', 'x'], utterance_end_ms: ['1000', '0', '-5', '1e9'], vad_events: YES_NO, keyterm: ['hello', '["a","b:3"]'],
    }, // biome-ignore format: a table
    messages: [
      { type: 'KeepAlive' },
      { type: 'Finalize' },
      { type: 'CloseStream' },
      { type: 'Configure', keyterms: ['hello', 'world:2'], processors: {} },
    ],
  },
  {
    dialect: 'openai',
    path: '/v1/realtime',
    query: { intent: ['transcription'], model: ['x'] },
    messages: [
      { type: 'input_audio_buffer.append', audio: base64 },
      { type: 'input_audio_buffer.append', audio: base64 },
      { type: 'input_audio_buffer.commit' },
      { type: 'input_audio_buffer.clear' },
      {
        type: 'session.update',
        session: {
          type: 'transcription',
          audio: {
            input: {
              format: { type: 'audio/pcm', rate: 24_000 },
              transcription: { model: 'x', language: 'en', prompt: 'y', keywords: ['hello'] },
              turn_detection: { type: 'semantic_vad', eagerness: 'high' },
            },
          },
        },
      },
      {
        type: 'transcription_session.update',
        session: {
          input_audio_format: 'g711_ulaw',
          turn_detection: { type: 'server_vad', silence_duration_ms: 200 },
        },
      },
      { type: 'session.update', session: { audio: { input: { turn_detection: null } } } },
      { type: 'response.create' },
    ],
  },
  {
    dialect: 'assemblyai',
    path: '/v3/ws',
    query: {
      encoding: ['pcm_s16le', 'pcm_mulaw', 'x'], sample_rate: HZ, min_turn_silence: ['100', '-1', 'x'], max_turn_silence: ['2000', '1e308'],
      end_of_turn_confidence_threshold: ['0.4', '1'], keyterms_prompt: ['["hello"]', '[[["a"]]]', '['],
    }, // biome-ignore format: a table
    messages: [
      { type: 'ForceEndpoint' },
      {
        type: 'UpdateConfiguration',
        min_turn_silence: 200,
        max_turn_silence: 900,
        keyterms_prompt: ['hello'],
      },
      { type: 'KeepAlive' },
      { type: 'Terminate' },
    ],
  },
  {
    dialect: 'vosk',
    path: '/vosk',
    query: {},
    messages: [
      { config: { sample_rate: 16_000, words: 1, max_alternatives: 2, phrase_list: ['hello', '[unk]'] } },
      { config: { sample_rate: '8000.0' } },
      { eof: 1 },
    ],
  },
];

/** The path and query of a connection; now and then a nonsensical one. */
export function addressOf({ path, query }: Speech, dice: Dice): string {
  const params = new URLSearchParams();
  for (const [name, values] of Object.entries(query)) {
    if (dice.chance(0.4)) params.append(name, dice.of(values));
    if (dice.chance(0.02)) params.append(name, dice.bytes(dice.below(20)).toString('latin1'));
  }
  const text = params.toString();
  return `${path}${text === '' ? '' : '?'}${text}`;
}
