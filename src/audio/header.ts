/**
 * Detects the format of a recording by its first bytes. Samples may be any bytes, so only marks that samples do not
 * contain by chance count: at least 32 bits, or for MPEG consecutive frames.
 */
import type { AudioFormat, Encoding } from '../audio/format.js';

export type Header =
  /** Samples, in the announced format. */
  | { readonly kind: 'samples' }
  /** More bytes are needed to tell. */
  | { readonly kind: 'unclear' }
  /** A WAV header of supported samples, which begin after `bytes`. */
  | { readonly kind: 'wav'; readonly format: AudioFormat; readonly bytes: number }
  /** A container whose audio is decoded as it arrives. */
  | { readonly kind: 'container' }
  /** A format that is not supported live, by name. */
  | { readonly kind: 'foreign'; readonly name: string };

const SAMPLES: Header = { kind: 'samples' };
const UNCLEAR: Header = { kind: 'unclear' };
const foreign = (name: string): Header => ({ kind: 'foreign', name });

/** Bytes with which a format begins; `at` is not 0 for a mark further in. */
interface Mark {
  readonly name: string;
  readonly bytes: string;
  readonly at?: number;
}

const CONTAINERS: readonly Mark[] = [
  { name: 'WebM', bytes: '\x1a\x45\xdf\xa3' },
  { name: 'Ogg', bytes: 'OggS\x00' },
];
const MARKS: readonly Mark[] = [
  { name: 'FLAC', bytes: 'fLaC' },
  { name: 'MP4', bytes: 'ftyp', at: 4 },
  { name: 'AIFF', bytes: 'FORM' },
  { name: 'Core Audio', bytes: 'caff\x00' },
  { name: 'AMR', bytes: '#!AMR' },
];

const text = (bytes: Uint8Array, from: number, to: number): string =>
  String.fromCharCode(...bytes.subarray(from, to));

/** True, false, or null: it matches so far but is shorter than the mark. */
function begins(bytes: Uint8Array, { bytes: mark, at = 0 }: Mark): boolean | null {
  const present = text(bytes, at, at + mark.length);
  if (present === mark) return true;
  // A box has its length before its name. The first box is smaller than 64 KiB, so it begins with two zeros.
  if (at > 0 && (bytes[0] !== 0 || (bytes[1] ?? 0) !== 0)) return false;
  return mark.startsWith(present) && bytes.length < at + mark.length ? null : false;
}

/**
 * Reads the start of a recording.
 * @param bytes all of it so far, at least one byte
 */
export function readHeader(bytes: Uint8Array): Header {
  let unclear = false;
  for (const mark of [...CONTAINERS, ...MARKS]) {
    const found = begins(bytes, mark);
    if (found === true && CONTAINERS.includes(mark)) return { kind: 'container' };
    if (found === true) return foreign(mark.name === 'MP4' ? mp4Name(bytes) : mark.name);
    unclear ||= found === null;
  }
  const others = [riff(bytes), id3(bytes), mpeg(bytes)];
  const told = others.find(({ kind }) => kind === 'wav' || kind === 'foreign');
  if (told !== undefined) return told;
  return unclear || others.includes(UNCLEAR) ? UNCLEAR : SAMPLES;
}

const MP4_CODECS = { mp4a: 'AAC', Opus: 'Opus', alac: 'ALAC', fLaC: 'FLAC' };

/** Includes the codec if the index is among the bytes, as in a browser's first piece. */
function mp4Name(bytes: Uint8Array): string {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = all.indexOf('stsd');
  const named = Object.entries(MP4_CODECS).find(([name]) => entries >= 0 && all.indexOf(name, entries) >= 0);
  return named === undefined ? 'MP4' : `MP4 with ${named[1]}`;
}

/** ID3v2: version 2 to 4, then a length in four bytes of seven bits. */
function id3(bytes: Uint8Array): Header {
  const mark = text(bytes, 0, 3);
  if (!'ID3'.startsWith(mark)) return SAMPLES;
  if (bytes.length < 10) return UNCLEAR;
  const version = bytes[3]!;
  const isLength = bytes.subarray(6, 10).every((byte) => byte < 0x80);
  return version >= 2 && version <= 4 && isLength ? foreign('MP3') : SAMPLES;
}

const MPEG_KBPS = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG2_KBPS = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const MPEG_HZ = [44_100, 48_000, 32_000];

/** The MPEG layer III or ADTS frame that begins here, with its length in bytes. `short`: more bytes are needed to tell. */
function mpegFrame(bytes: Uint8Array, at: number): { name: string; length: number } | 'none' | 'short' {
  const [first, second, third] = [bytes[at], bytes[at + 1], bytes[at + 2]];
  if (first === undefined) return 'short';
  if (first !== 0xff) return 'none';
  if (second === undefined) return 'short';
  if ((second & 0xf6) === 0xf0) {
    if (bytes.length < at + 6) return 'short';
    const length = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
    return length > 7 ? { name: 'AAC', length } : 'none';
  }
  const version = (second >> 3) & 3;
  if ((second & 0xe6) !== 0xe2 || version === 1) return 'none';
  if (third === undefined) return 'short';
  const isFirst = version === 3;
  const kbps = (isFirst ? MPEG_KBPS : MPEG2_KBPS)[third >> 4];
  const hz = MPEG_HZ[(third >> 2) & 3];
  if (kbps === undefined || kbps === 0 || hz === undefined) return 'none';
  const rate = hz / (isFirst ? 1 : version === 2 ? 2 : 4);
  return {
    name: 'MP3',
    length: Math.floor(((isFirst ? 144 : 72) * kbps * 1000) / rate) + ((third >> 1) & 1),
  };
}

/** A sync word has only eleven bits, which samples contain now and then, so three consecutive frames are required. */
function mpeg(bytes: Uint8Array): Header {
  let at = 0;
  for (let frames = 0; frames < 3; frames++) {
    const frame = mpegFrame(bytes, at);
    if (frame === 'none') return SAMPLES;
    if (frame === 'short') return UNCLEAR;
    at += frame.length;
    if (frames === 2) return foreign(frame.name);
  }
  return SAMPLES;
}

const WAV_ENCODINGS: Record<string, Encoding> = {
  '1/16': 'pcm16',
  '3/32': 'float32',
  '6/8': 'alaw',
  '7/8': 'mulaw',
};
const EXTENSIBLE = 0xfffe;

/** RIFF: chunks up to the samples. The length of the data is ignored, since a stream does not know it. */
function riff(bytes: Uint8Array): Header {
  if (!'RIFF'.startsWith(text(bytes, 0, 4))) return SAMPLES;
  if (bytes.length < 12) return UNCLEAR;
  if (text(bytes, 8, 12) !== 'WAVE') return foreign(`RIFF ${text(bytes, 8, 12).trim()}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: AudioFormat | null = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = text(bytes, at, at + 4);
    const length = view.getUint32(at + 4, true);
    if (name === 'data') {
      return format === null ? foreign('WAV without a format') : { kind: 'wav', format, bytes: at + 8 };
    }
    if (name === 'fmt ') {
      if (bytes.length < at + 8 + Math.max(16, Math.min(length, 40))) return UNCLEAR;
      const tag = view.getUint16(at + 8, true);
      const code = tag === EXTENSIBLE && length >= 26 ? view.getUint16(at + 32, true) : tag;
      const bits = view.getUint16(at + 22, true);
      const encoding = WAV_ENCODINGS[`${code}/${bits}`];
      const channels = view.getUint16(at + 10, true);
      if (encoding === undefined) return foreign(`WAV of format ${code} with ${bits} bits a sample`);
      if (channels !== 1 && channels !== 2) return foreign(`WAV with ${channels} channels`);
      format = { encoding, channels, sample_rate: view.getUint32(at + 12, true) };
    }
    at += 8 + length + (length % 2);
  }
  return UNCLEAR;
}
