/**
 * Ogg as it arrives: page by page, one link after the other, without need of an end flag. Only Opus is decoded live.
 */
import { LIMITS } from '../../limits.js';
import { type Blocks, damaged, unsupported } from '../files/block.js';
import { textAt } from '../files/bytes.js';
import { believable, oggOpusPackets, opusStream } from '../files/ogg.js';
import {
  checkSequence,
  codecOf,
  OGG_AUDIO,
  PAGE_HEADER_BYTES,
  PacketJoiner,
  type Page,
  type PagePackets,
  pageEnd,
  readPage,
} from '../files/ogg-pages.js';
import { MAX_OPUS_TRIM, opusBlocks, opusHead } from '../files/opus.js';
import { trimmed } from '../files/packets.js';
import type { Restarts } from './restarts.js';
import type { ByteSource } from './source.js';

const NAME = 'Ogg';

interface LivePage {
  readonly bytes: Uint8Array;
  readonly page: Page;
}

/** @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO */
export async function* liveOggBlocks(source: ByteSource, restarts: Restarts): Blocks {
  const pages = new Pages(source);
  for (let first = await pages.peek(); first !== null; first = await pages.peek()) {
    if (!first.page.begins) throw damaged(NAME, 'no stream begins in it');
    restarts.count(NAME);
    yield* new Link(pages).blocks();
  }
}

/** The pages in order, with a look-ahead of one. */
class Pages {
  private readonly source: ByteSource;
  private next: LivePage | null = null;

  constructor(source: ByteSource) {
    this.source = source;
  }

  async peek(): Promise<LivePage | null> {
    this.next ??= await this.read();
    return this.next;
  }

  drop(): void {
    this.next = null;
  }

  /** A page that is incomplete when the sender stops was never sent. */
  private async read(): Promise<LivePage | null> {
    const source = this.source;
    if (!(await source.has(4))) return null;
    if (textAt(source.peek(4), 0, 4) !== 'OggS') {
      throw damaged(NAME, `no page begins at byte ${source.position}`);
    }
    if (!(await source.has(PAGE_HEADER_BYTES))) return null;
    const headBytes = PAGE_HEADER_BYTES + source.peek(PAGE_HEADER_BYTES)[26]!;
    if (!(await source.has(headBytes))) return null;
    const pageBytes = pageEnd(source.peek(headBytes), 0);
    if (!(await source.has(pageBytes))) return null;
    const base = source.position;
    const bytes = source.take(pageBytes);
    return { bytes, page: readPage(bytes, 0, pageBytes, base) };
  }
}

/** Streams that begin together, up to where others begin. */
class Link {
  private readonly pages: Pages;
  private preSkip = 0;
  /** The end given by the last page; read by `trimmed`. */
  private readonly end = { totalFrames: undefined as number | undefined, page: 0 };

  constructor(pages: Pages) {
    this.pages = pages;
  }

  async *blocks(): Blocks {
    const begun: (LivePage & { head: Uint8Array })[] = [];
    for (let next = await this.pages.peek(); next?.page.begins; next = await this.pages.peek()) {
      const head = new PacketJoiner().read(next.bytes, next.page)[0]?.data ?? new Uint8Array(0);
      begun.push({ ...next, head });
      this.pages.drop();
    }
    const codecs = begun.map(({ head }) => codecOf(head));
    const opus = begun[codecs.indexOf('Opus')];
    if (opus === undefined) {
      const codec = codecs.find((it) => OGG_AUDIO.includes(it)) ?? codecs.join(', ');
      throw unsupported(NAME, codec, 'Of Ogg, Opus alone is taken live.');
    }
    const head = opusHead(opus.head, 1, NAME);
    this.preSkip = head.preSkip;
    const packets = oggOpusPackets(this.packets(opus));
    yield* trimmed(opusBlocks(opusStream(opus.head, packets), head), head.preSkip, this.end, MAX_OPUS_TRIM);
  }

  private async *packets(first: LivePage): AsyncGenerator<PagePackets, void> {
    const joiner = new PacketJoiner();
    yield { packets: joiner.read(first.bytes, first.page), granule: undefined };
    let before = first.page;
    for (let next = await this.pages.peek(); next && !next.page.begins; next = await this.pages.peek()) {
      this.pages.drop();
      const { bytes, page } = next;
      if (page.serial !== before.serial) continue;
      checkSequence(before, page);
      before = page;
      const packets = joiner.read(bytes, page);
      if (joiner.begunBytes > LIMITS.maxLivePartBytes) {
        throw damaged(NAME, 'a packet is larger than any of Opus');
      }
      this.end.page += 1;
      if (page.granule !== undefined) this.end.totalFrames = believable(page.granule - this.preSkip);
      yield { packets, granule: page.granule };
    }
  }
}
