/** Makes the files of `variants.ts` with ffmpeg and sox, and measures what the decoder makes of them. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeFile } from '../../src/audio/file.js';
import { ServerError } from '../../src/errors.js';
import type { Variant } from './variants.js';

const RATE_HZ = 16_000;

export const hasTool = (tool: Variant['tool']): boolean =>
  spawnSync(tool, [tool === 'sox' ? '--version' : '-version'], { stdio: 'ignore' }).status === 0;

/** A plain WAV of 16 kHz mono, as input for the programs. */
export function writeClip(path: string, samples: Int16Array): void {
  const head = Buffer.alloc(44);
  head.write('RIFF');
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]] as const) head.writeUInt16LE(value, at); // biome-ignore format: pairs
  head.writeUInt32LE(RATE_HZ, 24);
  head.writeUInt32LE(2 * RATE_HZ, 28);
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  writeFileSync(
    path,
    Buffer.concat([head, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)]),
  );
}

/** The variant's bytes, or undefined if this machine's program cannot make it. */
export function makeVariant(variant: Variant, folder: string, clip: string): Buffer | undefined {
  const out = join(folder, `variant.${variant.ext}`);
  const args = variant.args.map((it) => (it === 'IN' ? clip : it === 'OUT' ? out : it));
  const piped = args.includes('pipe:1');
  const quiet =
    variant.tool === 'ffmpeg' ? ['-nostdin', '-y', '-v', 'error', '-bitexact'] : ['-V1', '-R', '-D'];
  const made = spawnSync(variant.tool, [...quiet, ...args], { maxBuffer: 1 << 26 });
  if (made.status !== 0) return undefined;
  const bytes = piped ? made.stdout : readFileSync(out);
  return variant.edit === undefined ? bytes : variant.edit(Buffer.from(bytes));
}

export interface Outcome {
  /** Seconds of audio, and their correlation with the clip; null if the file was refused. */
  readonly seconds: number | null;
  readonly correlation: number | null;
  /** The server's response to a refused file. */
  readonly status: number | null;
  readonly message: string;
  readonly asExpected: boolean;
}

/** Decodes a variant and compares the result with the expectation. */
export async function measure(variant: Variant, bytes: Uint8Array, clip: Int16Array): Promise<Outcome> {
  try {
    const samples = await decodeFile({ bytes, maxSeconds: 60 });
    const { least = 0.9, times = 1, expect } = variant;
    const correlation = bestCorrelation(samples, clip);
    const enough = samples.length >= times * clip.length - RATE_HZ / 25;
    const notMore = samples.length <= times * (clip.length + RATE_HZ / 4);
    const asExpected = expect === 'sound' && correlation >= least && enough && notMore;
    return { seconds: samples.length / RATE_HZ, correlation, status: null, message: '', asExpected };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const { httpStatus } = error.entry;
    const message = error.detail ?? error.message;
    const asExpected = httpStatus === variant.expect;
    return { seconds: null, correlation: null, status: httpStatus, message, asExpected };
  }
}

/** The highest correlation over shifts of up to ±0.2 s, since codecs add delay. */
function bestCorrelation(a: Int16Array, b: Int16Array): number {
  let best = -1;
  const reach = RATE_HZ / 5;
  const coarse = (shift: number, step: number): number => {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = reach; i < b.length - reach; i += step) {
      const [x, y] = [a[i + shift] ?? 0, b[i]!];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
  };
  for (let shift = -reach; shift <= reach; shift += 1) best = Math.max(best, coarse(shift, 23));
  return best;
}
