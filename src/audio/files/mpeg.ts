/** MP3, MP2 and MP1 through libmpg123 in WebAssembly (mpg123-decoder). */
import type { MPEGDecoder } from 'mpg123-decoder';
import { type Block, type Blocks, damaged, FULL_SCALE } from './block.js';
import { type MpegRun, scanMpeg } from './mpeg-scan.js';

/** Bytes handed to the decoder at a time: about half a second. */
const PIECE_BYTES = 8_192;

/** @throws ServerError CORRUPT_AUDIO */
export async function* mpegBlocks(bytes: Uint8Array, name: string, base = 0): Blocks {
  const runs = scanMpeg(bytes, name, base);
  if (runs.length === 0) throw damaged(name, 'there are no audio frames in it');
  const { MPEGDecoder } = await import('mpg123-decoder');
  for (const run of runs) {
    const decoder = new MPEGDecoder({ enableGapless: false });
    await decoder.ready;
    try {
      yield* decodeRun(decoder, bytes, run, name, base);
    } finally {
      decoder.free();
    }
  }
}

function* decodeRun(
  decoder: MPEGDecoder,
  bytes: Uint8Array,
  run: MpegRun,
  name: string,
  base: number,
): Generator<Block, void> {
  let skip = run.delay;
  let left = run.samples ?? Number.POSITIVE_INFINITY;
  for (let at = run.start; at < run.end; at += PIECE_BYTES) {
    const end = Math.min(at + PIECE_BYTES, run.end);
    const { channelData, samplesDecoded, errors } = decoder.decode(bytes.subarray(at, end));
    if (errors.length > 0) throw damaged(name, `the frames about byte ${base + at} cannot be decoded`);
    const from = Math.min(skip, samplesDecoded);
    const count = Math.min(samplesDecoded - from, left);
    skip -= from;
    left -= count;
    if (count <= 0) continue;
    // The decoder always gives two channels; for mono they are equal.
    const planes = channelData
      .slice(0, run.header.channels)
      .map((plane) => scaled(plane.subarray(from, from + count)));
    yield { planes, rateHz: run.header.rateHz, fraction: end / bytes.length };
  }
}

/** ±1 → 16-bit units, in place. */
export function scaled(plane: Float32Array): Float32Array {
  for (let i = 0; i < plane.length; i += 1) plane[i] = plane[i]! * FULL_SCALE;
  return plane;
}
