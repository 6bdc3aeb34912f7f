/** `rnnt-server import SOURCE` */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
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

/** Length of the clip: long enough to contain words, short enough for a large model. */
const CLIP_SAMPLES = 4 * LIMITS.sampleRateHz;

/** Speech on which every import is checked. */
async function spokenClip(): Promise<ImportOptions['clip']> {
  const path = inPackage('static', 'sample.wav');
  const samples = await decodeFile({ bytes: readFileSync(path), maxSeconds: 60 });
  return { path, samples: Float32Array.from(samples.subarray(0, CLIP_SAMPLES), (it) => it / 32_768) };
}

/** Overwrites one line on a terminal; writes one line per message elsewhere. */
function showProgress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what} …`);
  else process.stderr.write(`${what} …\n`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

/** Undoes an import that is interrupted. Returns a function that stops listening for the interrupt. */
function onInterrupt(undo: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stop = (signal: NodeJS.Signals): void => {
    undo();
    forget();
    // `process.exit` ends threads, and inside native code that aborts the process. It is left for where the signal has no
    // effect: in the first process of a container, and for SIGHUP on Windows.
    try {
      process.kill(process.pid, signal);
    } catch {}
    process.exit(128 + constants.signals[signal]);
  };
  const forget = (): void => {
    for (const signal of signals) process.removeListener(signal, stop);
  };
  for (const signal of signals) process.on(signal, stop);
  return forget;
}

export async function runImport(source: string, flags: ImportFlags): Promise<number> {
  const started = performance.now();
  let forget = (): void => {};
  try {
    const report = await importModel({
      source,
      // Absolute, so that the folder printed at the end works as the value of --model.
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
      `${4 * stateFloats} bytes of state per stream; time per step on one core by batch size: ${times}\n` +
      `  each row is bit-identical alone and in a batch; text of the English clip: ${textOf(heard)}\n` +
      `  ${comparison(heard, heardBySherpa)}\n` +
      `Serve it: npm start -- --model ${reference}\n`,
  );
}

const textOf = (pieces: readonly string[]): string =>
  pieces.join('').replaceAll('▁', ' ').trim() || '(nothing)';

/**
 * Compares the words both have. A beam search may hold back its last tokens, and one search may stop a chunk earlier.
 */
function comparison(ours: readonly string[], theirs: readonly string[] | null): string {
  if (theirs === null) return 'not compared with sherpa-onnx (to compare: npm install sherpa-onnx-node)';
  const length = Math.min(ours.length, theirs.length);
  const same = String(ours.slice(0, length)) === String(theirs.slice(0, length));
  return same && Math.abs(ours.length - theirs.length) <= ours.length / 2 + 1
    ? 'sherpa-onnx gives the same text with these files'
    : `sherpa-onnx gives a different text with these files; compare before you rely on it: ${textOf(theirs)}`;
}
