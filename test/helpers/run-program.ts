/** Runs programs to their end, for tests of the examples and of the commands that the documents name. */
import { spawn } from 'node:child_process';
import { packageRoot } from '../../src/paths.js';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const RUN_TIMEOUT_MS = 60_000;

/** Runs a program to its end, in the repository's root if no other folder is said. */
export function runProgram(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = packageRoot,
): Promise<Finished> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_TIMEOUT_MS,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs a Node script of the repository. */
export const runScript = (script: string, ...args: string[]): Promise<Finished> =>
  runProgram(process.execPath, [script, ...args]);
