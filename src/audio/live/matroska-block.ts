/**
 * A block of Matroska: its time and its frames, one or several with a common head ("lacing", RFC 9559 section 10.3).
 */
import { damaged } from '../files/block.js';
import { lengthOf } from './matroska-parts.js';

const NAME = 'WebM';
const LACING = { xiph: 1, fixed: 2, ebml: 3 } as const;

/**
 * @param at position in the stream, for messages
 * @throws ServerError CORRUPT_AUDIO
 */
export function blockFrames(block: Uint8Array, at: number): { ticks: number; frames: Uint8Array[] } {
  const trackBytes = lengthOf(block[0] ?? 0);
  const start = trackBytes + 3;
  if (block.length < start) throw damaged(NAME, `the block at byte ${at} is not whole`);
  const ticks = ((block[trackBytes]! << 24) | (block[trackBytes + 1]! << 16)) >> 16;
  const lacing = (block[trackBytes + 2]! >> 1) & 3;
  const frames = lacing === 0 ? [block.subarray(start)] : laced(block.subarray(start), lacing);
  if (frames === undefined) throw damaged(NAME, `the block at byte ${at} contradicts itself`);
  return { ticks, frames };
}

/** The frames after the list of their lengths, which omits the last; undefined if they do not fit. */
function laced(bytes: Uint8Array, lacing: number): Uint8Array[] | undefined {
  const count = (bytes[0] ?? 0) + 1;
  const list = lacing === LACING.fixed ? fixedLengths(bytes, count) : readLengths(bytes, count, lacing);
  if (list === undefined) return undefined;
  const frames: Uint8Array[] = [];
  let { at } = list;
  for (const length of list.lengths) {
    if (length < 0 || at + length > bytes.length) return undefined;
    frames.push(bytes.subarray(at, at + length));
    at += length;
  }
  frames.push(bytes.subarray(at));
  return frames;
}

function fixedLengths(bytes: Uint8Array, count: number) {
  const each = (bytes.length - 1) / count;
  return Number.isInteger(each)
    ? { at: 1, lengths: Array.from({ length: count - 1 }, () => each) }
    : undefined;
}

function readLengths(bytes: Uint8Array, count: number, lacing: number) {
  const lengths: number[] = [];
  let at = 1;
  for (let i = 0; i + 1 < count; i += 1) {
    if (at >= bytes.length) return undefined;
    if (lacing === LACING.xiph) {
      let length = 0;
      for (; bytes[at] === 255; at += 1) length += 255;
      lengths.push(length + (bytes[at] ?? 0));
      at += 1;
      continue;
    }
    const size = lengthOf(bytes[at]!);
    if (size > 4) return undefined;
    let value = bytes[at]! & (2 ** (8 - size) - 1);
    for (let j = 1; j < size; j += 1) value = value * 256 + (bytes[at + j] ?? 0);
    // The first is a length, each other the difference from the one before.
    lengths.push(i === 0 ? value : lengths[i - 1]! + value - (2 ** (7 * size - 1) - 1));
    at += size;
  }
  return { at, lengths };
}
