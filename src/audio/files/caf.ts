/** Apple's CAF: samples, IMA ADPCM, and packets with a separate table of lengths. */

import { aacPacketBlocks } from './aac.js';
import { imaQuickTimeBlocks } from './adpcm.js';
import { alacBlocks, alacConfig } from './alac.js';
import { type Blocks, checkChannels, damaged, slowly, unsupported } from './block.js';
import { audioSpan, need, printable, type Span, textAt, viewOf } from './bytes.js';
import { MAX_OPUS_TRIM, opusBlocks, opusHead } from './opus.js';
import { endAt, type Packet, type PacketStream, trimmed } from './packets.js';
import { isReadable, type SampleLayout, sampleBlocks } from './samples.js';

interface Chunks {
  readonly desc?: Span;
  readonly data?: Span;
  readonly kuki?: Span;
  readonly pakt?: Span;
}

interface Description {
  readonly rateHz: number;
  readonly codec: string;
  readonly flags: number;
  readonly packetBytes: number;
  readonly packetFrames: number;
  readonly channels: number;
}

/** @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO */
export function cafBlocks(bytes: Uint8Array): Blocks {
  const found = findChunks(bytes);
  if (found.desc === undefined) throw damaged('CAF', 'there is no description in it');
  if (found.data === undefined) throw damaged('CAF', 'there are no audio data in it');
  const about = readDescription(bytes, found.desc.start);
  const { channels, rateHz, codec, flags } = about;
  checkChannels('CAF', printable(codec), channels);
  switch (codec) {
    case 'lpcm':
    case 'ulaw':
    case 'alaw': {
      const kind = codec === 'ulaw' ? 'mulaw' : codec === 'alaw' ? 'alaw' : flags & 1 ? 'float' : 'int';
      const layout: SampleLayout = {
        kind,
        width: about.packetBytes / channels,
        channels,
        rateHz,
        littleEndian: (flags & 2) !== 0,
      };
      if (!isReadable(layout)) throw unsupported('CAF', `${codec} of ${layout.width} bytes`);
      return slowly(sampleBlocks(bytes, found.data, layout));
    }
    case 'ima4':
      return slowly(imaQuickTimeBlocks(bytes, found.data, { channels, rateHz, blockBytes: 34 * channels }));
    default:
      return packed(bytes, about, found, found.data);
  }
}

function packed(bytes: Uint8Array, about: Description, found: Chunks, data: Span): Blocks {
  const { codec, channels, rateHz } = about;
  const cookie = found.kuki === undefined ? undefined : bytes.subarray(found.kuki.start, found.kuki.end);
  const table = packetTable(bytes, about, found.pakt);
  const stream: PacketStream = {
    container: 'CAF',
    description: cookie,
    channels,
    rateHz,
    packets: packetsOf(bytes, data, table.lengths),
  };
  const skip = table.primingFrames;
  switch (codec) {
    case 'alac':
      return trimmed(
        alacBlocks(stream, alacConfig(alacCookie(cookie), 'CAF')),
        skip,
        endAt(table.validFrames),
        rateHz,
      );
    case 'opus': {
      const head = opusHead(cookie, channels, 'CAF');
      return trimmed(opusBlocks(stream, head), skip || head.preSkip, endAt(table.validFrames), MAX_OPUS_TRIM);
    }
    case 'aac ':
      return trimmed(
        aacPacketBlocks({ ...stream, description: decoderConfig(cookie) }),
        skip,
        endAt(undefined),
        0,
      );
    default:
      throw unsupported('CAF', printable(codec));
  }
}

function findChunks(bytes: Uint8Array): Chunks {
  const view = viewOf(bytes);
  const found: Record<string, Span> = {};
  for (let at = 8; at + 12 <= bytes.length; ) {
    const name = textAt(bytes, at, 4);
    const length = Number(view.getBigInt64(at + 4, false));
    const start = at + 12;
    // −1: to the end. The data begin after an edit count.
    if (name === 'data') found[name] = audioSpan('CAF', bytes, start + 4, length < 0 ? 0 : length - 4);
    else found[name] = { start, end: Math.min(start + Math.max(0, length), bytes.length) };
    if (length < 0) break;
    at = start + length;
  }
  return found;
}

function readDescription(bytes: Uint8Array, at: number): Description {
  need('CAF', bytes, at, 32);
  const view = viewOf(bytes);
  return {
    rateHz: Math.round(view.getFloat64(at, false)),
    codec: textAt(bytes, at + 8, 4),
    flags: view.getUint32(at + 12, false),
    packetBytes: view.getUint32(at + 16, false),
    packetFrames: view.getUint32(at + 20, false),
    channels: view.getUint32(at + 24, false),
  };
}

interface PacketTable {
  readonly lengths: Iterable<number>;
  readonly primingFrames: number;
  readonly validFrames: number | undefined;
}

/** The packet table: counts, then lengths in groups of 7 bits, the high bit set while more follow. */
function packetTable(bytes: Uint8Array, about: Description, span: Span | undefined): PacketTable {
  if (span === undefined || span.end - span.start < 24) {
    throw damaged('CAF', 'the table of packets is missing, the recording was not finished');
  }
  const view = viewOf(bytes);
  const count = Number(view.getBigInt64(span.start, false));
  const valid = Number(view.getBigInt64(span.start + 8, false));
  const priming = view.getInt32(span.start + 16, false);
  function* lengths(): Generator<number, void> {
    let at = span!.start + 24; // checked above
    const next = (): number => {
      let value = 0;
      for (let more = true; more; at += 1) {
        if (at >= span!.end) throw damaged('CAF', `the table of packets ends at byte ${at}, too early`);
        more = (bytes[at]! & 0x80) !== 0;
        value = value * 128 + (bytes[at]! & 0x7f);
      }
      return value;
    };
    for (let i = 0; i < count; i += 1) {
      const length = about.packetBytes === 0 ? next() : about.packetBytes;
      if (about.packetFrames === 0) next();
      yield length;
    }
  }
  return {
    lengths: lengths(),
    primingFrames: Math.max(0, priming),
    validFrames: valid > 0 ? valid : undefined,
  };
}

function* packetsOf(bytes: Uint8Array, data: Span, lengths: Iterable<number>): Generator<Packet, void> {
  let at = data.start;
  for (const length of lengths) {
    if (at + length > data.end) throw damaged('CAF', `the packet at byte ${at} is cut short`);
    yield { data: bytes.subarray(at, at + length), fraction: (at + length) / bytes.length };
    at += length;
  }
}

/** The codec's own header; older writers wrap it in `frma` and `alac`, as in MP4. */
const alacCookie = (cookie: Uint8Array = new Uint8Array(0)): Uint8Array =>
  textAt(cookie, 4, 4) === 'frma' ? cookie.subarray(24) : cookie;

/** The AudioSpecificConfig in an MPEG-4 descriptor: tag 5, a length in groups of 7 bits, the contents. */
function decoderConfig(cookie: Uint8Array = new Uint8Array(0)): Uint8Array | undefined {
  for (let at = 0; at + 2 < cookie.length; at += 1) {
    if (cookie[at] !== 5) continue;
    let start = at + 1;
    while (cookie[start] === 0x80) start += 1;
    const length = cookie[start] ?? 0;
    if (length >= 2 && length <= 64 && start + 1 + length <= cookie.length) {
      return cookie.subarray(start + 1, start + 1 + length);
    }
  }
  return undefined;
}
