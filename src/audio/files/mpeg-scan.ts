/**
 * Checks the frames of MPEG audio (MP3, MP2, MP1) before they are decoded. libmpg123 silently skips what it cannot
 * read, so damage and truncation must be found here.
 */
import { damaged } from './block.js';
import { textAt, viewOf } from './bytes.js';

export interface MpegHeader {
  /** 1, 2 or 3: layer I, II or III. */
  readonly layer: number;
  readonly version: 1 | 2 | 2.5;
  readonly rateHz: number;
  readonly channels: 1 | 2;
  readonly frameBytes: number;
  readonly frameSamples: number;
}

const RATES_HZ = [44_100, 48_000, 32_000] as const;
/** kbit/s by index, of MPEG 1 layer I, II, III and of MPEG 2 layer I, II and III. */
const KBITS = [
  [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;

/** The frame header at a position, or undefined. */
export function mpegHeader(bytes: Uint8Array, at: number): MpegHeader | undefined {
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes.subarray(at, at + 4);
  if (at + 4 > bytes.length || first !== 0xff || (second & 0xe0) !== 0xe0) return undefined;
  const version = ([2.5, undefined, 2, 1] as const)[(second >> 3) & 3];
  const layer = 4 - ((second >> 1) & 3);
  const rate = RATES_HZ[(third >> 2) & 3];
  const kbits = KBITS[(version === 1 ? 0 : 3) + layer - 1]?.[(third >> 4) - 1];
  if (version === undefined || layer === 4 || rate === undefined || kbits === undefined) return undefined;
  const rateHz = version === 1 ? rate : version === 2 ? rate / 2 : rate / 4;
  const padding = (third >> 1) & 1;
  const frameSamples = layer === 1 ? 384 : layer === 3 && version !== 1 ? 576 : 1152;
  const slots = Math.floor((frameSamples * kbits * 125) / rateHz / (layer === 1 ? 4 : 1)) + padding;
  const frameBytes = layer === 1 ? slots * 4 : slots;
  return { layer, version, rateHz, channels: fourth >> 6 === 3 ? 1 : 2, frameBytes, frameSamples };
}

const alike = (a: MpegHeader, b: MpegHeader): boolean =>
  a.layer === b.layer && a.version === b.version && a.rateHz === b.rateHz;

/** Whether a run of `count` frames of one kind begins here. The last may reach to the end of the file. */
export function isMpegRun(bytes: Uint8Array, start: number, count: number): boolean {
  const first = mpegHeader(bytes, start);
  if (first === undefined) return false;
  let at = start;
  for (let i = 0; i < count; i += 1) {
    const header = mpegHeader(bytes, at);
    if (header === undefined || !alike(header, first)) return i > 0 && at === bytes.length;
    at += header.frameBytes;
  }
  return true;
}

/** Length of the ID3v2 tag at a position; 0 if there is none. */
export function id3Bytes(bytes: Uint8Array, at: number): number {
  if (textAt(bytes, at, 3) !== 'ID3' || at + 10 > bytes.length) return 0;
  const size = [6, 7, 8, 9].reduce((sum, i) => (sum << 7) | (bytes[at + i]! & 0x7f), 0);
  return 10 + size + (bytes[at + 5]! & 0x10 ? 10 : 0);
}

/** Tags and padding between and after frames, which players skip; 0 if something else begins here. */
function tagBytes(bytes: Uint8Array, at: number): number {
  const id3 = id3Bytes(bytes, at);
  if (id3 > 0) return id3;
  const head = textAt(bytes, at, 11);
  if (head.startsWith('TAG')) return 128;
  if (head.startsWith('APETAGEX') && at + 32 <= bytes.length) {
    const view = viewOf(bytes);
    return view.getUint32(at + 12, true) + (view.getUint32(at + 20, true) & 0x2000_0000 ? 32 : 0);
  }
  if (head === 'LYRICSBEGIN') {
    return Math.max(0, Buffer.from(bytes.buffer, bytes.byteOffset).indexOf('LYRICS', at + 11) + 9 - at);
  }
  let zeros = 0;
  while (at + zeros < bytes.length && bytes[at + zeros] === 0) zeros += 1;
  return zeros;
}

/** Consecutive frames with the same sample rate and number of channels. */
export interface MpegRun {
  readonly start: number;
  readonly end: number;
  readonly header: MpegHeader;
  /** Samples that the encoder added before the sound, from its info frame; 0 if unknown. */
  readonly delay: number;
  /** Samples of sound, from the info frame. */
  readonly samples: number | undefined;
}

/** The decoder's own delay of layer III, samples. */
const DECODER_DELAY = 529;

interface Info {
  readonly frames: number | undefined;
  readonly delay: number;
  readonly padding: number;
}

/** The info frame that encoders put first (Xing, Info, VBRI): contains no sound, but its length. */
function infoFrame(bytes: Uint8Array, at: number, header: MpegHeader): Info | undefined {
  if (header.layer !== 3) return undefined;
  const view = viewOf(bytes.subarray(at, at + header.frameBytes));
  const side = header.version === 1 ? (header.channels === 1 ? 17 : 32) : header.channels === 1 ? 9 : 17;
  if (textAt(bytes, at + 36, 4) === 'VBRI' && view.byteLength >= 54) {
    return { frames: view.getUint32(50, false), delay: 0, padding: 0 };
  }
  const xing = 4 + side;
  if (!['Xing', 'Info'].includes(textAt(bytes, at + xing, 4)) || view.byteLength < xing + 8) return undefined;
  const flags = view.getUint32(xing + 4, false);
  const frames = flags & 1 && view.byteLength >= xing + 12 ? view.getUint32(xing + 8, false) : undefined;
  const lame =
    xing + 8 + (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  if (view.byteLength < lame + 24 || view.getUint8(lame) === 0) return { frames, delay: 0, padding: 0 };
  const packed = (view.getUint16(lame + 21, false) << 8) | view.getUint8(lame + 23);
  return {
    frames,
    delay: (packed >> 12) + DECODER_DELAY,
    padding: Math.max(0, (packed & 0xfff) - DECODER_DELAY),
  };
}

/** Arbitrary bytes allowed before the first frame and after the last, as in a stream recorded from its middle. */
export const MAX_JUNK_BYTES = 8_192;

/**
 * The runs of frames in a file.
 * @param base position of `bytes` in the file, for messages
 * @throws ServerError CORRUPT_AUDIO if other data is between frames, or the last is incomplete
 */
export function scanMpeg(bytes: Uint8Array, name: string, base = 0): MpegRun[] {
  const runs: MpegRun[] = [];
  let at = 0;
  while (at < bytes.length) {
    const skipped = tagBytes(bytes, at);
    if (skipped > 0) {
      at += skipped;
      continue;
    }
    if (!isMpegRun(bytes, at, 2)) {
      const header = mpegHeader(bytes, at);
      const previous = runs.at(-1);
      if (header !== undefined && previous !== undefined && alike(header, previous.header)) {
        throw damaged(name, `the frame at byte ${base + at} is cut short`);
      }
      at = skipJunk(bytes, at, runs.length === 0, name, base);
      continue;
    }
    const run = walkRun(bytes, at, name);
    if (run.end > run.start) runs.push(run);
    at = Math.max(run.end, at + 1);
  }
  return runs;
}

function skipJunk(bytes: Uint8Array, from: number, isFirst: boolean, name: string, base: number): number {
  const limit = Math.min(bytes.length, from + MAX_JUNK_BYTES);
  for (let at = from + 1; at < limit; at += 1) {
    if (!isMpegRun(bytes, at, 3)) continue;
    if (isFirst) return at;
    throw damaged(name, `${at - from} bytes from byte ${base + from} on are no audio frames`);
  }
  if (limit === bytes.length) return limit;
  throw damaged(name, `what begins at byte ${base + from} are no audio frames`);
}

/** Walks to the end of a run. If it declares more frames than there are, the file was cut short. */
function walkRun(bytes: Uint8Array, start: number, name: string): MpegRun {
  const header = mpegHeader(bytes, start)!; // by isMpegRun
  const info = infoFrame(bytes, start, header);
  const from = info === undefined ? start : start + header.frameBytes;
  let at = from;
  let frames = 0;
  for (let next = mpegHeader(bytes, at); next !== undefined; next = mpegHeader(bytes, at)) {
    if (!alike(next, header) || next.channels !== header.channels || at + next.frameBytes > bytes.length) {
      break;
    }
    at += next.frameBytes;
    frames += 1;
  }
  // Some encoders count the info frame itself.
  if (info?.frames !== undefined && frames < info.frames - 1 && at + MAX_JUNK_BYTES >= bytes.length) {
    throw damaged(name, `${frames} of ${info.frames} frames are there, the file is cut short`);
  }
  const samples = frames * header.frameSamples - (info?.delay ?? 0) - (info?.padding ?? 0);
  const known = info !== undefined && info.delay > 0 && info.frames !== undefined && frames <= info.frames;
  return {
    start: from,
    end: at,
    header,
    delay: info?.delay ?? 0,
    samples: known ? Math.max(0, samples) : undefined,
  };
}
