/** Vorbis through libvorbis in WebAssembly, packet by packet. */
import type { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { type Blocks, checkChannels, damaged } from './block.js';
import { textAt, viewOf } from './bytes.js';
import { scaled } from './mpeg.js';
import type { Packet, PacketStream } from './packets.js';

/** Packets decoded in one call. */
const PACKETS = 16;

type OggPages = Parameters<OggVorbisDecoder['decodeOggPages']>[0];
/** The two fields of a page that the decoder reads. */
interface Page {
  data: Uint8Array;
  codecFrames: { header?: { vorbisSetup: Uint8Array }; data: Uint8Array }[];
}

/** `description` holds the identification and the setup header (`vorbisHeaders`). */
export async function* vorbisBlocks(stream: PacketStream & { readonly headers: VorbisHeaders }): Blocks {
  const { container, headers, packets } = stream;
  const name = `${container} with Vorbis`;
  checkHeaders(name, headers);
  const rateHz = viewOf(headers.identification).getUint32(12, true);
  checkChannels(container, 'Vorbis', headers.identification[11] ?? 0);
  const { OggVorbisDecoder } = await import('@wasm-audio-decoders/ogg-vorbis');
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  const decode = async (pages: Page[], at: number) => {
    const decoded = await decoder.decodeOggPages(pages as unknown as OggPages);
    if (decoded.errors.length > 0) {
      throw damaged(name, `a packet cannot be decoded, ${(at / rateHz).toFixed(1)} s into the audio`);
    }
    return decoded;
  };
  try {
    let held: Packet[] = [];
    let at = 0;
    await decode([{ data: headers.identification, codecFrames: [] }], 0);
    let header: Page['codecFrames'][number]['header'] = { vorbisSetup: headers.setup };
    const run = async () => {
      const codecFrames = held.map(({ data }) => ({ ...(header === undefined ? {} : { header }), data }));
      header = undefined;
      const decoded = await decode([{ data: new Uint8Array(1), codecFrames }], at);
      const fraction = held.at(-1)?.fraction ?? 0;
      held = [];
      at += decoded.samplesDecoded;
      return { planes: decoded.channelData.map(scaled), rateHz, fraction };
    };
    for await (const packet of packets) {
      if (packet.data.length === 0 || packet.data[0]! & 1) continue; // a header, or nothing
      if (held.push(packet) === PACKETS) yield await run();
    }
    if (held.length > 0) yield await run();
  } finally {
    decoder.free();
  }
}

export interface VorbisHeaders {
  readonly identification: Uint8Array;
  readonly setup: Uint8Array;
}

function checkHeaders(name: string, { identification, setup }: VorbisHeaders): void {
  if (identification.length < 30 || textAt(identification, 0, 7) !== '\x01vorbis') {
    throw damaged(name, 'the header of the stream is not whole');
  }
  if (textAt(setup, 0, 7) !== '\x05vorbis') throw damaged(name, 'the codebooks of the stream are missing');
}

/** The headers as Matroska and MP4 store them: their number minus one, their lengths in 255s, then the headers. */
export function unlaced(description: Uint8Array | undefined, name: string): VorbisHeaders {
  const bytes = description ?? new Uint8Array(0);
  let at = 1;
  const lengths = [0, 0].map(() => {
    let length = 0;
    for (; bytes[at] === 255; at += 1) length += 255;
    length += bytes[at] ?? 0;
    at += 1;
    return length;
  });
  if (bytes[0] !== 2) throw damaged(name, 'the headers of Vorbis are not whole');
  const [first = 0, second = 0] = lengths;
  return { identification: bytes.subarray(at, at + first), setup: bytes.subarray(at + first + second) };
}
