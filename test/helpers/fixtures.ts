/**
 * Human speech for tests: 33 clips of 2–6 s, 16 kHz mono 16-bit, CC0 or public domain (test/fixtures/speech.json).
 * The files are FLAC; they are decoded losslessly and kept, so that many tests of one file may share them.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { joinSamples } from '../../src/audio/file.js';
import { flacBlocks } from '../../src/audio/files/flac.js';

export interface Clip {
  /** File name in test/fixtures/speech/, also the clip's name. */
  file: string;
  /** What is said: lower case, a–z and apostrophe, numbers spelled out. */
  text: string;
  source: string;
  id: string;
  speaker: string;
  licence: string;
  seconds: number;
}

/** The repository's root, from the source tree and from dist/ alike. */
const root = new URL(import.meta.url.includes('/dist/') ? '../../../' : '../../', import.meta.url);
export const fixturesDir: string = fileURLToPath(new URL('test/fixtures/', root));
export const sampleWavPath: string = fileURLToPath(new URL('static/sample.wav', root));

export const clips: readonly Clip[] = JSON.parse(
  await readFile(new URL('test/fixtures/speech.json', root), 'utf8'),
) as Clip[];

const loaded = new Map<string, Promise<Int16Array>>();

/** A clip's samples (16 kHz mono) by its file name, with or without `.flac`. Treat them as read-only. */
export function loadClip(name: string): Promise<Int16Array> {
  const file = name.endsWith('.flac') ? name : `${name}.flac`;
  if (!clips.some((clip) => clip.file === file)) throw new Error(`There is no speech fixture ${name}.`);
  let samples = loaded.get(file);
  if (samples === undefined) {
    samples = decode(file);
    loaded.set(file, samples);
  }
  return samples;
}

async function decode(file: string): Promise<Int16Array> {
  const bytes = await readFile(new URL(`test/fixtures/speech/${file}`, root));
  const blocks: Int16Array[] = [];
  for await (const { planes } of flacBlocks(bytes)) blocks.push(Int16Array.from(planes[0] ?? []));
  return joinSamples(blocks);
}
