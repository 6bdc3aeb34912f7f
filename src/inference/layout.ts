/**
 * Where everything lies in the slab, the one SharedArrayBuffer that the main thread and the lanes share.
 *
 *   slab   ┌ header × slots ┬ ring × slots ┬ state × slots × 2 ┬ result × slots ┬ hotwords × slots ┐
 *   slot   │ 4 × int32      │ int16 PCM    │ bank 0 │ bank 1   │ tokens, logp,  │ edges × 5 int32  │
 *          │ READ VALID     │ 16 kHz mono  │ all of the model's│ vad, rms       │ (a model that    │
 *          │ BANK FRESH     │ wraps around │ state tensors     │                │ takes hotwords)  │
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
} from '../models/manifest.js';
import { EDGE_INTS } from './hotwords.js';

export const HEADER_INTS = 4;
/** Ring offset of the chunk's first sample. */
export const READ = 0;
/** Samples of the chunk that are audio; what is missing to a chunk is silence (flush). */
export const VALID = 1;
/** The bank that holds the current state. */
export const BANK = 2;
/** 1: the stream begins, its current state is all zeros. */
export const FRESH = 3;

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

export interface SlabLayout {
  readonly slots: number;
  readonly chunkSamples: number;
  readonly frames: number;
  /** Token positions in a result. */
  readonly tokens: number;
  readonly ringSamples: number;
  readonly state: readonly TensorLayout[];
  readonly stateBytes: number;
  readonly headerAt: number;
  readonly ringAt: number;
  readonly stateAt: number;
  readonly resultAt: number;
  /** Bytes of one slot's result: tokens int32, logp float32, vad float32, rms float32. */
  readonly resultBytes: number;
  readonly hotwordsAt: number;
  /** int32 of one slot's hotword edges; 0 where the model takes none. */
  readonly hotwordInts: number;
  readonly bytes: number;
}

const align = (bytes: number, to = 64): number => Math.ceil(bytes / to) * to;

/** Lays the slab out for `slots` streams; the ring is rounded up to whole chunks. */
export function slabLayout(manifest: Manifest, slots: number, ringSeconds: number): SlabLayout {
  const { chunkSamples, framesPerChunk: frames, sampleRate } = manifest;
  const tokens = resultTokens(manifest);
  const ringSamples = Math.ceil((ringSeconds * sampleRate) / chunkSamples) * chunkSamples;
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
  const resultBytes = align(4 * (2 * tokens + 2 * frames));
  const headerAt = 0;
  const ringAt = align(slots * HEADER_INTS * 4);
  const stateAt = align(ringAt + slots * ringSamples * 2);
  const resultAt = stateAt + slots * 2 * stateBytes;
  const hotwordInts = (manifest.hotwordEdges ?? 0) * EDGE_INTS;
  const hotwordsAt = resultAt + slots * resultBytes;
  const bytes = hotwordsAt + slots * hotwordInts * 4;
  return {
    slots, chunkSamples, frames, tokens, ringSamples, state, stateBytes,
    headerAt, ringAt, stateAt, resultAt, resultBytes, hotwordsAt, hotwordInts, bytes,
  }; // biome-ignore format: a plain list
}

/** Byte offset of a slot's state bank in the slab. */
export const bankAt = (layout: SlabLayout, slot: number, bank: number): number =>
  layout.stateAt + (slot * 2 + bank) * layout.stateBytes;

export interface ResultViews {
  /** (frames × symbols) token ids, −1 = nothing. */
  readonly tokens: Int32Array;
  /** (frames × symbols) log-probability of each. */
  readonly logp: Float32Array;
  /** (frames) speech probability 0–1; −1 where the model has none. */
  readonly vad: Float32Array;
  /** (frames) RMS level 0–1 of the audio. */
  readonly rms: Float32Array;
}

export function resultViews(slab: SharedArrayBuffer, layout: SlabLayout, slot: number): ResultViews {
  const at = layout.resultAt + slot * layout.resultBytes;
  const { tokens, frames } = layout;
  return {
    tokens: new Int32Array(slab, at, tokens),
    logp: new Float32Array(slab, at + 4 * tokens, tokens),
    vad: new Float32Array(slab, at + 8 * tokens, frames),
    rms: new Float32Array(slab, at + 8 * tokens + 4 * frames, frames),
  };
}
