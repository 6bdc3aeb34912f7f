/** The real server with the embedded model, in this process, for tests that speak to it from outside. */
import { spawn } from 'node:child_process';
import { loadConfig } from '../../src/config.js';
import { createLogger } from '../../src/log.js';
import { packageRoot } from '../../src/paths.js';
import { startServer } from '../../src/server/server.js';

export interface RealServer {
  readonly socketUrl: string;
  readonly httpUrl: string;
  close(): Promise<void>;
}

/** Starts on a free port with one lane; resolves when it is ready. */
export async function startRealServer(): Promise<RealServer> {
  const config = loadConfig({
    host: '127.0.0.1',
    port: 0,
    provider: 'cpu',
    lanes: 1,
    maxBatch: 8,
    maxStreams: 32,
    admission: 'slots',
    drainTimeout: 1,
    logLevel: 'silent',
  });
  const server = await startServer(config, createLogger(config));
  await server.ready;
  return {
    socketUrl: `ws://127.0.0.1:${server.port}/ws/transcribe`,
    httpUrl: `http://127.0.0.1:${server.port}`,
    close: async () => {
      server.drain();
      await server.stopped;
    },
  };
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const RUN_TIMEOUT_MS = 60_000;

/** Runs a program to its end in the repository's root. */
export function runProgram(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  const child = spawn(command, args, {
    cwd: packageRoot,
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
