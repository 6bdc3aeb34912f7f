/** Reads WAV files, only as far as needed to stream them unchanged. The server resamples and mixes. */
import { readFileSync } from 'node:fs';

/** Format tags of the WAV header, and the server's names for them. */
const ENCODINGS = { '1/16': 'pcm16', '3/32': 'float32', '6/8': 'alaw', '7/8': 'mulaw' };
const EXTENSIBLE = 0xfffe;

/**
 * @param {string} path
 * @returns {{ sampleRate: number, channels: number, encoding: string, bytesPerSecond: number, data: Buffer,
 *   seconds: number }} `data` holds the samples alone, without the header.
 */
export function readWav(path) {
  return parseWav(readFileSync(path), path);
}

/** @param {Buffer} file @param {string} [name] For error messages. */
export function parseWav(file, name = 'the file') {
  if (file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE') {
    throw new Error(
      `${name} is not a WAV file. Convert it (ffmpeg -i INPUT -ar 16000 -ac 1 OUTPUT.wav), or send it whole: ` +
        'curl --data-binary @INPUT http://localhost:8000/transcribe/file',
    );
  }
  const chunks = chunksOf(file);
  const { fmt, data } = chunks;
  if (fmt === undefined || data === undefined) throw new Error(`${name} contains no audio.`);
  const tag = fmt.readUInt16LE(0) === EXTENSIBLE ? fmt.readUInt16LE(24) : fmt.readUInt16LE(0);
  const encoding = ENCODINGS[`${tag}/${fmt.readUInt16LE(14)}`];
  if (encoding === undefined) {
    throw new Error(`${name} is neither 16-bit PCM, 32-bit float, mu-law nor A-law.`);
  }
  const channels = fmt.readUInt16LE(2);
  const sampleRate = fmt.readUInt32LE(4);
  const bytesPerSecond = sampleRate * fmt.readUInt16LE(12);
  return { sampleRate, channels, encoding, bytesPerSecond, data, seconds: data.length / bytesPerSecond };
}

/** The chunks of a RIFF file by name; `fmt ` without its space. */
function chunksOf(file) {
  const chunks = {};
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString('latin1', at, at + 4).trim();
    const length = file.readUInt32LE(at + 4);
    chunks[name] ??= file.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2); // chunks begin at even positions
  }
  return chunks;
}
