/**
 * WAV files: PCM of 8, 16, 24 and 32 bits, float of 32 and 64 bits, A-law, μ-law, and WAVE_FORMAT_EXTENSIBLE
 * around any of them; up to 8 channels. Read here and not by a library: those on npm return garbage for
 * truncated files, and the samples' decoding is shared with the streams.
 */
import { ServerError } from '../errors.js';
import { BLOCK_FRAMES, type OnBlock } from './block.js';
import { ALAW, MULAW } from './g711.js';

const TAG = { pcm: 1, float: 3, alaw: 6, mulaw: 7, extensible: 0xfffe } as const;
/** KSDATAFORMAT_SUBTYPE_…: the format tag, then these 14 bytes. */
const SUBTYPE_TAIL = '000000001000800000aa00389b71';
const MAX_CHANNELS = 8;
/** A data length from here on stands for "unknown": the writer could not seek back (ffmpeg, sox in a pipe). */
const STREAMED_BYTES = 0x7fff_0000;

interface WavFormat {
  tag: number;
  channels: number;
  rateHz: number;
  bits: number;
  /** Bytes of one sample of all channels. */
  frameBytes: number;
}

/** One sample at a byte position → 16-bit units. */
type Read = (view: DataView, at: number) => number;

/** @throws ServerError UNSUPPORTED_MEDIA for another sample format, CORRUPT_AUDIO for a damaged file. */
export function decodeWav(bytes: Uint8Array, onBlock: OnBlock): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: WavFormat | undefined;
  let at = 12; // past RIFF, its length and WAVE
  while (at + 8 <= bytes.length) {
    const name = view.getUint32(at, false);
    const declared = view.getUint32(at + 4, true);
    const start = at + 8;
    if (name === chunk('data')) {
      if (format === undefined) throw corrupt('the data come before their format.');
      const present = bytes.length - start;
      if (declared > present && declared < STREAMED_BYTES) {
        throw corrupt(`${present} of ${declared} bytes of audio are there.`);
      }
      decodeSamples(view, start, Math.min(declared, present), format, onBlock);
      return;
    }
    if (name === chunk('fmt ')) format = readFormat(view, start, Math.min(declared, bytes.length - start));
    at = start + declared + (declared % 2);
  }
  throw corrupt('there are no audio data in it.');
}

const corrupt = (reason: string): ServerError => new ServerError('CORRUPT_AUDIO', `WAV: ${reason}`);

const chunk = (name: string): number => Buffer.from(name, 'latin1').readUInt32BE(0);

function readFormat(view: DataView, at: number, length: number): WavFormat {
  if (length < 16) throw corrupt('the format is cut short.');
  const format: WavFormat = {
    tag: view.getUint16(at, true),
    channels: view.getUint16(at + 2, true),
    rateHz: view.getUint32(at + 4, true),
    frameBytes: view.getUint16(at + 12, true),
    bits: view.getUint16(at + 14, true),
  };
  if (format.tag === TAG.extensible) {
    if (length < 40) throw corrupt('the format is cut short.');
    const subtype = Buffer.from(view.buffer, view.byteOffset + at + 24, 16);
    if (subtype.toString('hex', 2) !== SUBTYPE_TAIL) {
      throw new ServerError('UNSUPPORTED_MEDIA', 'WAV: an unknown subtype.');
    }
    format.tag = subtype.readUInt16LE(0);
  }
  if (format.channels < 1 || format.channels > MAX_CHANNELS) {
    throw new ServerError('UNSUPPORTED_MEDIA', `WAV: ${format.channels} channels.`);
  }
  if (format.frameBytes !== (format.channels * format.bits) / 8) {
    throw corrupt('the format contradicts itself.');
  }
  return format;
}

const READERS: Record<string, Read> = {
  [`${TAG.pcm}/8`]: (view, at) => (view.getUint8(at) - 128) * 256,
  [`${TAG.pcm}/16`]: (view, at) => view.getInt16(at, true),
  [`${TAG.pcm}/24`]: (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 256,
  [`${TAG.pcm}/32`]: (view, at) => view.getInt32(at, true) / 65_536,
  [`${TAG.float}/32`]: (view, at) => fromFloat(view.getFloat32(at, true)),
  [`${TAG.float}/64`]: (view, at) => fromFloat(view.getFloat64(at, true)),
  [`${TAG.alaw}/8`]: (view, at) => ALAW[view.getUint8(at)]!,
  [`${TAG.mulaw}/8`]: (view, at) => MULAW[view.getUint8(at)]!,
};

/** ±1 → 16-bit units, clamped; NaN and infinities → 0. */
function fromFloat(value: number): number {
  return Number.isFinite(value) ? Math.max(-1, Math.min(1, value)) * 32_768 : 0;
}

function decodeSamples(
  view: DataView,
  start: number,
  length: number,
  format: WavFormat,
  onBlock: OnBlock,
): void {
  const read = READERS[`${format.tag}/${format.bits}`];
  if (read === undefined) {
    throw new ServerError('UNSUPPORTED_MEDIA', `WAV: format ${format.tag} of ${format.bits} bits.`);
  }
  const { channels, frameBytes, rateHz } = format;
  const width = frameBytes / channels;
  const frames = Math.floor(length / frameBytes);
  const mono = new Float32Array(BLOCK_FRAMES);
  for (let done = 0; done < frames; done += BLOCK_FRAMES) {
    const count = Math.min(BLOCK_FRAMES, frames - done);
    let at = start + done * frameBytes;
    for (let i = 0; i < count; i += 1) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel += 1, at += width) sum += read(view, at);
      mono[i] = sum / channels;
    }
    onBlock(mono.subarray(0, count), rateHz);
  }
}
