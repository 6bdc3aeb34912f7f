/**
 * Where everything lies in the slab, the one SharedArrayBuffer that the main thread and the lanes share.
 *
 *   slab   ┌ header × slots ┬ ring × slots ┬ state × slots × 2 ┬ result × slots ┬ hotwords × slots ┐
 *   slot   │ 6 × int32      │ int16 PCM    │ bank 0 │ bank 1   │ tokens, logp,  │ edges × 5 int32  │
 *          │ READ VALID     │ 16 kHz mono  │ all of the model's│ vad, rms,      │ (a model that    │
 *          │ BANK FRESH …   │ wraps around │ state tensors     │ times, preview │ takes hotwords)  │
 *
 * A lane reads PCM and the state of bank BANK (zeros if FRESH), and writes the state of the other bank and the result.
 * The main thread commits by flipping BANK: a step that never returns has changed nothing.
 */
import {
  elements,
  type Manifest,
  resultTokens,
  STATE_TYPES,
  type StateType,
  stateLayout,
  windowOf,
} from '../models/manifest.js';
import { EDGE_INTS } from './hotwords.js';

export const HEADER_INTS = 6;
/** Ring offset of the chunk's first sample. */
export const READ = 0;
/** Samples of the window that are audio; the rest of the window is silence (flush). */
export const VALID = 1;
/** The bank that holds the current state. */
export const BANK = 2;
/** 1: the stream begins, and its current state is all zeros. */
export const FRESH = 3;
/** The number of the stream's language, for a graph that takes it. */
export const PROMPT = 4;
/** The number of the ring that holds the stream's audio. */
export const RING = 5;

/** int32 of a token's times: age, span. */
export const TIME_INTS = 2;
/** int32 of a token in a preview: token, age, span. */
export const PREVIEW_INTS = 3;

export interface TensorLayout {
  readonly input: string;
  readonly output: string;
  readonly type: StateType;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly bytes: number;
  /** From the start of a bank. */
  readonly offset: number;
}

/** A part of a slot's result: its start and its number of four-byte elements. */
export interface ResultPart {
  readonly at: number;
  readonly count: number;
}

export interface SlabLayout {
  readonly slots: number;
  /** Samples by which a step advances. */
  readonly chunkSamples: number;
  /** Samples that a step reads, from the chunk's first on. */
  readonly windowSamples: number;
  readonly frames: number;
  /** Positions of the parts of a slot's result, in elements; parts that the model does not output are empty. */
  readonly result: { readonly [part in keyof ResultViews]: ResultPart };
  readonly ringSamples: number;
  readonly state: readonly TensorLayout[];
  readonly stateBytes: number;
  readonly headerAt: number;
  readonly ringAt: number;
  readonly stateAt: number;
  readonly resultAt: number;
  /** Bytes of one slot's result. */
  readonly resultBytes: number;
  readonly hotwordsAt: number;
  /** int32 of one slot's hotword edges; 0 if the model takes none. */
  readonly hotwordInts: number;
  /** The language number for the graph if the client names no language. */
  readonly autoPrompt: number;
  readonly bytes: number;
}

const align = (bytes: number, to = 64): number => Math.ceil(bytes / to) * to;

/**
 * Computes the layout of the slab for `slots` streams. The ring is rounded up to whole chunks and holds at least two
 * windows.
 */
export function slabLayout(manifest: Manifest, slots: number, ringSeconds: number): SlabLayout {
  const { chunkSamples, framesPerChunk: frames, sampleRate } = manifest;
  const windowSamples = windowOf(manifest);
  const leastSamples = Math.max(ringSeconds * sampleRate, 2 * windowSamples);
  const ringSamples = Math.ceil(leastSamples / chunkSamples) * chunkSamples;
  const { offsets, bytes: rawStateBytes } = stateLayout(manifest);
  const stateBytes = align(rawStateBytes);
  const state = manifest.state.map((tensor, i) => ({
    input: tensor.input,
    output: tensor.output,
    type: tensor.type,
    shape: tensor.shape,
    elements: elements(tensor),
    bytes: elements(tensor) * STATE_TYPES[tensor.type].bytes,
    offset: offsets[i] ?? 0,
  }));
  const { parts: result, bytes: rawResultBytes } = resultLayout(manifest);
  const resultBytes = align(rawResultBytes);
  const headerAt = 0;
  const ringAt = align(slots * HEADER_INTS * 4);
  const stateAt = align(ringAt + slots * ringSamples * 2);
  const resultAt = stateAt + slots * 2 * stateBytes;
  const hotwordInts = (manifest.hotwordEdges ?? 0) * EDGE_INTS;
  const hotwordsAt = resultAt + slots * resultBytes;
  const bytes = hotwordsAt + slots * hotwordInts * 4;
  return {
    slots,
    chunkSamples,
    windowSamples,
    frames,
    result,
    ringSamples,
    state,
    stateBytes,
    headerAt,
    ringAt,
    stateAt,
    resultAt,
    resultBytes,
    hotwordsAt,
    hotwordInts,
    autoPrompt: manifest.prompts?.auto ?? 0,
    bytes,
  };
}

function resultLayout(manifest: Manifest): { parts: SlabLayout['result']; bytes: number } {
  const { framesPerChunk: frames, previewTokens = 0 } = manifest;
  const tokens = resultTokens(manifest);
  let elements = 0;
  const part = (count: number): ResultPart => {
    elements += count;
    return { at: elements - count, count };
  };
  const parts = {
    tokens: part(tokens),
    logp: part(tokens),
    vad: part(frames),
    rms: part(frames),
    times: part(manifest.outputs.times === undefined ? 0 : tokens * TIME_INTS),
    preview: part(previewTokens * PREVIEW_INTS),
    previewLogp: part(previewTokens),
  };
  return { parts, bytes: 4 * elements };
}

/** Byte offset of a slot's state bank in the slab. */
export const bankAt = (layout: SlabLayout, slot: number, bank: number): number =>
  layout.stateAt + (slot * 2 + bank) * layout.stateBytes;

export interface ResultViews {
  /** (frames × symbols) token ids, −1 = nothing. */
  readonly tokens: Int32Array;
  /** (frames × symbols) log-probability of each. */
  readonly logp: Float32Array;
  /** (frames) speech probability 0–1; −1 if the model has none. */
  readonly vad: Float32Array;
  /** (frames) RMS level 0–1 of the audio. */
  readonly rms: Float32Array;
  /**
   * (frames × symbols × 2) age and span of each token, in frames. Age: from the end of its sound to the frame that
   * emits it. Span: from its first frame to its last. Empty if the model outputs none.
   */
  readonly times: Int32Array;
  /**
   * (preview tokens × 3) tokens that the search holds at the chunk's end and has not emitted, oldest first: token or
   * −1, age before the chunk's last frame, span. Empty if the model outputs none.
   */
  readonly preview: Int32Array;
  /** (preview tokens) log-probability of each. */
  readonly previewLogp: Float32Array;
}

export function resultViews(slab: SharedArrayBuffer, layout: SlabLayout, slot: number): ResultViews {
  const base = layout.resultAt + slot * layout.resultBytes;
  const ints = ({ at, count }: ResultPart) => new Int32Array(slab, base + 4 * at, count);
  const floats = ({ at, count }: ResultPart) => new Float32Array(slab, base + 4 * at, count);
  const { result } = layout;
  return {
    tokens: ints(result.tokens),
    logp: floats(result.logp),
    vad: floats(result.vad),
    rms: floats(result.rms),
    times: ints(result.times),
    preview: ints(result.preview),
    previewLogp: floats(result.previewLogp),
  };
}
