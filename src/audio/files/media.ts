/** MP4, M4A, MOV, 3GP, Matroska and WebM, with or without video, demuxed by mediabunny. */
import type { EncodedPacket, Input, InputAudioTrack } from 'mediabunny';
import { ServerError } from '../../errors.js';
import { aacPacketBlocks } from './aac.js';
import { alacBlocks, alacConfig } from './alac.js';
import { type Blocks, damaged, unsupported } from './block.js';
import { checkMp4, matroskaDocuments, mp4Cookie } from './boxes.js';
import { printable } from './bytes.js';
import { ffmpegBlocks } from './ffmpeg.js';
import { flacBlocks } from './flac.js';
import { mpegBlocks } from './mpeg.js';
import { MAX_OPUS_TRIM, OPUS_RATE_HZ, opusBlocks, opusHead } from './opus.js';
import { endAt, type Packet, type PacketStream, trimmed } from './packets.js';
import { type SampleLayout, sampleBlocks } from './samples.js';
import { unlaced, vorbisBlocks } from './vorbis.js';

/** Sample layouts by mediabunny's codec names, for uncompressed samples. */
const SAMPLES: Record<string, Pick<SampleLayout, 'kind' | 'width' | 'littleEndian'>> = {
  'pcm-u8': { kind: 'uint', width: 1, littleEndian: true },
  'pcm-s8': { kind: 'int', width: 1, littleEndian: true },
  'pcm-s16': { kind: 'int', width: 2, littleEndian: true },
  'pcm-s16be': { kind: 'int', width: 2, littleEndian: false },
  'pcm-s24': { kind: 'int', width: 3, littleEndian: true },
  'pcm-s24be': { kind: 'int', width: 3, littleEndian: false },
  'pcm-s32': { kind: 'int', width: 4, littleEndian: true },
  'pcm-s32be': { kind: 'int', width: 4, littleEndian: false },
  'pcm-f32': { kind: 'float', width: 4, littleEndian: true },
  'pcm-f32be': { kind: 'float', width: 4, littleEndian: false },
  'pcm-f64': { kind: 'float', width: 8, littleEndian: true },
  'pcm-f64be': { kind: 'float', width: 8, littleEndian: false },
  ulaw: { kind: 'mulaw', width: 1, littleEndian: true },
  alaw: { kind: 'alaw', width: 1, littleEndian: true },
};
/** Codecs that ffmpeg reads as consecutive bare packets, with the header they need. */
const BARE: Record<string, { demuxer: string; head?: string }> = {
  ac3: { demuxer: 'ac3' },
  'ac-3': { demuxer: 'ac3' },
  eac3: { demuxer: 'eac3' },
  'ec-3': { demuxer: 'eac3' },
  dts: { demuxer: 'dts' },
  samr: { demuxer: 'amr', head: '#!AMR\n' },
  sawb: { demuxer: 'amr', head: '#!AMR-WB\n' },
};

/** @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO */
export async function* mediaBlocks(bytes: Uint8Array, container: 'MP4' | 'WebM'): Blocks {
  if (container === 'MP4') {
    checkMp4(bytes);
    yield* documentBlocks(bytes, container);
    return;
  }
  for (const document of matroskaDocuments(bytes)) {
    const from = (document.byteOffset - bytes.byteOffset) / bytes.length;
    const share = document.length / bytes.length;
    for await (const block of documentBlocks(document, container)) {
      yield { ...block, fraction: from + block.fraction * share };
    }
  }
}

async function* documentBlocks(bytes: Uint8Array, container: 'MP4' | 'WebM'): Blocks {
  const { BufferSource, Input, MATROSKA, MP4, QTFF, WEBM } = await import('mediabunny');
  const input = new Input({ source: new BufferSource(bytes), formats: [MP4, QTFF, MATROSKA, WEBM] });
  try {
    const track = await audioTrack(input, container);
    yield* await trackBlocks(bytes, track, container);
  } catch (error) {
    if (error instanceof ServerError) throw error;
    // mediabunny throws on unexpected data: a damaged index.
    throw damaged(container, error instanceof Error ? error.message.replace(/\.$/, '') : 'it cannot be read');
  } finally {
    input.dispose();
  }
}

async function audioTrack(input: Input, container: string): Promise<InputAudioTrack> {
  const track = await input.getPrimaryAudioTrack();
  if (track !== null) return track;
  const others = await input.getTracks();
  const codecs = await Promise.all(
    others.map(async (other) => (await other.getCodec()) ?? 'an unknown codec'),
  );
  if (codecs.length === 0) throw damaged(container, 'there are no tracks in it');
  throw unsupported(container, `${codecs.join(', ')} but no audio`);
}

async function trackBlocks(bytes: Uint8Array, track: InputAudioTrack, container: string): Promise<Blocks> {
  const codec = await track.getCodec();
  const identity = await track.getInternalCodecId();
  const name = codec ?? (typeof identity === 'string' ? printable(identity) : 'an unknown codec');
  const config = await track.getDecoderConfig();
  const totalSeconds = await track.computeDuration();
  const rateHz = await track.getSampleRate();
  const first = await firstTimestamp(track);
  const stream: PacketStream = {
    container,
    description: bytesOf(config?.description),
    channels: await track.getNumberOfChannels(),
    rateHz,
    packets: packetsOf(track, totalSeconds, codec === 'opus' ? OPUS_RATE_HZ : rateHz),
    // Samples that the encoder added before the sound have negative times.
    skipFrames: Math.max(0, Math.round(-first * rateHz)),
    totalSeconds,
  };
  return decode(bytes, name, stream);
}

function decode(bytes: Uint8Array, codec: string, stream: PacketStream): Blocks {
  const { container, channels, rateHz, skipFrames = 0 } = stream;
  const samples = SAMPLES[codec];
  if (samples !== undefined) return packetSamples(stream, { ...samples, channels, rateHz });
  const bare = BARE[codec];
  if (bare !== undefined) {
    const input = payloads(stream, bare.head);
    return ffmpegBlocks({
      demuxer: bare.demuxer,
      container,
      codec,
      input,
      totalSeconds: stream.totalSeconds,
    });
  }
  switch (codec) {
    case 'opus': {
      const head = opusHead(stream.description, channels, container);
      return trimmed(opusBlocks(stream, head), head.preSkip, endAt(undefined), MAX_OPUS_TRIM);
    }
    case 'vorbis':
      return vorbisBlocks({ ...stream, headers: unlaced(stream.description, container) });
    case 'alac': {
      const cookie = stream.description ?? mp4Cookie(bytes, 'alac') ?? new Uint8Array(0);
      return trimmed(alacBlocks(stream, alacConfig(cookie, container)), skipFrames, endAt(undefined), 0);
    }
    case 'mp3':
      return trimmed(
        gathered(stream, bytes.length, (all) => mpegBlocks(all, `${container} with MP3`)),
        skipFrames,
        endAt(undefined),
        0,
      );
    case 'flac':
      return gathered(
        stream,
        bytes.length,
        (all) => flacBlocks(all, `${container} with FLAC`),
        flacHead(stream.description),
      );
    case 'aac':
      return trimmed(aacPacketBlocks(stream), skipFrames, endAt(undefined), 0);
    default:
      throw unsupported(container, codec);
  }
}

async function firstTimestamp(track: InputAudioTrack): Promise<number> {
  const { EncodedPacketSink } = await import('mediabunny');
  const first = await new EncodedPacketSink(track).getFirstPacket();
  if (first === null) throw damaged('MP4 or WebM', 'there is no audio in its audio track');
  return first.timestamp;
}

async function* packetsOf(
  track: InputAudioTrack,
  totalSeconds: number,
  rateHz: number,
): AsyncGenerator<Packet, void> {
  const { EncodedPacketSink } = await import('mediabunny');
  const packets: AsyncIterable<EncodedPacket> = new EncodedPacketSink(track).packets();
  for await (const { data, timestamp, duration } of packets) {
    const fraction = totalSeconds > 0 ? Math.min(1, (timestamp + duration) / totalSeconds) : 0;
    yield { data, fraction, at: Math.round(timestamp * rateHz) };
  }
}

async function* packetSamples(stream: PacketStream, layout: SampleLayout): Blocks {
  for await (const { data, fraction } of stream.packets) {
    for (const block of sampleBlocks(data, { start: 0, end: data.length }, layout)) {
      yield { ...block, fraction };
    }
  }
}

async function* payloads(stream: PacketStream, head?: string): AsyncGenerator<Uint8Array, void> {
  if (head !== undefined) yield Buffer.from(head, 'latin1');
  for await (const { data } of stream.packets) yield data;
}

/** For decoders that read a whole stream: its packets joined, no larger than the file itself. */
async function* gathered(
  stream: PacketStream,
  fileBytes: number,
  decodeAll: (all: Uint8Array) => Blocks,
  head = '',
): Blocks {
  const parts: Uint8Array[] = [];
  let left = fileBytes;
  for await (const part of payloads(stream, head)) {
    left -= part.length;
    // An index may refer to the same bytes a million times.
    if (left < 0) throw damaged(stream.container, 'its packets lie over each other');
    parts.push(part);
  }
  yield* decodeAll(Buffer.concat(parts));
}

/** fLaC and STREAMINFO, as at the start of a native file; MP4 stores only the blocks. */
function flacHead(description: Uint8Array | undefined): string {
  const text = Buffer.from(description ?? new Uint8Array(0)).toString('latin1');
  return text.startsWith('fLaC') ? text : `fLaC${text}`;
}

function bytesOf(source: ArrayBufferView | ArrayBufferLike | undefined): Uint8Array | undefined {
  if (source === undefined) return undefined;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return new Uint8Array(source);
}
