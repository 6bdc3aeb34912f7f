/**
 * WAV in all its forms: RIFF, RIFX (big-endian), RF64 and BW64 (beyond 4 GiB), Sony's W64; with samples of every width,
 * G.711, ADPCM, GSM, MP3. Not parsed by a library, since those on npm return garbage for truncated files.
 */
import { type AdpcmLayout, imaWavBlocks, MS_COEFFICIENTS, msAdpcmBlocks } from './adpcm.js';
import { type Blocks, checkChannels, damaged, slowly, unsupported } from './block.js';
import { audioSpan, need, type Span, textAt, viewOf } from './bytes.js';
import { ffmpegBlocks } from './ffmpeg.js';
import { gsmBlocks } from './gsm.js';
import { mpegBlocks } from './mpeg.js';
import { isReadable, type SampleLayout, sampleBlocks } from './samples.js';

const TAG = {
  pcm: 1,
  ms: 2,
  float: 3,
  alaw: 6,
  mulaw: 7,
  ima: 0x11,
  gsm: 0x31,
  mp2: 0x50,
  mp3: 0x55,
} as const;
const EXTENSIBLE = 0xfffe;
/** KSDATAFORMAT_SUBTYPE_…: the format tag, then these 14 bytes. */
const SUBTYPE_TAIL = '000000001000800000aa00389b71';
/** Other codecs found in WAV files, by their registered format tag. */
const CODEC_NAMES: Record<number, string> = {
  2: 'MS ADPCM',
  17: 'IMA ADPCM',
  20: 'G.723 ADPCM',
  32: 'Yamaha ADPCM',
  34: 'TrueSpeech',
  49: 'GSM 6.10',
  64: 'G.721 ADPCM',
  66: 'G.723.1',
  69: 'G.726 ADPCM',
  80: 'MPEG audio',
  85: 'MP3',
  100: 'G.726 ADPCM',
  101: 'G.722',
  131: 'G.729',
  255: 'AAC',
  352: 'WMA 1',
  353: 'WMA 2',
  354: 'WMA 9',
  355: 'WMA lossless',
  655: 'G.722',
  5632: 'AAC (ADTS)',
  5634: 'AAC (LATM)',
  5648: 'AAC',
  8192: 'AC-3',
  8193: 'DTS',
  26447: 'Vorbis',
  28751: 'Opus',
  41225: 'Speex',
  61868: 'FLAC',
};

/** One kind of RIFF: how its chunks are named and counted. */
interface Dialect {
  readonly name: string;
  readonly littleEndian: boolean;
  readonly w64?: true;
}

/** The kind of WAV that begins here, or undefined. */
export function riffDialect(bytes: Uint8Array): Dialect | undefined {
  const form = textAt(bytes, 0, 4);
  if (form === 'riff' && textAt(bytes, 24, 4) === 'wave') {
    return { name: 'W64', littleEndian: true, w64: true };
  }
  if (textAt(bytes, 8, 4) !== 'WAVE') return undefined;
  if (form === 'RIFF') return { name: 'WAV', littleEndian: true };
  if (form === 'RIFX') return { name: 'WAV (RIFX)', littleEndian: false };
  if (form === 'RF64' || form === 'BW64') return { name: `WAV (${form})`, littleEndian: true };
  return undefined;
}

interface Chunks {
  fmt?: Span;
  data?: { start: number; declared: number };
  /** Samples per channel, of compressed files. */
  totalFrames?: number;
}

/** @throws ServerError UNSUPPORTED_MEDIA, CORRUPT_AUDIO */
export async function* riffBlocks(bytes: Uint8Array, dialect: Dialect): Blocks {
  const chunks = findChunks(bytes, dialect);
  if (chunks.fmt === undefined) throw damaged(dialect.name, 'there is no format in it');
  if (chunks.data === undefined) throw damaged(dialect.name, 'there are no audio data in it');
  const format = readFormat(bytes, chunks.fmt, dialect);
  const span = audioSpan(dialect.name, bytes, chunks.data.start, chunks.data.declared);
  yield* decode(bytes, span, format, chunks, dialect);
}

function findChunks(bytes: Uint8Array, dialect: Dialect): Chunks {
  const found: Chunks = {};
  const view = viewOf(bytes);
  let longData = 0;
  const headBytes = dialect.w64 ? 24 : 8;
  let at = dialect.w64 ? 40 : 12;
  while (at + headBytes <= bytes.length) {
    const name = textAt(bytes, at, 4);
    const start = at + headBytes;
    let length = dialect.w64
      ? Number(view.getBigUint64(at + 16, true)) - headBytes
      : view.getUint32(at + 4, dialect.littleEndian);
    if (name === 'ds64' && start + 24 <= bytes.length) longData = Number(view.getBigUint64(start + 8, true));
    if (name === 'fmt ') found.fmt ??= { start, end: Math.min(start + length, bytes.length) };
    if (name === 'fact' && start + 4 <= bytes.length) {
      found.totalFrames = view.getUint32(start, dialect.littleEndian);
    }
    if (name === 'data') {
      if (length === 0xffff_ffff && longData > 0) length = longData;
      if (length === 0 && isChunk(bytes, start)) length = Number.NaN; // really empty: other chunks follow
      if (found.data === undefined && !Number.isNaN(length)) found.data = { start, declared: length };
      if (found.fmt !== undefined) return found;
    }
    if (!(length > 0)) length = 0;
    at = start + length + (dialect.w64 ? (8 - (length % 8)) % 8 : length % 2);
  }
  return found;
}

const KNOWN_CHUNKS = ['LIST', 'fact', 'fmt ', 'id3 ', 'ID3 ', 'bext', 'cue ', 'smpl', 'JUNK', 'PEAK'];
const isChunk = (bytes: Uint8Array, at: number): boolean => KNOWN_CHUNKS.includes(textAt(bytes, at, 4));

interface Format {
  readonly tag: number;
  readonly channels: number;
  readonly rateHz: number;
  readonly blockBytes: number;
  readonly bits: number;
  /** Bytes after the basic format: coefficients, samples per block. */
  readonly extra: Uint8Array;
}

function readFormat(bytes: Uint8Array, { start, end }: Span, { name, littleEndian }: Dialect): Format {
  if (end - start < 14) throw damaged(name, `the format at byte ${start} is cut short`);
  const view = viewOf(bytes);
  const u16 = (offset: number): number =>
    start + offset + 2 <= end ? view.getUint16(start + offset, littleEndian) : 0;
  let tag = u16(0);
  const bits = u16(14);
  if (tag === EXTENSIBLE) {
    if (end - start < 40) throw damaged(name, `the format at byte ${start} is cut short`);
    const subtype = Buffer.from(bytes.subarray(start + 24, start + 40));
    tag = view.getUint16(start + 24, littleEndian);
    if (littleEndian && subtype.toString('hex', 2) !== SUBTYPE_TAIL) {
      throw unsupported(name, `the subtype ${subtype.toString('hex')}`);
    }
  }
  need(name, bytes, start, 14);
  const rateHz = view.getUint32(start + 4, littleEndian);
  return { tag, bits, channels: u16(2), rateHz, blockBytes: u16(12), extra: bytes.subarray(start + 16, end) };
}

function decode(bytes: Uint8Array, span: Span, format: Format, chunks: Chunks, dialect: Dialect): Blocks {
  const { tag, channels, rateHz, blockBytes, extra } = format;
  const codec = CODEC_NAMES[tag] ?? `format 0x${tag.toString(16)}`;
  checkChannels(dialect.name, codec, channels);
  const adpcm: AdpcmLayout = { channels, rateHz, blockBytes, totalFrames: chunks.totalFrames || undefined };
  switch (tag) {
    case TAG.pcm:
    case TAG.float:
    case TAG.alaw:
    case TAG.mulaw:
      return sampled(bytes, span, format, dialect);
    case TAG.ima:
      checkBlock(dialect, codec, format, 4);
      return slowly(imaWavBlocks(bytes, span, adpcm));
    case TAG.ms:
      checkBlock(dialect, codec, format, 7);
      return slowly(msAdpcmBlocks(bytes, span, adpcm, coefficientsOf(extra)));
    case TAG.gsm:
      if (blockBytes !== 65 || channels !== 1) {
        throw unsupported(dialect.name, `${codec} in blocks of ${blockBytes} bytes`);
      }
      return slowly(gsmBlocks(bytes, span, { bytes: 65 }, rateHz, chunks.totalFrames || undefined));
    case TAG.mp2:
    case TAG.mp3:
      return mpegBlocks(bytes.subarray(span.start, span.end), `${dialect.name} with MPEG audio`, span.start);
    default:
      return ffmpegBlocks({
        demuxer: dialect.w64 ? 'w64' : 'wav',
        container: dialect.name,
        codec,
        input: [bytes],
      });
  }
}

function checkBlock(dialect: Dialect, codec: string, format: Format, headBytes: number): void {
  if (format.bits !== 4) throw unsupported(dialect.name, `${codec} of ${format.bits} bits`);
  if (format.blockBytes > headBytes * format.channels) return;
  throw damaged(dialect.name, `a block of ${codec} has ${format.blockBytes} bytes`);
}

/** MS ADPCM's predictors from the file: cbSize, samples per block, their number, the pairs. */
function coefficientsOf(extra: Uint8Array): readonly (readonly [number, number])[] {
  const view = viewOf(extra);
  const count = extra.length >= 6 ? view.getUint16(4, true) : 0;
  if (count === 0 || extra.length < 6 + count * 4) return MS_COEFFICIENTS;
  return Array.from({ length: count }, (_, i) => [
    view.getInt16(6 + i * 4, true),
    view.getInt16(8 + i * 4, true),
  ]);
}

function sampled(bytes: Uint8Array, span: Span, format: Format, dialect: Dialect): Blocks {
  const { tag, channels, rateHz, blockBytes, bits } = format;
  // A sample's width follows from the block size (24 bits may be stored in 32); some writers leave out the block size.
  const byBlock = blockBytes / channels;
  const byBits = Math.ceil(bits / 8);
  const width = Number.isInteger(byBlock) && byBlock >= byBits ? byBlock : byBits;
  const kind =
    tag === TAG.float
      ? 'float'
      : tag === TAG.alaw
        ? 'alaw'
        : tag === TAG.mulaw
          ? 'mulaw'
          : width === 1
            ? 'uint'
            : 'int';
  const name = kind === 'int' || kind === 'uint' ? 'PCM' : kind;
  if (blockBytes !== 0 && blockBytes < byBits * channels) {
    throw damaged(dialect.name, 'the format contradicts itself');
  }
  if (!isReadable({ kind, width })) {
    throw unsupported(dialect.name, `${name} of ${bits} bits in ${width} bytes`);
  }
  const layout: SampleLayout = { kind, width, channels, rateHz, littleEndian: dialect.littleEndian };
  const low24 = kind === 'int' && width === 4 && bits === 24 && layout.littleEndian && isLow24(bytes, span);
  return slowly(sampleBlocks(bytes, span, { ...layout, low24 }));
}

/** Whether 24-bit samples are in the low bytes of 32 (the top byte then repeats the sign) or in the high bytes. */
function isLow24(bytes: Uint8Array, { start, end }: Span): boolean {
  for (let at = start; at + 4 <= end; at += 4) {
    const sign = bytes[at + 2]! & 0x80 ? 0xff : 0;
    if (bytes[at + 3] !== sign) return false;
  }
  return true;
}
