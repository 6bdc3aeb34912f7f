/** AAC: no JavaScript decoder has a suitable licence, so frames are passed to ffmpeg with ADTS headers. */
import { type Blocks, damaged, unsupported } from './block.js';
import { ffmpegBlocks } from './ffmpeg.js';
import { id3Bytes } from './mpeg-scan.js';
import type { PacketStream } from './packets.js';

const HEAD_BYTES = 7;
/** The length of a frame has 13 bits. */
const MAX_FRAME_BYTES = 0x1fff;
const RATES_HZ = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/** Object type, sample rate and channels of an AudioSpecificConfig (ISO 14496-3), as fields of ADTS. */
function adtsFields(config: Uint8Array | undefined, stream: PacketStream) {
  const [first = 0, second = 0] = config ?? [];
  let type = first >> 3;
  let rate = ((first & 7) << 1) | (second >> 7);
  let channels = (second >> 3) & 15;
  if (config === undefined || config.length < 2) {
    type = 2;
    rate = RATES_HZ.indexOf(stream.rateHz);
    channels = stream.channels;
  }
  // HE-AAC (5, 29) names the base type; decoders detect its upper band themselves.
  if (type === 5 || type === 29) type = 2;
  if (type < 1 || type > 4 || rate < 0 || rate > 12 || channels < 1 || channels > 7) {
    throw unsupported(stream.container, `AAC of type ${type}`);
  }
  return { type, rate, channels };
}

/** Decodes AAC packets from a container. */
export const aacPacketBlocks = (stream: PacketStream): Blocks =>
  ffmpegBlocks({
    demuxer: 'aac',
    container: stream.container,
    codec: 'AAC',
    input: adtsPackets(stream),
    totalSeconds: stream.totalSeconds,
  });

/** Each packet with an ADTS header in front. */
async function* adtsPackets(stream: PacketStream): AsyncGenerator<Uint8Array, void> {
  const { type, rate, channels } = adtsFields(stream.description, stream);
  for await (const { data } of stream.packets) {
    const length = data.length + HEAD_BYTES;
    if (length > MAX_FRAME_BYTES) throw damaged(stream.container, `a frame of AAC has ${data.length} bytes`);
    const frame = new Uint8Array(length);
    frame.set([0xff, 0xf1, ((type - 1) << 6) | (rate << 2) | (channels >> 2)]);
    frame.set(
      [((channels & 3) << 6) | (length >> 11), (length >> 3) & 0xff, ((length & 7) << 5) | 0x1f, 0xfc],
      3,
    );
    frame.set(data, HEAD_BYTES);
    yield frame;
  }
}

const frameBytes = (bytes: Uint8Array, at: number): number => {
  const isHead =
    bytes[at] === 0xff && ((bytes[at + 1] ?? 0) & 0xf6) === 0xf0 && at + HEAD_BYTES <= bytes.length;
  if (!isHead) return 0;
  return ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
};

/** Whether `count` ADTS frames begin here. */
export function isAdtsRun(bytes: Uint8Array, start: number, count: number): boolean {
  let at = start;
  for (let i = 0; i < count; i += 1) {
    const length = frameBytes(bytes, at);
    if (length < HEAD_BYTES) return i > 0 && at === bytes.length;
    at += length;
  }
  return true;
}

/**
 * A bare .aac file: frames with ADTS headers. They are checked first, since ffmpeg silently drops an incomplete frame.
 */
export function aacBlocks(bytes: Uint8Array, start: number): Blocks {
  let at = start;
  while (at < bytes.length) {
    const length = frameBytes(bytes, at) || id3Bytes(bytes, at);
    if (length < HEAD_BYTES) throw damaged('AAC', `no frame begins at byte ${at}`);
    if (at + length > bytes.length) throw damaged('AAC', `the frame at byte ${at} is cut short`);
    at += length;
  }
  return ffmpegBlocks({ demuxer: 'aac', container: 'ADTS', codec: 'AAC', input: [bytes.subarray(start)] });
}
