/**
 * The output of every file decoder: blocks of audio, one plane per channel. Decoders are generators, so their reader
 * sets the pace and nothing accumulates.
 */
import { ServerError } from '../../errors.js';
import { BLOCK_FRAMES } from '../block.js';

export interface Block {
  /**
   * One array per channel, all of the same length, in 16-bit units (±32,768). Valid until the next block is requested.
   */
  readonly planes: readonly Float32Array[];
  readonly rateHz: number;
  /** How far into the file this block reaches, 0…1, for progress reports. */
  readonly fraction: number;
}

export type Blocks = AsyncGenerator<Block, void, undefined>;

/** A header with more channels than cinema sound counts as damaged. */
export const MAX_CHANNELS = 32;
/** 16-bit units per 1.0 of a float sample. */
export const FULL_SCALE = 32_768;

/** 415: the container and codec that were found, and a hint. */
export const unsupported = (container: string, codec: string, help = ''): ServerError =>
  new ServerError('UNSUPPORTED_MEDIA', `${container} with ${codec}.${help === '' ? '' : ` ${help}`}`);

/** 422: what is damaged, and where. */
export const damaged = (container: string, reason: string): ServerError =>
  new ServerError('CORRUPT_AUDIO', `${container}: ${reason}.`);

/** @throws ServerError UNSUPPORTED_MEDIA for a number of channels that no recording has */
export function checkChannels(container: string, codec: string, channels: number): void {
  if (channels < 1 || channels > MAX_CHANNELS) {
    throw unsupported(container, `${codec} of ${channels} channels`);
  }
}

/** `channels` planes of `frames` samples in one buffer. */
export function makePlanes(channels: number, frames: number): Float32Array[] {
  const all = new Float32Array(channels * frames);
  return Array.from({ length: channels }, (_, channel) =>
    all.subarray(channel * frames, (channel + 1) * frames),
  );
}

export const cutPlanes = (planes: readonly Float32Array[], from: number, to: number): Float32Array[] =>
  planes.map((plane) => plane.subarray(from, to));

/** Splits a block into parts of at most BLOCK_FRAMES. */
export function* slices(block: Block): Generator<Block, void> {
  const frames = block.planes[0]?.length ?? 0;
  for (let at = 0; at < frames; at += BLOCK_FRAMES) {
    yield { ...block, planes: cutPlanes(block.planes, at, Math.min(frames, at + BLOCK_FRAMES)) };
  }
}

/** Adapts a synchronous decoder to the common asynchronous interface. */
export async function* slowly(blocks: Iterable<Block>): Blocks {
  yield* blocks;
}
