/**
 * FLAC files (native and in Ogg) through libFLAC, compiled to asm.js by the package libflacjs.
 *
 * The asm.js variant is used because the package's WASM glue (Emscripten 1.39) mistakes the global `fetch` of Node 18+
 * for a browser's and fails to load. libFLAC checks a CRC per frame and the MD5 of the whole stream, so damage is
 * reported and never decoded as audio.
 */
import { createRequire } from 'node:module';
import { type Block, type Blocks, damaged } from './block.js';

type Flac = typeof import('libflacjs/dist/libflac.min.js');

let flac: Promise<Flac> | undefined;

/** Loads libFLAC once per thread. It takes tens of milliseconds, so it is loaded only for a FLAC file. */
function loadFlac(): Promise<Flac> {
  flac ??= new Promise((resolve) => {
    const library = createRequire(import.meta.url)('libflacjs/dist/libflac.min.js') as Flac;
    if (library.isReady()) resolve(library);
    else library.on('ready', () => resolve(library));
  });
  return flac;
}

const MAX_STATE_DECODING = 3; // search metadata, read metadata, search sync, read frame
const STATE_END_OF_STREAM = 4;

/**
 * Decodes a whole FLAC stream, block by block.
 * @throws ServerError CORRUPT_AUDIO when a frame fails its CRC, the end is missing or the MD5 does not fit.
 */
export async function* flacBlocks(bytes: Uint8Array, name = 'FLAC'): Blocks {
  const library = await loadFlac();
  const decoder = library.create_libflac_decoder(true);
  let readAt = 0;
  let samples = 0;
  let expectedSamples = 0;
  let rateHz = 0;
  let failure: string | undefined;
  /** Output of the callbacks of one call: at most one block. */
  const ready: Block[] = [];
  const where = (): string => `${rateHz === 0 ? 0 : (samples / rateHz).toFixed(1)} s into the audio`;

  // Exceptions must not unwind through the compiled C code, so the callbacks only collect.
  const status = library.init_decoder_stream(
    decoder,
    (maxBytes) => {
      const buffer = bytes.slice(readAt, readAt + maxBytes);
      readAt += buffer.length;
      return { buffer, readDataLength: buffer.length, error: false };
    },
    (channels, { blocksize, bitsPerSample, sampleRate }) => {
      const planes = channels.map((plane) => planeOf(plane, blocksize, bitsPerSample));
      samples += blocksize;
      rateHz = sampleRate;
      ready.push({ planes, rateHz, fraction: readAt / bytes.length });
    },
    (_code, error) => {
      failure ??= `${error}, ${where()}`;
    },
    (info) => {
      if (info !== undefined) expectedSamples = info.total_samples;
    },
    bytes[0] === 0x4f && bytes[1] === 0x67, // Og
  );
  try {
    if (status !== 0) throw damaged(name, `the decoder said ${status}`);
    // Each call consumes input or ends; the bound guards against a decoder that does neither.
    for (let calls = 0; calls <= bytes.length && failure === undefined; calls += 1) {
      if (library.FLAC__stream_decoder_get_state(decoder) > MAX_STATE_DECODING) break;
      if (!library.FLAC__stream_decoder_process_single(decoder)) break;
      if (failure === undefined) yield* ready.splice(0);
    }
    if (failure !== undefined) throw damaged(name, failure);
    const ended = library.FLAC__stream_decoder_get_state(decoder) === STATE_END_OF_STREAM;
    const soundMd5 = library.FLAC__stream_decoder_finish(decoder);
    if (!ended || samples === 0 || (expectedSamples > 0 && samples !== expectedSamples)) {
      throw damaged(name, `${samples} of ${expectedSamples} samples are there`);
    }
    if (!soundMd5) throw damaged(name, 'the checksum of the audio does not fit');
  } finally {
    library.FLAC__stream_decoder_delete(decoder);
  }
}

/** Little-endian integers (24 bits come in 4 bytes, 8 bits in 2) → 16-bit units. */
function planeOf(plane: Uint8Array, frames: number, bits: number): Float32Array {
  const width = plane.length / frames;
  const scale = 32_768 / 2 ** (bits - 1);
  const out = new Float32Array(frames);
  for (let i = 0; i < frames; i += 1) out[i] = readInteger(plane, i * width, width) * scale;
  return out;
}

function readInteger(plane: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i -= 1) value = (value << 8) | (plane[at + i] ?? 0);
  const unused = 32 - width * 8;
  return (value << unused) >> unused;
}
