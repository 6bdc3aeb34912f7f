/**
 * Human speech for tests: 33 clips of 2–6 s, 16 kHz mono 16-bit, CC0 or public domain (test/fixtures/speech.json).
 * The files are FLAC; they are decoded losslessly and kept, so that many tests of one file may share them.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { decodeFlac } from '../../src/audio/flac.js';

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
  await decodeFlac(bytes, (mono) => void blocks.push(Int16Array.from(mono)));
  const samples = new Int16Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    samples.set(block, at);
    at += block.length;
  }
  return samples;
}
