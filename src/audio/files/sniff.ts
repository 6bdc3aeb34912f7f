/** Detects a file's format by its bytes, since names and content types are unreliable. */
import { ServerError } from '../../errors.js';
import { fileFormatsText } from '../file-formats.js';
import { aacBlocks, isAdtsRun } from './aac.js';
import { type Blocks, slowly } from './block.js';
import { textAt, viewOf } from './bytes.js';
import { cafBlocks } from './caf.js';
import { ffmpegBlocks } from './ffmpeg.js';
import { flacBlocks } from './flac.js';
import { gsmBlocks, looksLikeGsm } from './gsm.js';
import { mediaBlocks } from './media.js';
import { mpegBlocks } from './mpeg.js';
import { id3Bytes, isMpegRun, MAX_JUNK_BYTES } from './mpeg-scan.js';
import { oggBlocks } from './ogg.js';
import { riffBlocks, riffDialect } from './riff.js';
import { aiffBlocks, auBlocks } from './simple.js';

/** Formats that only ffmpeg can read, by their first bytes: [offset, magic, its demuxer, container, codec]. */
const RARE: readonly (readonly [number, string, string, string, string])[] = [
  [0, '#!AMR-WB\n', 'amr', 'AMR', 'AMR wideband'],
  [0, '#!AMR\n', 'amr', 'AMR', 'AMR narrowband'],
  [0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11', 'asf', 'ASF', 'Windows Media audio'],
  [0, 'wvpk', 'wv', 'WavPack', 'WavPack'],
  [0, 'MAC ', 'ape', "Monkey's Audio", "Monkey's Audio"],
  [0, 'TTA1', 'tta', 'TTA', 'TTA'],
  [0, 'Creative Voice File\x1a', 'voc', 'VOC', 'Creative Voice'],
  [0, 'NIST_1A\n', 'nistsphere', 'SPHERE', 'NIST SPHERE audio'],
  [0, '\x0b\x77', 'ac3', 'AC-3', 'AC-3'],
  [0, 'FLV\x01', 'flv', 'FLV', 'Flash audio'],
  [0, '.RMF', 'rm', 'RealMedia', 'RealAudio'],
  [8, 'AVI ', 'avi', 'AVI', 'AVI audio'],
  [0, '\x64\xa3\x01\x00', 'ircam', 'IRCAM', 'IRCAM audio'],
  [0, '\x64\xa3\x02\x00', 'ircam', 'IRCAM', 'IRCAM audio'],
  [0, 'FORM', 'iff', 'IFF', '8SVX'],
  [0, '\x00\x00\x01\xba', 'mpeg', 'MPEG program stream', 'MPEG audio'],
];
/** Pictures, documents and archives that are sent by mistake, for a helpful error. */
const OTHERS: readonly (readonly [string, string])[] = [
  ['\x89PNG', 'a PNG picture'],
  ['\xff\xd8\xff', 'a JPEG picture'],
  ['GIF8', 'a GIF picture'],
  ['%PDF', 'a PDF document'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['\x1f\x8b', 'a gzip archive'],
  ['7z\xbc\xaf', 'a 7z archive'],
  ['Rar!', 'a RAR archive'],
  ['MThd', 'MIDI notes, which are no recording'],
  ['<!DOCTYPE', 'an HTML page'],
  ['<html', 'an HTML page'],
];
const TS_PACKET_BYTES = 188;
/** Consecutive frames that identify a bare stream. */
const SURE_FRAMES = 4;

/**
 * The audio of a whole file.
 * @throws ServerError UNSUPPORTED_MEDIA naming what was found, CORRUPT_AUDIO
 */
export function fileBlocks(file: Uint8Array): Blocks {
  const start = tagsBytes(file);
  const bytes = start === 0 ? file : file.subarray(start);
  const head = textAt(bytes, 0, 64);
  const riff = riffDialect(bytes);
  if (riff !== undefined) return riffBlocks(bytes, riff);
  if (head.startsWith('OggS')) return oggBlocks(bytes);
  if (head.startsWith('fLaC')) return flacBlocks(withoutTail(bytes));
  if (head.startsWith('\x1aE\xdf\xa3')) return mediaBlocks(bytes, 'WebM');
  if (['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot', 'styp'].includes(head.slice(4, 8))) {
    return mediaBlocks(bytes, 'MP4');
  }
  if (head.startsWith('FORM') && ['AIFF', 'AIFC'].includes(head.slice(8, 12))) return aiffBlocks(bytes);
  if (head.startsWith('.snd') || head.startsWith('dns.') || head.startsWith('\0ds.')) return auBlocks(bytes);
  if (head.startsWith('caff')) return cafBlocks(bytes);
  return bareStream(file, start) ?? rareBlocks(bytes, head);
}

/** Frames without a container, after any bytes before them. */
function bareStream(file: Uint8Array, start: number): Blocks | undefined {
  const limit = Math.min(file.length, start + MAX_JUNK_BYTES);
  if (isAdtsRun(file, start, SURE_FRAMES)) return aacBlocks(file, start);
  if (isMpegRun(file, start, 2)) return mpegBlocks(file, 'MP3');
  if (looksLikeGsm(file)) return slowly(gsmBlocks(file, { start: 0, end: file.length }, { bytes: 33 }));
  for (let at = start; at < limit; at += 1) {
    if (file[at] === 0xff && isMpegRun(file, at, SURE_FRAMES)) return mpegBlocks(file, 'MP3');
  }
  return undefined;
}

function rareBlocks(bytes: Uint8Array, head: string): Blocks {
  for (const [at, magic, demuxer, container, codec] of RARE) {
    if (!head.startsWith(magic, at)) continue;
    return ffmpegBlocks({ demuxer, container, codec, input: [withoutTail(bytes)] });
  }
  if (bytes[0] === 0x47 && bytes[TS_PACKET_BYTES] === 0x47 && bytes[2 * TS_PACKET_BYTES] === 0x47) {
    return ffmpegBlocks({
      demuxer: 'mpegts',
      container: 'MPEG-TS',
      codec: 'broadcast audio',
      input: [bytes],
    });
  }
  const other = OTHERS.find(([magic]) => head.startsWith(magic))?.[1];
  const found =
    other ??
    (/^[\t\r\n\x20-\x7e]+$/.test(head) ? 'text' : bytes.length === 0 ? 'nothing' : 'no known format');
  throw new ServerError(
    'UNSUPPORTED_MEDIA',
    `The file is ${found}. ${fileFormatsText} are supported; raw samples need ?encoding=pcm16&sample_rate=…`,
  );
}

/** Length of ID3 tags before MP3, FLAC and other formats. */
function tagsBytes(bytes: Uint8Array): number {
  let at = 0;
  for (let length = id3Bytes(bytes, at); length > 0; length = id3Bytes(bytes, at)) at += length;
  return Math.min(at, bytes.length);
}

/** The file without tags at its end: ID3v1, and APE with its size in a footer. */
function withoutTail(bytes: Uint8Array): Uint8Array {
  const rest = textAt(bytes, bytes.length - 128, 3) === 'TAG' ? bytes.subarray(0, -128) : bytes;
  const footer = rest.length - 32;
  if (footer < 0 || textAt(rest, footer, 8) !== 'APETAGEX') return rest;
  const view = viewOf(rest);
  const withHead = (view.getUint32(footer + 20, true) & 0x8000_0000) !== 0 ? 32 : 0;
  return rest.subarray(0, Math.max(0, rest.length - view.getUint32(footer + 12, true) - withHead));
}
