/** Opus by libopus in WebAssembly (opus-decoder), packet by packet, at 48 kHz. */
import { type Blocks, damaged, unsupported } from './block.js';
import { textAt, viewOf } from './bytes.js';
import { scaled } from './mpeg.js';
import type { PacketStream } from './packets.js';

const RATE_HZ = 48_000;
const MAX_CHANNELS = 8;
/** 120 ms, the longest packet, at 512 kbit/s for each channel: nothing larger is Opus. */
const MAX_PACKET_BYTES = 3_840;

export interface OpusHead {
  readonly channels: number;
  /** Samples at 48 kHz that the encoder asks to be dropped at the start. */
  readonly preSkip: number;
  readonly mapping:
    | { streamCount: number; coupledStreamCount: number; channelMappingTable: number[] }
    | undefined;
}

/** An OpusHead packet (RFC 7845); without one, as the container says. */
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

/** All that is decoded; the caller leaves out the pre-skip (`trimmed`). */
export async function* opusBlocks(stream: PacketStream, head: OpusHead): Blocks {
  const name = `${stream.container} with Opus`;
  const { OpusDecoder } = await import('opus-decoder');
  const { channels, mapping } = head;
  const decoder = new OpusDecoder({ channels, sampleRate: RATE_HZ, ...mapping });
  await decoder.ready;
  let at = 0;
  try {
    for await (const { data, fraction } of stream.packets) {
      if (data.length === 0) continue;
      const tooLong = data.length > MAX_PACKET_BYTES * channels;
      const decoded = tooLong ? undefined : decoder.decodeFrame(data);
      if (decoded === undefined || decoded.errors.length > 0) {
        throw damaged(name, `a packet cannot be decoded, ${(at / RATE_HZ).toFixed(1)} s into the audio`);
      }
      at += decoded.samplesDecoded;
      yield { planes: decoded.channelData.map(scaled), rateHz: RATE_HZ, fraction };
    }
  } finally {
    decoder.free();
  }
}

/** More samples than any page or block of a file holds may not be trimmed from its end: one second. */
export const MAX_OPUS_TRIM = RATE_HZ;
