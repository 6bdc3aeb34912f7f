/** Asks sherpa-onnx, where it is at hand, what it hears with the same files. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface SherpaTask {
  /** Where sherpa-onnx-node is. */
  readonly module: string;
  readonly encoder: string;
  readonly decoder: string;
  readonly joiner: string;
  readonly tokens: string;
  readonly method: 'greedy_search' | 'modified_beam_search';
  /** Length of the encoder's frames; 40 without it (NeMo: 80). */
  readonly frameMs?: number;
  /** WAV files, 16 kHz. */
  readonly files: readonly string[];
  /** As much of each; without it the whole. */
  readonly samples?: number;
}

/** Of one file: token ids, frames, log-probabilities (of icefall's kinds at a temperature of two). */
export interface SherpaAnswer {
  readonly f: string;
  readonly tokens: readonly number[];
  readonly frames: readonly number[];
  readonly logp: readonly number[];
}

const PROGRAM = fileURLToPath(new URL('sherpa-program.js', import.meta.url));
/** A large model is loaded and runs a few seconds of speech. */
const TIMEOUT_MS = 120_000;

/** Where sherpa-onnx-node is for a program in `folder`; null if it is not installed there. */
export function findSherpa(folder: string): string | null {
  try {
    return createRequire(join(folder, 'package.json')).resolve('sherpa-onnx-node');
  } catch {
    return null;
  }
}

/** @throws Error with its words if it cannot take the model */
export async function askSherpa(task: SherpaTask): Promise<SherpaAnswer[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify(task)], {
    timeout: TIMEOUT_MS,
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as SherpaAnswer);
}
