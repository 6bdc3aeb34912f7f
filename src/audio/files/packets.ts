/** Streams of packets, taken out of whatever container, to audio: one decoder for each codec. */
import { type Block, type Blocks, cutPlanes } from './block.js';

export interface Packet {
  readonly data: Uint8Array;
  /** How far into the file its end lies, 0…1. */
  readonly fraction: number;
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

/**
 * Leaves out what the encoder put in front of the sound and behind it. A total that would leave out more than
 * `mostFrames` is not believed: it is never a reason to shorten a transcript.
 */
export async function* trimmed(
  blocks: Blocks | Iterable<Block>,
  skipFrames: number,
  totalFrames: number | undefined,
  mostFrames: number,
): Blocks {
  let skip = skipFrames;
  let seen = 0;
  const total = totalFrames ?? Number.POSITIVE_INFINITY;
  /** What lies beyond the total, until it is clear that it is filling only. */
  let beyond: Block[] = [];
  let beyondFrames = 0;
  for await (const block of blocks) {
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
