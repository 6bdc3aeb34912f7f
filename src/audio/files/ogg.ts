/** Ogg: Opus, Vorbis, FLAC, Speex. Several links in one file are one recording. */
import { type Blocks, damaged, unsupported } from './block.js';
import { viewOf } from './bytes.js';
import { ffmpegBlocks } from './ffmpeg.js';
import { flacBlocks } from './flac.js';
import { type OggLink, oggLinks, type PagePackets } from './ogg-pages.js';
import { MAX_OPUS_TRIM, opusBlocks, opusFrames, opusHead } from './opus.js';
import { endAt, type Packet, type PacketStream, trimmed } from './packets.js';
import { vorbisBlocks } from './vorbis.js';

const NAME = 'Ogg';

/** @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO */
export async function* oggBlocks(bytes: Uint8Array): Blocks {
  for (const link of oggLinks(bytes)) yield* linkBlocks(link, bytes.length);
}

function linkBlocks(link: OggLink, fileBytes: number): Blocks {
  switch (link.codec) {
    case 'Opus':
      return opusLink(link, fileBytes);
    case 'Vorbis':
      return vorbisLink(link, fileBytes);
    case 'FLAC':
      return flacBlocks(Buffer.concat([...link.pages()]), 'Ogg with FLAC');
    case 'Speex':
      return ffmpegBlocks({ demuxer: 'ogg', container: NAME, codec: 'Speex', input: link.pages() });
    default:
      throw unsupported(NAME, link.codec, 'There is no audio in it that can be read.');
  }
}

/** The audio packets as a `PacketStream`, without the headers at the start. */
function streamOf(link: OggLink, headers: number, fileBytes: number): PacketStream {
  function* packets(): Generator<Packet, void> {
    let left = headers;
    for (const { data, byteAt } of link.packets()) {
      left -= 1;
      if (left < 0) yield { data, fraction: byteAt / fileBytes };
    }
  }
  return { container: NAME, description: link.head, channels: 0, rateHz: 0, packets: packets() };
}

function opusLink(link: OggLink, fileBytes: number): Blocks {
  const head = opusHead(link.head, 1, NAME);
  const total = link.lastGranule === undefined ? undefined : link.lastGranule - head.preSkip;
  const stream = opusStream(link.head, oggOpusPackets(link.packetPages(), fileBytes));
  return trimmed(opusBlocks(stream, head), head.preSkip, endAt(believable(total)), MAX_OPUS_TRIM);
}

/** `packets`: without the headers. */
export const opusStream = (head: Uint8Array, packets: AsyncIterable<Packet>): PacketStream => ({
  container: NAME,
  description: head,
  channels: 0,
  rateHz: 0,
  packets,
});

/** The audio packets after the two headers, with positions: a page gives the end of its last packet. */
export async function* oggOpusPackets(
  pages: Iterable<PagePackets> | AsyncIterable<PagePackets>,
  fileBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Packet, void> {
  let headers = 2;
  for await (const { packets, granule } of pages) {
    const sound = packets.slice(headers);
    headers -= packets.length - sound.length;
    const frames = sound.reduce((sum, { data }) => sum + opusFrames(data), 0);
    let at = granule === undefined ? undefined : granule - frames;
    for (const { data, byteAt } of sound) {
      yield { data, fraction: byteAt / fileBytes, at };
      at = undefined;
    }
  }
}

function vorbisLink(link: OggLink, fileBytes: number): Blocks {
  const packets = link.packets();
  const [identification, , setup] = [packets.next(), packets.next(), packets.next()].map(
    (it) => it.value?.data,
  );
  if (identification === undefined || setup === undefined) {
    throw damaged('Ogg with Vorbis', 'the file ends before the audio begins');
  }
  const blocks = vorbisBlocks({ ...streamOf(link, 3, fileBytes), headers: { identification, setup } });
  const rateHz = identification.length >= 16 ? viewOf(identification).getUint32(12, true) : 0;
  return trimmed(blocks, 0, endAt(believable(link.lastGranule)), rateHz);
}

/** Ignores an end before the start, as after an end flag in the middle. */
export const believable = (total: number | undefined): number | undefined =>
  total !== undefined && total > 0 ? total : undefined;
