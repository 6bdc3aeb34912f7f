/**
 * Demuxes Ogg files (RFC 3533): pages with checksums, chained links, and the packets of a link's audio stream.
 * End-of-stream flags are ignored: Telegram for Android sets none, others set one in the middle. A link ends where new
 * streams begin, or with the file.
 */
import { damaged } from './block.js';
import { textAt, viewOf } from './bytes.js';
import { id3Bytes } from './mpeg-scan.js';

export const PAGE_HEADER_BYTES = 27;
const CRC_AT = 22;
const FLAG = { continued: 1, begins: 2 } as const;
/** Harmless bytes allowed after the last page: padding, an ID3v1 tag. */
const ID3V1_BYTES = 128;
/** Marks a page without a granule position: −1. */
const NO_GRANULE = 0xffff_ffff_ffff_ffffn;

/** CRC-32 of Ogg: polynomial 0x04c11db7, not reflected, starting from 0 (RFC 3533). */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  return crc >>> 0;
});

export interface Page {
  /** Where it lies. */
  readonly at: number;
  readonly end: number;
  readonly serial: number;
  readonly sequence: number;
  /** A stream begins with it. */
  readonly begins: boolean;
  /** Its first packet began on the page before it. */
  readonly continued: boolean;
  /** End of the last packet that ends on the page, in the codec's units; undefined if none does. */
  readonly granule: number | undefined;
}

export interface OggPacket {
  readonly data: Uint8Array;
  /** Where its last byte lies in the file. */
  readonly byteAt: number;
}

/** The packets that end on one page. */
export interface PagePackets {
  readonly packets: readonly OggPacket[];
  readonly granule: number | undefined;
}

export interface OggLink {
  /** The first packet of the audio stream, which identifies the codec. */
  readonly head: Uint8Array;
  readonly codec: string;
  /** The last position that the stream gives, in the codec's units; undefined if none. */
  readonly lastGranule: number | undefined;
  /** Whole pages of the stream, headers included. */
  pages(): Generator<Uint8Array, void>;
  packetPages(): Generator<PagePackets, void>;
  packets(): Generator<OggPacket, void>;
}

const CODECS: readonly (readonly [magic: string, name: string])[] = [
  ['OpusHead', 'Opus'],
  ['\x01vorbis', 'Vorbis'],
  ['\x7fFLAC', 'FLAC'],
  ['Speex   ', 'Speex'],
  ['PCM     ', 'PCM'],
  ['\x80theora', 'Theora'],
  ['BBCD', 'Dirac'],
  ['OVP80', 'VP8'],
  ['CMML', 'CMML'],
  ['\x80kate', 'Kate'],
  ['fishead\0', 'Skeleton'],
];
export const OGG_AUDIO: readonly string[] = ['Opus', 'Vorbis', 'FLAC', 'Speex', 'PCM'];
/** By the first packet of a stream. */
export const codecOf = (head: Uint8Array): string => {
  const text = textAt(head, 0, 8);
  return CODECS.find(([magic]) => text.startsWith(magic))?.[1] ?? 'an unknown codec';
};

/**
 * The links of a file, in order; without audio, `codec` names the content of a link.
 * @throws ServerError CORRUPT_AUDIO if a page is damaged or missing
 */
export function oggLinks(bytes: Uint8Array): OggLink[] {
  const links: Page[][] = [];
  let beginning = false;
  for (const page of readPages(bytes)) {
    if (page.begins && !beginning) links.push([]);
    beginning = page.begins;
    links.at(-1)?.push(page);
  }
  if (links.length === 0) throw damaged('Ogg', 'no stream begins in it');
  return links.map((pages) => linkOf(bytes, pages));
}

function linkOf(bytes: Uint8Array, pages: readonly Page[]): OggLink {
  const firsts = pages.filter(({ begins }) => begins);
  const heads = firsts.map((page) => ({
    page,
    head: new PacketJoiner().read(bytes, page)[0]?.data ?? new Uint8Array(0),
  }));
  const audio = heads.find(({ head }) => OGG_AUDIO.includes(codecOf(head)));
  const { page, head } = audio ?? heads[0]!; // a link begins with such a page
  const own = pages.filter(({ serial }) => serial === page.serial);
  for (const [i, page] of own.entries()) checkSequence(own[i - 1], page);
  function* packetPages(): Generator<PagePackets, void> {
    const joiner = new PacketJoiner();
    for (const page of own) yield { packets: joiner.read(bytes, page), granule: page.granule };
  }
  return {
    head,
    codec: audio === undefined ? heads.map((it) => codecOf(it.head)).join(', ') : codecOf(head),
    lastGranule: own.findLast(({ granule }) => granule !== undefined)?.granule,
    *pages() {
      for (const { at, end } of own) yield bytes.subarray(at, end);
    },
    packetPages,
    *packets() {
      for (const { packets } of packetPages()) yield* packets;
    },
  };
}

/** A gap in the page numbers means missing audio. */
export function checkSequence(before: Page | undefined, page: Page): void {
  if (before === undefined || page.sequence <= before.sequence + 1) return;
  const missing = page.sequence - before.sequence - 1;
  throw damaged('Ogg', `${missing} pages are missing before byte ${page.at}`);
}

function* readPages(bytes: Uint8Array): Generator<Page, void> {
  let at = id3Bytes(bytes, 0);
  while (at < bytes.length) {
    if (textAt(bytes, at, 4) !== 'OggS') {
      if (isPadding(bytes, at)) return;
      throw damaged('Ogg', `no page begins at byte ${at}`);
    }
    const end = pageEnd(bytes, at);
    if (end > bytes.length) throw damaged('Ogg', `the page at byte ${at} is cut short`);
    yield readPage(bytes, at, end);
    at = end;
  }
}

/** @throws ServerError CORRUPT_AUDIO if its checksum does not match */
export function readPage(bytes: Uint8Array, at: number, end: number, base = 0): Page {
  const view = viewOf(bytes);
  if (pageCrc(bytes, at, end) !== view.getUint32(at + CRC_AT, true)) {
    throw damaged('Ogg', `the page at byte ${base + at} is damaged`);
  }
  const flags = view.getUint8(at + 5);
  const granule = view.getBigUint64(at + 6, true);
  return {
    at,
    end,
    begins: (flags & FLAG.begins) !== 0,
    continued: (flags & FLAG.continued) !== 0,
    granule: granule === NO_GRANULE ? undefined : Number(granule),
    serial: view.getUint32(at + 14, true),
    sequence: view.getUint32(at + 18, true),
  };
}

function isPadding(bytes: Uint8Array, at: number): boolean {
  if (textAt(bytes, at, 3) === 'TAG' && bytes.length - at === ID3V1_BYTES) return true;
  return bytes.subarray(at).every((octet) => octet === 0);
}

/** End of the page; Infinity if its header is incomplete. */
export function pageEnd(bytes: Uint8Array, at: number): number {
  if (at + PAGE_HEADER_BYTES > bytes.length) return Number.POSITIVE_INFINITY;
  const segments = bytes[at + 26]!;
  let end = at + PAGE_HEADER_BYTES + segments;
  for (let i = 0; i < segments; i += 1) end += bytes[at + PAGE_HEADER_BYTES + i] ?? 0;
  return end;
}

/** Computed with the page's own CRC field as 0. */
function pageCrc(bytes: Uint8Array, at: number, end: number): number {
  let crc = 0;
  for (let i = at; i < end; i += 1) {
    const inField = i - at >= CRC_AT && i - at < CRC_AT + 4;
    const octet = inField ? 0 : bytes[i]!;
    crc = ((crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ octet) & 0xff]!) >>> 0;
  }
  return crc;
}

/**
 * Reassembles the packets of one stream. A packet ends with a segment of fewer than 255 bytes and may continue on the
 * next page.
 */
export class PacketJoiner {
  private begun: Uint8Array[] = [];

  /** Bytes of a packet that is not whole yet. */
  get begunBytes(): number {
    return this.begun.reduce((sum, { length }) => sum + length, 0);
  }

  /** The packets that end on the next page. */
  read(bytes: Uint8Array, page: Page): OggPacket[] {
    const packets: OggPacket[] = [];
    if (!page.continued) this.begun = [];
    // A packet without its beginning (the stream was recorded from its middle) is left out.
    let orphan = page.continued && this.begun.length === 0;
    const segments = bytes[page.at + 26]!;
    let from = page.at + PAGE_HEADER_BYTES + segments;
    let to = from;
    for (let i = 0; i < segments; i += 1) {
      const length = bytes[page.at + PAGE_HEADER_BYTES + i]!;
      to += length;
      if (length === 255 && i + 1 < segments) continue;
      this.begun.push(bytes.subarray(from, to));
      from = to;
      if (length === 255) break;
      const data = this.begun.length === 1 ? this.begun[0]! : Buffer.concat(this.begun);
      this.begun = [];
      if (!orphan) packets.push({ data, byteAt: to });
      orphan = false;
    }
    return packets;
  }
}

/** Wraps packets as an Ogg stream: for decoders that only read files. One packet per page, at most 65,025 bytes each. */
export function* wrapOgg(packets: Iterable<Uint8Array>, serial = 1): Generator<Uint8Array, void> {
  let sequence = 0;
  for (const packet of packets) {
    const segments = Math.floor(packet.length / 255) + 1;
    if (segments > 255) throw damaged('Ogg', `a packet of ${packet.length} bytes does not fit a page`);
    const page = new Uint8Array(PAGE_HEADER_BYTES + segments + packet.length);
    const view = viewOf(page);
    page.set(Buffer.from('OggS'));
    page[5] = sequence === 0 ? FLAG.begins : 0;
    view.setUint32(14, serial, true);
    view.setUint32(18, sequence, true);
    page[26] = segments;
    page.fill(255, PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + segments);
    page[PAGE_HEADER_BYTES + segments - 1] = packet.length % 255;
    page.set(packet, PAGE_HEADER_BYTES + segments);
    view.setUint32(CRC_AT, pageCrc(page, 0, page.length), true);
    sequence += 1;
    yield page;
  }
}
