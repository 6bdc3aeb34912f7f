/**
 * The memory that the main thread and the codec workers share: one codec slot for each stream that needs
 * resampling. A slot is worked on by one task at a time, so a stream stays in order whichever thread runs it,
 * and a worker keeps nothing between tasks: if it dies, the stream goes on with another.
 *
 *   codec slot:  | header, 32 float64 | history, 384 float32 | raw FIFO, 128 KiB                        |
 *                  job, state, result   the resampler's        whole sample-frames as the client sent them
 *
 * The main thread writes the FIFO and the job fields, the worker the state and result fields. What makes the
 * writes visible is the message that carries the task, and the one that answers it.
 */

import { ENCODINGS, type Encoding } from '../audio/format.js';
import { freshMix } from '../audio/mix.js';
import { latencyFrames, type ResamplerState, resetState } from '../audio/resampler.js';

/** 0.17 s of 48 kHz stereo float32, 0.7 s of 48 kHz stereo pcm16, 8 s of 8 kHz μ-law stereo. Power of two. */
export const FIFO_BYTES = 128 * 1024;
/** Floats; at least MAX_TAPS (checked by a test). */
export const HISTORY_LENGTH = 384;
const HEADER_LENGTH = 32;
const HEADER_BYTES = HEADER_LENGTH * 8;
const HISTORY_BYTES = HISTORY_LENGTH * 4;
export const SLOT_BYTES = HEADER_BYTES + HISTORY_BYTES + FIFO_BYTES;

/** State of the mixer of two channels. */
export const MIX_FIELDS = ['left', 'right', 'cross', 'gain', 'target', 'opposite'] as const;

/** Fields of the header. */
export const FIELD = {
  // Written when the stream opens.
  rateHz: 0,
  encoding: 1,
  channels: 2,
  ringByteOffset: 3,
  ringSamples: 4,
  /** Place of the filter of an odd rate; −1: a common rate. */
  filterPlace: 20,
  filterVersion: 21,
  // The job, written before each task.
  job: 5,
  rawAt: 6,
  rawBytes: 7,
  ringAt: 8,
  ringRoom: 9,
  flush: 10,
  // The resampler's state, written by the worker at the end of a job.
  held: 11,
  offset: 12,
  phase: 13,
  silenceLeft: 14,
  // The mixer's state, written likewise.
  mix_left: 22,
  mix_right: 23,
  mix_cross: 24,
  mix_gain: 25,
  mix_target: 26,
  mix_opposite: 27,
  // The result.
  finishedJob: 15,
  consumedBytes: 16,
  producedSamples: 17,
  flushed: 18,
  failed: 19,
} as const;

export interface CodecSlot {
  readonly header: Float64Array;
  readonly history: Float32Array;
  readonly fifo: Uint8Array;
}

export const codecSlabBytes = (slots: number): number => slots * SLOT_BYTES;

export function codecSlotAt(slab: SharedArrayBuffer, index: number): CodecSlot {
  const at = index * SLOT_BYTES;
  return {
    header: new Float64Array(slab, at, HEADER_LENGTH),
    history: new Float32Array(slab, at + HEADER_BYTES, HISTORY_LENGTH),
    fifo: new Uint8Array(slab, at + HEADER_BYTES + HISTORY_BYTES, FIFO_BYTES),
  };
}

export const encodingIndex = (encoding: Encoding): number => ENCODINGS.indexOf(encoding);

export function encodingAt(index: number): Encoding {
  const encoding = ENCODINGS[index];
  if (encoding === undefined) throw new RangeError(`There is no encoding ${index}.`);
  return encoding;
}

/** Puts a slot in the state of a fresh stream; the main thread calls it when the stream opens. */
export function openCodecSlot({ header, history }: CodecSlot, rateHz: number): void {
  const state: ResamplerState = { history, held: 0, offset: 0, phase: 0 };
  resetState(state, rateHz);
  header[FIELD.held] = state.held;
  header[FIELD.offset] = state.offset;
  header[FIELD.phase] = state.phase;
  header[FIELD.silenceLeft] = latencyFrames(rateHz);
  const mix = freshMix();
  for (const name of MIX_FIELDS) header[FIELD[`mix_${name}`]] = mix[name];
}

/** The error of a job, as a worker reports it: its stream ends, and the reason is for the log. */
export interface JobFailure {
  readonly slot: number;
  readonly reason: string;
}

/** Data for a codec worker at its start. */
export interface CodecWorkerData {
  readonly codecSlab: SharedArrayBuffer;
  /** The stream table's slab, with the rings; absent in workers that decode files only. */
  readonly streamSlab: SharedArrayBuffer | undefined;
  /** Whether it works on streams: it then designs the filters of common rates before its first task. */
  readonly forStreams: boolean;
  /** The tables of odd rates. */
  readonly filterSlab: SharedArrayBuffer;
}
