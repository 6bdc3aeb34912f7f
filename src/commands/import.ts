/** `rnnt-server import SOURCE` */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { decodeFile } from '../audio/file.js';
import { type ImportOptions, type ImportReport, importModel } from '../import/importer.js';
import type { Precision, Search } from '../import/options.js';
import { findSherpa } from '../import/sherpa.js';
import { LIMITS } from '../limits.js';
import { inPackage } from '../paths.js';

export interface ImportFlags {
  out?: string;
  name?: string;
  precision: Precision;
  search: Search;
  language?: string;
  chunkMs?: number;
  leftFrames?: number;
}

/** As much of the clip: enough to hear words in, and no long wait with a large model. */
const CLIP_SAMPLES = 4 * LIMITS.sampleRateHz;

/** Speech that every import is tried on. */
async function spokenClip(): Promise<ImportOptions['clip']> {
  const path = inPackage('static', 'sample.wav');
  const samples = await decodeFile({ bytes: readFileSync(path), maxSeconds: 60 });
  return { path, samples: Float32Array.from(samples.subarray(0, CLIP_SAMPLES), (it) => it / 32_768) };
}

/** A line that is written over on a terminal, and a line each elsewhere. */
function showProgress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what} …`);
  else process.stderr.write(`${what} …\n`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

/** Takes an import back when it is interrupted; returns how to stop waiting for that. */
function onInterrupt(undo: () => void): () => void {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const stop = (signal: NodeJS.Signals): void => {
    undo();
    process.exit(signals[signal as keyof typeof signals]);
  };
  for (const signal of Object.keys(signals)) process.once(signal, stop);
  return () => {
    for (const signal of Object.keys(signals)) process.removeListener(signal, stop);
  };
}

export async function runImport(source: string, flags: ImportFlags): Promise<number> {
  const started = performance.now();
  let forget = (): void => {};
  try {
    const report = await importModel({
      source,
      // Absolute, so that the folder told is one that --model takes for a path.
      out: flags.out === undefined ? inPackage('models') : resolve(flags.out),
      name: flags.name ?? null,
      precision: flags.precision,
      search: flags.search,
      streaming: { chunkMs: flags.chunkMs ?? null, leftFrames: flags.leftFrames ?? null },
      language: flags.language ?? null,
      clip: await spokenClip(),
      sherpa: findSherpa(process.cwd()),
      onProgress: showProgress,
      onUndo: (undo) => {
        forget();
        forget = undo === null ? () => {} : onInterrupt(undo);
      },
    });
    clearProgress();
    tell(report, flags, performance.now() - started);
    return 0;
  } finally {
    forget();
    clearProgress();
  }
}

function tell(
  { name, folder, step, precision, heard, heardBySherpa, stepMs }: ImportReport,
  flags: ImportFlags,
  ms: number,
): void {
  const { chunkSamples, windowSamples, stateFloats, kind } = step;
  const times = [...stepMs].map(([batch, it]) => `${it.toFixed(1)} ms (${batch})`).join(', ');
  const reference = flags.out === undefined ? name : folder;
  process.stdout.write(
    `${name}: ${kind}, ${precision}, ${flags.search} search; imported in ${(ms / 1000).toFixed(1)} s to ${folder}\n` +
      `  chunk ${chunkSamples / 16} ms, look-ahead ${(windowSamples - chunkSamples) / 16} ms, ` +
      `${4 * stateFloats} bytes of state a stream; a step on one core by batch: ${times}\n` +
      `  rows of a batch are the same to the bit alone and together; heard in the English clip: ${textOf(heard)}\n` +
      `  ${comparison(heard, heardBySherpa)}\n` +
      `Serve it: npm start -- --model ${reference}\n`,
  );
}

const textOf = (pieces: readonly string[]): string =>
  pieces.join('').replaceAll('▁', ' ').trim() || '(nothing)';

/** A beam may hold its last tokens, and one of two searches may end a chunk earlier: what both have is compared. */
function comparison(ours: readonly string[], theirs: readonly string[] | null): string {
  if (theirs === null) return 'sherpa-onnx was not asked (npm install sherpa-onnx-node, to have it compared)';
  const length = Math.min(ours.length, theirs.length);
  const same = String(ours.slice(0, length)) === String(theirs.slice(0, length));
  return same && Math.abs(ours.length - theirs.length) <= ours.length / 2 + 1
    ? 'sherpa-onnx hears the same with these files'
    : `sherpa-onnx hears otherwise with these files, compare before you rely on it: ${textOf(theirs)}`;
}
