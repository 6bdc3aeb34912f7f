/** The model that a mock server reports: its words are those of the script. */
import { LIMITS } from '../limits.js';
import { manifestSchema } from '../models/manifest.js';
import type { Model } from '../models/store.js';
import type { Script } from './script.js';

const CHUNK_MS = 100;
/** 10 ms each, the resolution of word times. */
const FRAMES = 10;
const SYMBOLS = 4;
/** More words than can be spoken before one settles. */
const PREVIEW_TOKENS = 32;
const BLANK = '<blk>';
const WORD_START = '\u2581';

/**
 * int32 values of a stream's state: audio taken, as seconds and the samples of the next one, since samples alone are too
 * many after 37 hours; silence of the current flush, samples; words emitted.
 */
export const STATE = { seconds: 0, rest: 1, pad: 2, said: 3, length: 4 } as const;

/** Samples of audio taken. */
export const audioIn = (place: Int32Array): number =>
  (place[STATE.seconds] ?? 0) * LIMITS.sampleRateHz + (place[STATE.rest] ?? 0);

/** @param audio samples taken */
export const placeOf = (audio: number, pad: number, said: number): Int32Array =>
  Int32Array.of(Math.floor(audio / LIMITS.sampleRateHz), audio % LIMITS.sampleRateHz, pad, said);

export const tokenOf = (word: string): string => `${WORD_START}${word}`;

export function mockModel({ words, language }: Script): Model {
  const spellings = new Set(words.flatMap(({ text, guess }) => [text, guess]));
  return {
    manifest: manifestSchema.parse({
      schema: 1,
      name: 'mock',
      version: '1.0.0',
      language,
      description: 'Recognises nothing: its words come from a script.',
      licence: 'Apache-2.0',
      provenance: 'rnnt-server mock',
      sampleRate: LIMITS.sampleRateHz,
      chunkSamples: (CHUNK_MS * LIMITS.sampleRateHz) / 1000,
      framesPerChunk: FRAMES,
      symbolsPerFrame: SYMBOLS,
      lookaheadMs: 0,
      // One step of silence emits all words that have not settled.
      flushMs: CHUNK_MS,
      graph: 'none',
      tokens: 'none',
      blank: 0,
      tokenStyle: 'sentencepiece',
      letterCase: 'keep',
      inputs: { audio: 'audio' },
      outputs: {
        ...{ tokens: 'tokens', logp: 'logp', vad: 'vad', times: 'times' },
        ...{ preview: 'preview', previewLogp: 'preview_logp' },
      },
      previewTokens: PREVIEW_TOKENS,
      state: [{ input: 'place', output: 'place_next', type: 'int32', shape: [STATE.length] }],
      timing: { startShiftMs: 0, endShiftMs: 0 },
      // The script's confidences are reported unchanged.
      confidence: { scale: 1, bias: 0 },
      files: [],
    }),
    folder: '',
    graphPath: '',
    tokens: [BLANK, ...[...spellings].map(tokenOf)],
  };
}
