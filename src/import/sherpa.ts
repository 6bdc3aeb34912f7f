/** Transcribes the same clip with sherpa-onnx, if it is installed, for comparison. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface SherpaTask {
  /** Path of sherpa-onnx-node. */
  readonly module: string;
  readonly encoder: string;
  readonly decoder: string;
  readonly joiner: string;
  readonly tokens: string;
  readonly method: 'greedy_search' | 'modified_beam_search';
  /** Length of the encoder's frames; default 40 (NeMo: 80). */
  readonly frameMs?: number;
  /** WAV files, 16 kHz. */
  readonly files: readonly string[];
  /** Number of samples to use of each; default: all. */
  readonly samples?: number;
}

/** Result for one file: token ids, frames, log-probabilities (for icefall models at a temperature of two). */
export interface SherpaAnswer {
  readonly f: string;
  readonly tokens: readonly number[];
  readonly frames: readonly number[];
  readonly logp: readonly number[];
}

const PROGRAM = fileURLToPath(new URL('sherpa-program.js', import.meta.url));
/** Time to load a large model and run a few seconds of speech. */
const TIMEOUT_MS = 120_000;

/** The path of sherpa-onnx-node as seen from `folder`; null if it is not installed there. */
export function findSherpa(folder: string): string | null {
  try {
    return createRequire(join(folder, 'package.json')).resolve('sherpa-onnx-node');
  } catch {
    return null;
  }
}

/** @throws Error with its message if it cannot use the model */
export async function askSherpa(task: SherpaTask): Promise<SherpaAnswer[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify(task)], {
    timeout: TIMEOUT_MS,
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as SherpaAnswer);
}
