/** AIFF and AIFC, and Sun's AU: headers around samples. */
import { imaQuickTimeBlocks } from './adpcm.js';
import { type Blocks, checkChannels, damaged, slowly, unsupported } from './block.js';
import { audioSpan, need, printable, type Span, textAt, viewOf } from './bytes.js';
import { ffmpegBlocks } from './ffmpeg.js';
import { isReadable, type SampleLayout, sampleBlocks } from './samples.js';

type Coded = Omit<SampleLayout, 'channels' | 'rateHz'>;

/** AIFC compression types that are plain samples; 0: with the number of bytes that the file gives. */
const AIFC: Record<string, Coded> = {
  NONE: { kind: 'int', width: 0, littleEndian: false },
  twos: { kind: 'int', width: 0, littleEndian: false },
  sowt: { kind: 'int', width: 0, littleEndian: true },
  'raw ': { kind: 'uint', width: 1, littleEndian: false },
  in24: { kind: 'int', width: 3, littleEndian: false },
  in32: { kind: 'int', width: 4, littleEndian: false },
  '42ni': { kind: 'int', width: 3, littleEndian: true },
  '23ni': { kind: 'int', width: 4, littleEndian: true },
  fl32: { kind: 'float', width: 4, littleEndian: false },
  fl64: { kind: 'float', width: 8, littleEndian: false },
  ulaw: { kind: 'mulaw', width: 1, littleEndian: false },
  alaw: { kind: 'alaw', width: 1, littleEndian: false },
};

/** An 80-bit float of the 68881, as AIFF stores its sample rate. */
function extended(view: DataView, at: number): number {
  const exponent = (view.getUint16(at, false) & 0x7fff) - 16_383 - 63;
  return view.getUint32(at + 2, false) * 2 ** (exponent + 32) + view.getUint32(at + 6, false) * 2 ** exponent;
}

export async function* aiffBlocks(bytes: Uint8Array): Blocks {
  const view = viewOf(bytes);
  const aifc = textAt(bytes, 8, 4) === 'AIFC';
  const name = aifc ? 'AIFC' : 'AIFF';
  let common = -1;
  let sound: Span | undefined;
  for (let at = 12; at + 8 <= bytes.length && (common < 0 || sound === undefined); ) {
    const chunk = textAt(bytes, at, 4);
    const length = view.getUint32(at + 4, false);
    if (chunk === 'COMM') common = at + 8;
    if (chunk === 'SSND') {
      need(name, bytes, at + 8, 8);
      const offset = 8 + view.getUint32(at + 8, false);
      sound = audioSpan(name, bytes, at + 8 + offset, length === 0 ? 0 : length - offset);
    }
    at += 8 + length + (length % 2);
  }
  if (common < 0) throw damaged(name, 'there is no format (COMM) in it');
  if (sound === undefined) throw damaged(name, 'there is no sound (SSND) in it');
  need(name, bytes, common, aifc ? 22 : 18);
  const channels = view.getUint16(common, false);
  const frames = view.getUint32(common + 2, false);
  const rateHz = Math.round(extended(view, common + 8));
  const type = aifc ? textAt(bytes, common + 18, 4) : 'NONE';
  const bits = view.getUint16(common + 6, false);
  checkChannels(name, printable(type), channels);
  if (type === 'ima4') {
    const layout = { channels, rateHz, blockBytes: 34 * channels, totalFrames: frames * 64 };
    return yield* imaQuickTimeBlocks(bytes, sound, layout);
  }
  const coded = AIFC[type] ?? AIFC[type.toLowerCase()];
  if (coded === undefined) {
    return yield* ffmpegBlocks({ demuxer: 'aiff', container: name, codec: printable(type), input: [bytes] });
  }
  const layout = { ...coded, width: coded.width || Math.ceil(bits / 8), channels, rateHz };
  if (!isReadable(layout)) throw unsupported(name, `${coded.kind} of ${bits} bits`);
  yield* sampleBlocks(bytes, sound, layout);
}

/** Encodings of AU by number. */
const AU: Record<number, Omit<Coded, 'littleEndian'>> = {
  1: { kind: 'mulaw', width: 1 },
  2: { kind: 'int', width: 1 },
  3: { kind: 'int', width: 2 },
  4: { kind: 'int', width: 3 },
  5: { kind: 'int', width: 4 },
  6: { kind: 'float', width: 4 },
  7: { kind: 'float', width: 8 },
  27: { kind: 'alaw', width: 1 },
};
const AU_NAMES: Record<number, string> = { 23: 'G.721', 24: 'G.722', 25: 'G.723', 26: 'G.723' };

export function auBlocks(bytes: Uint8Array): Blocks {
  need('AU', bytes, 0, 24);
  const view = viewOf(bytes);
  const littleEndian = textAt(bytes, 0, 4) !== '.snd';
  const field = (index: number): number => view.getUint32(index * 4, littleEndian);
  const encoding = field(3);
  const channels = field(5);
  const codec = AU_NAMES[encoding] ?? `encoding ${encoding}`;
  checkChannels('AU', codec, channels);
  const coded = AU[encoding];
  if (coded === undefined) return ffmpegBlocks({ demuxer: 'au', container: 'AU', codec, input: [bytes] });
  const span = audioSpan('AU', bytes, Math.max(24, field(1)), field(2));
  return slowly(sampleBlocks(bytes, span, { ...coded, littleEndian, channels, rateHz: field(4) }));
}
