/**
 * ADPCM of 4 bits: IMA (as WAV and as QuickTime, AIFC and CAF pack it) and Microsoft's. Each block of a file begins
 * with its own predictor, so damage ends with the block.
 */
import { type Block, makePlanes } from './block.js';
import type { Span } from './bytes.js';

export interface AdpcmLayout {
  readonly channels: number;
  readonly rateHz: number;
  readonly blockBytes: number;
  /** Samples per channel of the whole file, if it says so; the last block may be padded. */
  readonly totalFrames?: number | undefined;
}

/** IMA's step sizes: each 1.1 times the one before, rounded (IMA Digital Audio Focus, 1992). */
const IMA_STEPS = Int16Array.from([
  7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97,
  107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724,
  796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026,
  4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500,
  20350, 22385, 24623, 27086, 29794, 32767,
]);
const IMA_INDEX = Int8Array.of(-1, -1, -1, -1, 2, 4, 6, 8);
const MAX_STEP = IMA_STEPS.length - 1;

const clamp16 = (value: number): number => Math.max(-32_768, Math.min(32_767, value));

interface Ima {
  sample: number;
  index: number;
}

function imaNext(state: Ima, code: number): number {
  const step = IMA_STEPS[state.index] ?? 0;
  let difference = step >> 3;
  if (code & 4) difference += step;
  if (code & 2) difference += step >> 1;
  if (code & 1) difference += step >> 2;
  state.sample = clamp16(state.sample + (code & 8 ? -difference : difference));
  state.index = Math.max(0, Math.min(MAX_STEP, state.index + (IMA_INDEX[code & 7] ?? 0)));
  return state.sample;
}

/** Decodes one block into the planes; returns the samples per channel. */
type DecodeBlock = (block: Uint8Array, planes: readonly Float32Array[]) => number;

/** WAV: a header of 4 bytes per channel (sample, index), then 4 bytes (8 samples) per channel in turn. */
const imaWavBlock: DecodeBlock = (block, planes) => {
  const channels = planes.length;
  const groups = Math.floor((block.length - 4 * channels) / (4 * channels));
  for (const [channel, plane] of planes.entries()) {
    const head = channel * 4;
    const sample = ((block[head]! | (block[head + 1]! << 8)) << 16) >> 16;
    const state = { sample, index: Math.min(MAX_STEP, block[head + 2]!) };
    plane[0] = sample;
    for (let group = 0; group < groups; group += 1) {
      const from = 4 * channels + (group * channels + channel) * 4;
      for (let i = 0; i < 8; i += 1) {
        const octet = block[from + (i >> 1)]!;
        plane[1 + group * 8 + i] = imaNext(state, i & 1 ? octet >> 4 : octet & 15);
      }
    }
  }
  return 1 + groups * 8;
};

/** QuickTime: 34 bytes per channel: the sample's top 9 bits and the index in 7 bits, then 64 codes. */
const QT_BYTES = 34;
const QT_FRAMES = 64;
const imaQuickTimeBlock: DecodeBlock = (block, planes) => {
  for (const [channel, plane] of planes.entries()) {
    const from = channel * QT_BYTES;
    const head = (block[from]! << 8) | block[from + 1]!;
    const state = { sample: ((head & 0xff80) << 16) >> 16, index: Math.min(MAX_STEP, head & 0x7f) };
    for (let i = 0; i < QT_FRAMES; i += 1) {
      const octet = block[from + 2 + (i >> 1)]!;
      plane[i] = imaNext(state, i & 1 ? octet >> 4 : octet & 15);
    }
  }
  return QT_FRAMES;
};

/** Microsoft's: how the step adapts to each code, in 1/256. */
const MS_ADAPT = Int16Array.of(
  230,
  230,
  230,
  230,
  307,
  409,
  512,
  614,
  768,
  614,
  512,
  409,
  307,
  230,
  230,
  230,
);
/** The seven standard predictors; a file may add more in its header. */
export const MS_COEFFICIENTS: readonly (readonly [number, number])[] = [
  [256, 0],
  [512, -256],
  [0, 0],
  [192, 64],
  [240, 0],
  [460, -208],
  [392, -232],
];

function msBlock(coefficients: readonly (readonly [number, number])[]): DecodeBlock {
  return (block, planes) => {
    const channels = planes.length;
    const word = (at: number): number => ((block[at]! | (block[at + 1]! << 8)) << 16) >> 16;
    const codes = (block.length - 7 * channels) * 2;
    const frames = 2 + Math.floor(codes / channels);
    for (const [channel, plane] of planes.entries()) {
      const [first, second] = coefficients[block[channel]!] ?? [256, 0];
      let delta = word(channels + channel * 2);
      let newer = word(3 * channels + channel * 2);
      let older = word(5 * channels + channel * 2);
      plane[0] = older;
      plane[1] = newer;
      for (let i = 2; i < frames; i += 1) {
        const place = (i - 2) * channels + channel;
        const octet = block[7 * channels + (place >> 1)]!;
        const code = place & 1 ? octet & 15 : octet >> 4;
        const predicted = (newer * first + older * second) >> 8;
        const sample = clamp16(predicted + (code & 8 ? code - 16 : code) * delta);
        older = newer;
        newer = sample;
        delta = Math.max(16, (delta * MS_ADAPT[code]!) >> 8);
        plane[i] = sample;
      }
    }
    return frames;
  };
}

export const imaWavBlocks = (bytes: Uint8Array, span: Span, layout: AdpcmLayout): Generator<Block, void> =>
  adpcmBlocks(bytes, span, layout, 4 * layout.channels, imaWavBlock);

export const imaQuickTimeBlocks = (
  bytes: Uint8Array,
  span: Span,
  layout: AdpcmLayout,
): Generator<Block, void> => adpcmBlocks(bytes, span, layout, QT_BYTES * layout.channels, imaQuickTimeBlock);

export const msAdpcmBlocks = (
  bytes: Uint8Array,
  span: Span,
  layout: AdpcmLayout,
  coefficients: readonly (readonly [number, number])[],
): Generator<Block, void> => adpcmBlocks(bytes, span, layout, 7 * layout.channels, msBlock(coefficients));

/** Decodes block by block; a last block shorter than its header (`leastBytes`) is left out. */
function* adpcmBlocks(
  bytes: Uint8Array,
  span: Span,
  layout: AdpcmLayout,
  leastBytes: number,
  decode: DecodeBlock,
): Generator<Block, void> {
  const { channels, rateHz, blockBytes, totalFrames = Number.POSITIVE_INFINITY } = layout;
  const planes = makePlanes(channels, 2 + 2 * blockBytes);
  let frames = 0;
  for (let at = span.start; at + leastBytes <= span.end && frames < totalFrames; at += blockBytes) {
    const end = Math.min(at + blockBytes, span.end);
    const count = Math.min(decode(bytes.subarray(at, end), planes), totalFrames - frames);
    frames += count;
    yield { planes: planes.map((plane) => plane.subarray(0, count)), rateHz, fraction: end / bytes.length };
  }
}
