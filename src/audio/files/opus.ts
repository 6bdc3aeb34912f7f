/** Opus through libopus in WebAssembly (opus-decoder), packet by packet, at 48 kHz. */
import { LIMITS } from '../../limits.js';
import { BLOCK_FRAMES } from '../block.js';
import { type Block, type Blocks, damaged, makePlanes, unsupported } from './block.js';
import { textAt, viewOf } from './bytes.js';
import { scaled } from './mpeg.js';
import type { PacketStream } from './packets.js';

export const OPUS_RATE_HZ = 48_000;
const MAX_CHANNELS = 8;
/** 120 ms, the longest packet, at 512 kbit/s per channel; larger packets are not Opus. */
const MAX_PACKET_BYTES = 3_840;

/** The longest packet, 120 ms. */
const MAX_PACKET_FRAMES = 5_760;
/** A container's clock counts milliseconds and follows the sender's; smaller differences are not gaps. */
const MIN_GAP_FRAMES = OPUS_RATE_HZ / 10;
const MAX_GAP_FRAMES = LIMITS.maxGapSeconds * OPUS_RATE_HZ;

export interface OpusHead {
  readonly channels: number;
  /** Samples at 48 kHz to be dropped at the start, as requested by the encoder. */
  readonly preSkip: number;
  readonly mapping:
    | { streamCount: number; coupledStreamCount: number; channelMappingTable: number[] }
    | undefined;
}

/** Parses an OpusHead packet (RFC 7845); without one, uses the container's values. */
export function opusHead(head: Uint8Array | undefined, channels: number, container: string): OpusHead {
  if (head === undefined || head.length < 19 || textAt(head, 0, 8) !== 'OpusHead') {
    return { channels, preSkip: 0, mapping: undefined };
  }
  const count = head[9] ?? 0;
  const family = head[18] ?? 0;
  if (count < 1 || count > MAX_CHANNELS || (family === 0 && count > 2)) {
    throw unsupported(container, `Opus of ${count} channels`);
  }
  const preSkip = viewOf(head).getUint16(10, true);
  if (family === 0) return { channels: count, preSkip, mapping: undefined };
  if (head.length < 21 + count) throw damaged(container, 'the header of Opus is not whole');
  const channelMappingTable = Array.from(head.subarray(21, 21 + count));
  const [streamCount = 0, coupledStreamCount = 0] = head.subarray(19, 21);
  const decoded = streamCount + coupledStreamCount;
  if (
    streamCount < 1 ||
    coupledStreamCount > streamCount ||
    channelMappingTable.some((at) => at !== 255 && at >= decoded)
  ) {
    throw damaged(container, 'the header of Opus contradicts itself');
  }
  return { channels: count, preSkip, mapping: { streamCount, coupledStreamCount, channelMappingTable } };
}

/** Length of a packet in frames at 48 kHz, from its first two bytes (RFC 6716, section 3.1). */
export function opusFrames(packet: Uint8Array): number {
  const [first = 0, second = 0] = packet;
  const config = first >> 3;
  const size = 2 ** (config & 3);
  // SILK: 10, 20, 40, 60 ms; hybrid: 10, 20 ms; CELT: 2.5, 5, 10, 20 ms.
  const each =
    config < 12 ? (size === 8 ? 2_880 : 480 * size) : config < 16 ? 480 * (1 + (config & 1)) : 120 * size;
  const code = first & 3;
  return each * (code === 0 ? 1 : code === 3 ? second & 63 : 2);
}

/**
 * Decodes everything, including the pre-skip (see `trimmed`). If the container's clock jumps ahead (the sender was
 * silent or lost audio), the gap is filled with silence, so that times match the recording. At most a minute, since the
 * clock may also have been set.
 */
export async function* opusBlocks(stream: PacketStream, head: OpusHead): Blocks {
  const name = `${stream.container} with Opus`;
  const { OpusDecoder } = await import('opus-decoder');
  const { channels, mapping } = head;
  const decoder = new OpusDecoder({ channels, sampleRate: OPUS_RATE_HZ, ...mapping });
  await decoder.ready;
  let decodedFrames = 0;
  /** Position on the container's clock. */
  let place: number | undefined;
  try {
    for await (const { data, fraction, at } of stream.packets) {
      if (data.length === 0) continue;
      const gap = at === undefined || place === undefined ? 0 : at - place;
      if (gap >= MIN_GAP_FRAMES) yield* silence(channels, Math.min(gap, MAX_GAP_FRAMES), fraction);
      const bad = data.length > MAX_PACKET_BYTES * channels || opusFrames(data) > MAX_PACKET_FRAMES;
      const decoded = bad ? undefined : decoder.decodeFrame(data);
      if (decoded === undefined || decoded.errors.length > 0) {
        throw damaged(
          name,
          `a packet cannot be decoded, ${(decodedFrames / OPUS_RATE_HZ).toFixed(1)} s into the audio`,
        );
      }
      decodedFrames += decoded.samplesDecoded;
      // Small steps back of the clock are followed; large ones are ignored.
      if (at !== undefined && gap > -MIN_GAP_FRAMES) place = at;
      if (place !== undefined) place += decoded.samplesDecoded;
      yield { planes: decoded.channelData.map(scaled), rateHz: OPUS_RATE_HZ, fraction };
    }
  } finally {
    decoder.free();
  }
}

function* silence(channels: number, frames: number, fraction: number): Generator<Block, void> {
  const planes = makePlanes(channels, BLOCK_FRAMES);
  for (let left = frames; left > 0; left -= BLOCK_FRAMES) {
    for (const plane of planes) plane.fill(0); // the reader may have overwritten the last block
    const count = Math.min(left, BLOCK_FRAMES);
    yield { planes: planes.map((plane) => plane.subarray(0, count)), rateHz: OPUS_RATE_HZ, fraction };
  }
}

/** Most samples that may be trimmed from the end, one second: more than a page or block holds. */
export const MAX_OPUS_TRIM = OPUS_RATE_HZ;
