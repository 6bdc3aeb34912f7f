/** Streams of packets, taken out of whatever container, to audio: one decoder for each codec. */
import { type Block, type Blocks, cutPlanes } from './block.js';

export interface Packet {
  readonly data: Uint8Array;
  /** How far into the file its end lies, 0…1. */
  readonly fraction: number;
  /** Where the container says that it begins, frames of the codec's rate; undefined: behind the one before it. */
  readonly at?: number | undefined;
}

export interface PacketStream {
  /** For messages: "Ogg", "WebM" … */
  readonly container: string;
  /** Headers of the codec, as the container keeps them. */
  readonly description: Uint8Array | undefined;
  readonly channels: number;
  readonly rateHz: number;
  readonly packets: Iterable<Packet> | AsyncIterable<Packet>;
  /** Samples in front that the encoder put there, where the container says so. */
  readonly skipFrames?: number | undefined;
  /** Samples of sound, where the container says so: what the encoder filled up at the end is left out. */
  readonly totalFrames?: number | undefined;
  readonly totalSeconds?: number | undefined;
}

/** Where a stream ends, as far as it is known: a live one tells it again with every page. */
export interface StreamEnd {
  /** Frames of sound, where the container says so. */
  readonly totalFrames: number | undefined;
  /** Grows with each statement: what lay beyond an earlier one was sound after all. */
  readonly page: number;
}

export const endAt = (totalFrames: number | undefined): StreamEnd => ({ totalFrames, page: 0 });

/**
 * Leaves out what the encoder put in front of the sound and behind it. A total that would leave out more than
 * `mostFrames` is not believed: it is never a reason to shorten a transcript.
 */
export async function* trimmed(
  blocks: Blocks | Iterable<Block>,
  skipFrames: number,
  stated: StreamEnd,
  mostFrames: number,
): Blocks {
  let skip = skipFrames;
  let seen = 0;
  let page = 0;
  /** What lies beyond the total, until it is clear that it is filling only. */
  let beyond: Block[] = [];
  let beyondFrames = 0;
  for await (const block of blocks) {
    if (stated.page !== page) {
      yield* beyond;
      beyond = [];
      beyondFrames = 0;
      page = stated.page;
    }
    const total = stated.totalFrames ?? Number.POSITIVE_INFINITY;
    const frames = block.planes[0]?.length ?? 0;
    const from = Math.min(skip, frames);
    skip -= from;
    const to = Math.max(from, Math.min(frames, from + total - seen));
    seen += frames - from;
    if (to > from) yield { ...block, planes: cutPlanes(block.planes, from, to) };
    if (to === frames) continue;
    beyond.push({ ...block, planes: block.planes.map((plane) => plane.slice(to)) });
    beyondFrames += frames - to;
    if (beyondFrames <= mostFrames) continue;
    yield* beyond;
    beyond = [];
  }
}
