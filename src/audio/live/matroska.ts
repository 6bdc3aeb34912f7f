/**
 * WebM and Matroska as they arrive, as MediaRecorder writes them: segment and clusters of unknown size, no index, no
 * end.
 *
 * Every block is passed on as soon as it is complete. (mediabunny, used for files, reads a cluster to its end before it
 * gives its first block; a browser's cluster lasts seconds.) Segments, clusters and groups are entered regardless of
 * their sizes, since ids show the level of an element. Other known elements are skipped by size. An unknown id counts
 * as damage.
 */
import { LIMITS } from '../../limits.js';
import { type Blocks, damaged } from '../files/block.js';
import { OPUS_RATE_HZ, opusBlocks, opusHead } from '../files/opus.js';
import { endAt, type Packet, type PacketStream, trimmed } from '../files/packets.js';
import { sampleBlocks } from '../files/samples.js';
import { blockFrames } from './matroska-block.js';
import { audioTrack, type LiveTrack, type Part, partHead, timestampScale } from './matroska-parts.js';
import type { Restarts } from './restarts.js';
import type { ByteSource } from './source.js';

const NAME = 'WebM';
const ID = {
  ebml: 0x1a45_dfa3,
  segment: 0x1853_8067,
  info: 0x1549_a966,
  tracks: 0x1654_ae6b,
  cluster: 0x1f43_b675,
  timestamp: 0xe7,
  group: 0xa0,
  block: 0xa1,
  simpleBlock: 0xa3,
} as const;
const ENTERED: readonly number[] = [ID.segment, ID.cluster, ID.group];
/** SeekHead, Chapters, Cues, Attachments, Tags; Void, CRC-32; of clusters and groups: positions, durations, references … */
const PASSED = new Set([
  0x114d_9b74, 0x1043_a770, 0x1c53_bb6b, 0x1941_a469, 0x1254_c367, 0xec, 0xbf, 0x5854, 0xa7, 0xab, 0xaf, 0x9b,
  0xfb, 0xfa, 0x75a2, 0xa4, 0x75a1, 0xa2, 0xfd, 0x8e,
]);
/** Track number, timestamp, flags: the start of a block. */
const BLOCK_HEAD_BYTES = 12;

/** @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO */
export async function* liveMatroskaBlocks(source: ByteSource, restarts: Restarts): Blocks {
  let last = false;
  while (!last) {
    restarts.count(NAME);
    const document = new Document(source);
    yield* document.blocks();
    last = document.last;
  }
}

/** One header and what follows it; another header begins another document. */
class Document {
  /** The stream ended in it. */
  last = false;
  private readonly source: ByteSource;
  private scale = 1_000_000;
  private clusterTicks = 0;
  private track: LiveTrack | null = null;

  constructor(source: ByteSource) {
    this.source = source;
  }

  async *blocks(): Blocks {
    const packets = this.packets();
    const first = await packets.next();
    const track = this.track;
    if (first.done || track === null) return; // it ends before its first sound
    const stream: PacketStream = {
      container: NAME,
      description: track.description,
      channels: track.channels,
      rateHz: track.rateHz,
      packets: (async function* () {
        yield first.value;
        yield* packets;
      })(),
    };
    if (track.codec === 'opus') {
      const head = opusHead(track.description, track.channels, NAME);
      yield* trimmed(opusBlocks(stream, head), head.preSkip, endAt(undefined), 0);
      return;
    }
    const layout = { ...track.codec, channels: track.channels, rateHz: track.rateHz };
    for await (const { data } of stream.packets) {
      yield* sampleBlocks(data, { start: 0, end: data.length }, layout);
    }
  }

  /** The packets of the first audio track. An element that is incomplete when the sender stops was never sent. */
  private async *packets(): AsyncGenerator<Packet, void> {
    for (let begun = false; !this.last; begun = true) {
      const part = await partHead(this.source);
      if (part?.id === ID.ebml && begun) return;
      if (part === null) this.last = true;
      else yield* this.read(part);
    }
  }

  private async *read(part: Part): AsyncGenerator<Packet, void> {
    this.source.take(part.headBytes);
    if (ENTERED.includes(part.id)) return;
    const size = sizeOf(part);
    if (part.id === ID.simpleBlock || part.id === ID.block) yield* this.block(part, size);
    else if (part.id === ID.info || part.id === ID.tracks || part.id === ID.timestamp) {
      const content = await this.whole(part, size);
      if (content !== null) this.learn(part.id, content);
    } else if (part.id === ID.ebml || PASSED.has(part.id)) await this.pass(part, size);
    else throw damaged(NAME, `no element begins at byte ${part.at}`);
  }

  private learn(id: number, content: Uint8Array): void {
    if (id === ID.info) this.scale = timestampScale(content);
    else if (id === ID.tracks) this.track ??= audioTrack(content);
    else this.clusterTicks = content.reduce((value, octet) => value * 256 + octet, 0);
  }

  private async *block(part: Part, size: number): AsyncGenerator<Packet, void> {
    const track = this.track;
    if (track === null) throw damaged(NAME, 'its audio comes before it is said what it is');
    const headBytes = Math.min(withinBounds(part, size, LIMITS.maxLiveSkipBytes), BLOCK_HEAD_BYTES);
    if (!(await this.source.has(headBytes))) this.last = true;
    else if (!track.owns(this.source.peek(headBytes))) await this.pass(part, size);
    else {
      const content = await this.whole(part, size);
      if (content === null) return;
      const { ticks, frames } = blockFrames(content, part.at);
      const seconds = ((this.clusterTicks + ticks) * this.scale) / 1e9;
      const rateHz = track.codec === 'opus' ? OPUS_RATE_HZ : track.rateHz;
      let at: number | undefined = Math.round(seconds * rateHz);
      for (const data of frames) {
        yield { data, fraction: 0, at };
        at = undefined;
      }
    }
  }

  private async pass(part: Part, size: number): Promise<void> {
    if (!(await this.source.skip(withinBounds(part, size, LIMITS.maxLiveSkipBytes)))) this.last = true;
  }

  /** Null if the stream ends in it. */
  private async whole(part: Part, size: number): Promise<Uint8Array | null> {
    const isThere = await this.source.has(withinBounds(part, size, LIMITS.maxLivePartBytes));
    if (isThere) return this.source.take(size);
    this.last = true;
    return null;
  }
}

function sizeOf({ id, size, at }: Part): number {
  if (size === undefined) throw damaged(NAME, `the part ${id.toString(16)} at byte ${at} has no size`);
  return size;
}

function withinBounds({ at }: Part, bytes: number, bound: number): number {
  if (bytes <= bound) return bytes;
  throw damaged(NAME, `the part at byte ${at} says that it has ${bytes} bytes`);
}
