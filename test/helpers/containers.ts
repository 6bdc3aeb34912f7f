/** Small containers, made by hand: what their readers do with odd ones is tested on these. */

/** A packet of Opus that stands for 20 ms of silence, mono. */
export const SILENT_PACKET = Uint8Array.of(0xf8, 0xff, 0xfe);

const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

function bigEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
}

/** Elements of Matroska by identity; a size of −1 is told as unknown. */
export function element(id: number, content: Uint8Array | readonly Uint8Array[], size?: number): Uint8Array {
  const body = content instanceof Uint8Array ? content : joined(content);
  const told = size ?? body.length;
  const idBytes = id < 0x100 ? 1 : id < 0x1_0000 ? 2 : id < 0x100_0000 ? 3 : 4;
  const head = [...bigEndian(id, idBytes), 0x01, ...(told < 0 ? Array(7).fill(0xff) : bigEndian(told, 7))];
  return joined([Uint8Array.from(head), body]);
}

const number = (value: number): Uint8Array => Uint8Array.from(bigEndian(value, 4));
const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');

export interface TrackParts {
  number?: number;
  type?: number;
  codec?: string;
  channels?: number;
  rateHz?: number;
  bits?: number;
  description?: Uint8Array;
  /** Elements more. */
  more?: Uint8Array[];
}

export function track(parts: TrackParts = {}): Uint8Array {
  const { type = 2, codec = 'A_OPUS', channels = 1, rateHz = 48_000, bits = 16, description } = parts;
  const rate = Buffer.alloc(4);
  rate.writeFloatBE(rateHz);
  return element(0xae, [
    element(0xd7, number(parts.number ?? 1)),
    element(0x83, number(type)),
    element(0x86, text(codec)),
    ...(description === undefined ? [] : [element(0x63a2, description)]),
    ...(parts.more ?? []),
    element(0xe1, [element(0x9f, number(channels)), element(0xb5, rate), element(0x6264, number(bits))]),
  ]);
}

/** The start of a WebM as a browser streams it: a segment of unknown size with these tracks. */
export const webmHead = (...tracks: Uint8Array[]): Uint8Array =>
  joined([
    element(0x1a45_dfa3, element(0x4282, text('webm'))),
    element(0x1853_8067, [], -1),
    element(0x1549_a966, element(0x2a_d7b1, number(1_000_000))),
    element(0x1654_ae6b, tracks),
  ]);

export const cluster = (ms: number, ...blocks: Uint8Array[]): Uint8Array =>
  joined([element(0x1f43_b675, [], -1), element(0xe7, number(ms)), ...blocks]);

/** @param flags of the block: 0x02, 0x04, 0x06 for laced ones */
export const block = (ms: number, data: Uint8Array, trackNumber = 1, flags = 0x80): Uint8Array =>
  element(0xa3, joined([Uint8Array.of(0x80 | trackNumber, (ms >> 8) & 255, ms & 255, flags), data]));

/** Samples in WebM, exactly as they are: 16 bits, 100 ms per block. */
export function webmOfSamples(samples: Int16Array, { rateHz = 16_000, channels = 1 } = {}): Uint8Array {
  const blocks: Uint8Array[] = [];
  const step = (rateHz / 10) * channels;
  for (let at = 0; at < samples.length; at += step) {
    const piece = samples.slice(at, at + step);
    blocks.push(block((blocks.length * 100) % 30_000, new Uint8Array(piece.buffer)));
  }
  return joined([webmHead(track({ codec: 'A_PCM/INT/LIT', rateHz, channels })), cluster(0, ...blocks)]);
}

/** Packets of Opus in WebM, [milliseconds, packet]. */
export const webmOfPackets = (packets: readonly (readonly [number, Uint8Array])[]): Uint8Array =>
  joined([webmHead(track()), ...packets.map(([ms, packet]) => cluster(ms, block(0, packet)))]);

/** CRC-32 of Ogg, bit by bit. */
function oggCrc(bytes: Uint8Array): number {
  let crc = 0;
  for (const octet of bytes) {
    crc ^= octet << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}

export interface PageParts {
  packets: readonly Uint8Array[];
  sequence: number;
  granule?: number;
  /** 2: begins, 4: ends. */
  flags?: number;
  serial?: number;
  /** The last packet, of a multiple of 255 bytes, goes on in the next page. */
  open?: boolean;
}

export function oggPage(parts: PageParts): Uint8Array {
  const { packets, sequence, granule = 0, flags = 0, serial = 7, open = false } = parts;
  const lengths = packets.flatMap(({ length }) => [
    ...Array(Math.floor(length / 255)).fill(255),
    length % 255,
  ]);
  if (open) lengths.pop();
  const page = Buffer.alloc(27 + lengths.length);
  page.write('OggS', 'latin1');
  page[5] = flags;
  page.writeBigInt64LE(BigInt(granule), 6);
  page.writeUInt32LE(serial, 14);
  page.writeUInt32LE(sequence, 18);
  page[26] = lengths.length;
  page.set(lengths, 27);
  const all = Buffer.concat([page, ...packets]);
  all.writeUInt32LE(oggCrc(all), 22);
  return new Uint8Array(all);
}

export function opusHeadPacket(preSkip = 0, channels = 1): Uint8Array {
  const head = Buffer.alloc(19);
  head.write('OpusHead\x01', 'latin1');
  head[9] = channels;
  head.writeUInt16LE(preSkip, 10);
  head.writeUInt32LE(48_000, 12);
  return new Uint8Array(head);
}

/** Ogg Opus: a page for each list of packets, with the granule that it tells. */
export function oggOfPages(
  pages: readonly {
    readonly packets: readonly Uint8Array[];
    readonly granule: number;
    readonly flags?: number;
  }[],
  { preSkip = 0, serial = 7 } = {},
): Uint8Array {
  return joined([
    oggPage({ packets: [opusHeadPacket(preSkip)], sequence: 0, flags: 2, serial }),
    oggPage({ packets: [text('OpusTags\0\0\0\0\0\0\0\0')], sequence: 1, serial }),
    ...pages.map((page, i) => oggPage({ ...page, sequence: i + 2, serial })),
  ]);
}
