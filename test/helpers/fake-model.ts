/**
 * A model that recognises markers instead of speech, so that tests know exactly what must come out and when. A sample
 * of 16,000 + n is "token n". A token comes out one step (100 ms) after its chunk and is kept in the stream's state
 * until then, as in a real model with emission delay: only a flush brings out the last ones. The manifest's timing
 * undoes the delay, so a word's time is the frame of its marker. With the outputs of `WITH_PREVIEW` it shows the kept
 * tokens as a preview and reports the age of tokens, with the same times.
 */
import { type Manifest, manifestSchema } from '../../src/models/manifest.js';
import type { Model } from '../../src/models/store.js';
import { type Piece, pieceTable } from '../../src/transcript/pieces.js';

export const CHUNK = 1_600;
export const FRAMES = 2;
export const FRAME = CHUNK / FRAMES;
export const SYMBOLS = 3;
/** Silence inserted by a flush: one step, which is the emission delay. */
export const FLUSH_MS = 100;

const MARKER = 16_000;
const WORDS = 'hello world one two three four five six seven eight nine ten'.split(' ');
/** Token texts by id: blank, specials, endings, then words. */
export const TOKENS: readonly string[] = [
  '<blk>',
  '<unk>',
  '▁',
  's',
  'ing',
  ...WORDS.map((word) => `▁${word}`),
];

export function tokenOf(text: string): number {
  const id = TOKENS.findIndex((token) => token === text || token === `▁${text}`);
  if (id < 0) throw new Error(`The fake model has no token for ${text}.`);
  return id;
}

export const pieces: readonly Piece[] = pieceTable(TOKENS);

export function fakeManifest(changes: Partial<Manifest> = {}): Manifest {
  return manifestSchema.parse({
    schema: 1,
    name: 'fake',
    version: '1.0.0',
    language: 'en',
    description: 'hears markers',
    licence: 'none',
    provenance: 'tests',
    sampleRate: 16_000,
    chunkSamples: CHUNK,
    framesPerChunk: FRAMES,
    symbolsPerFrame: SYMBOLS,
    lookaheadMs: 0,
    flushMs: FLUSH_MS,
    graph: 'fake.onnx',
    tokens: 'tokens.txt',
    blank: 0,
    inputs: { audio: 'pcm' },
    outputs: { tokens: 'tokens', logp: 'logp', vad: 'vad' },
    state: [{ input: 'delayed', output: 'delayed_next', type: 'int32', shape: [FRAMES * SYMBOLS] }],
    timing: { startShiftMs: -100, endShiftMs: -100 },
    confidence: { scale: 1, bias: 0 },
    files: [],
    ...changes,
  });
}

/** Changes to the manifest for a fake model with token ages and a preview. */
export const WITH_PREVIEW = {
  outputs: {
    tokens: 'tokens', logp: 'logp', vad: 'vad', times: 'times', preview: 'preview', previewLogp: 'preview_logp',
  },
  previewTokens: FRAMES * SYMBOLS,
  timing: { startShiftMs: 0, endShiftMs: 0 },
} satisfies Partial<Manifest>; // biome-ignore format: a plain list

export const fakeModel = (changes: Partial<Manifest> = {}): Model => ({
  manifest: fakeManifest(changes),
  folder: '/nowhere',
  graphPath: '/nowhere/fake.onnx',
  tokens: TOKENS,
});

/** One stream's step, as the graph would compute it. */
export interface FakeStep {
  /** The chunk's audio; shorter than a chunk in a flush. */
  readonly audio: Int16Array;
  /** (frames × symbols) int32, all zeros in a stream's first step. */
  readonly state: Int32Array;
}

export interface FakeAnswer {
  /** (frames × symbols), −1 = nothing. */
  readonly tokens: Int32Array;
  readonly state: Int32Array;
  /** (frames × symbols × 2): a token is emitted one chunk after its frame, and is one frame long. */
  readonly times: Int32Array;
  /** (frames × symbols × 3): the tokens of this chunk. */
  readonly preview: Int32Array;
}

/** Emits the tokens kept in the state, and keeps those of this chunk. */
export function fakeStep({ audio, state }: FakeStep): FakeAnswer {
  const tokens = state.map((kept) => kept - 1);
  const next = new Int32Array(state.length);
  const filled = new Int32Array(FRAMES);
  audio.forEach((sample, at) => {
    if (sample < MARKER) return;
    const frame = Math.floor(at / FRAME);
    const i = filled[frame]!++;
    if (i < SYMBOLS) next[frame * SYMBOLS + i] = sample - MARKER + 1;
  });
  const times = Int32Array.from({ length: 2 * next.length }, (_, i) => (i % 2 === 0 ? FRAMES : 0));
  const kept = [...next].flatMap((token, i) =>
    token === 0 ? [] : [token - 1, FRAMES - 1 - Math.floor(i / SYMBOLS), 0],
  );
  const preview = new Int32Array(3 * next.length).fill(-1);
  preview.set(kept);
  return { tokens, state: next, times, preview };
}

/** The sample that stands for a token. */
export const markerOf = (token: string): number => MARKER + tokenOf(token);

/** Silence with tokens in it: [sample position, token id or text]. */
export function marked(samples: number, tokens: readonly (readonly [number, number | string])[]): Int16Array {
  const audio = new Int16Array(samples);
  for (const [at, token] of tokens) audio[at] = MARKER + (typeof token === 'number' ? token : tokenOf(token));
  return audio;
}

/** Sound that counts as speech (RMS 0.03 of full scale), with tokens in it. */
export function spoken(
  samples: number,
  tokens: readonly (readonly [number, number | string])[] = [],
): Int16Array {
  const audio = marked(samples, tokens);
  for (let i = 0; i < samples; i++) if (audio[i] === 0) audio[i] = i % 2 === 0 ? 1_000 : -1_000;
  return audio;
}

export const bytesOf = (audio: Int16Array): Uint8Array =>
  new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength);
