/** Decodes streams of packets from any container: one decoder per codec. */
import { type Block, type Blocks, cutPlanes } from './block.js';

export interface Packet {
  readonly data: Uint8Array;
  /** How far into the file its end lies, 0…1. */
  readonly fraction: number;
  /** Start according to the container, in frames at the codec's rate; undefined: after the previous packet. */
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
  /** Samples that the encoder added before the sound, if the container says so. */
  readonly skipFrames?: number | undefined;
  /** Samples of sound, if the container says so; padding after them is dropped. */
  readonly totalFrames?: number | undefined;
  readonly totalSeconds?: number | undefined;
}

/** The end of a stream, as far as known; a live stream updates it with every page. */
export interface StreamEnd {
  /** Frames of sound, where the container says so. */
  readonly totalFrames: number | undefined;
  /** Increases with each update: audio beyond an earlier end was sound after all. */
  readonly page: number;
}

export const endAt = (totalFrames: number | undefined): StreamEnd => ({ totalFrames, page: 0 });

/**
 * Drops what the encoder added before and after the sound. A total that would drop more than `mostFrames` is ignored:
 * it must never shorten a transcript.
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
  /** Audio beyond the total, until it is certain to be padding. */
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
