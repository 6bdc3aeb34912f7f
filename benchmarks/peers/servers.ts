/** Starts either server on a free port of this machine, and ends it. */
import { type ChildProcess, type ExecFileSyncOptions, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { inPackage } from '../../src/paths.js';
import { type Protocol, rnntServer, sherpaOnnx } from './protocols.js';

export interface RunningPeer {
  readonly protocol: Protocol;
  readonly url: string;
  readonly pid: number;
  /** Where rnnt-server tells its figures; null for others. */
  readonly http: string | null;
  stop(): Promise<void>;
}

const BIN = fileURLToPath(new URL('../../../scripts/bin.mjs', import.meta.url));
const START_MS = 60_000;
const STOP_MS = 10_000;

const exitOf = (child: ChildProcess) => new Promise<void>((resolve) => child.once('exit', () => resolve()));

/** Ends what was started here, and nothing else. */
async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const forced = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(forced);
}

/** @param options as on the command line, beside the model */
export async function startOurs(model: string, options: readonly string[]): Promise<RunningPeer> {
  const args = [BIN, 'start', '--host', '127.0.0.1', '--port', '0', '--log-level', 'warn', '--model', model];
  const child = spawn(process.execPath, [...args, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = exitOf(child);
  const stop = () => end(child, exited);
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    const http = /status\s+(http:\/\/\S+)\/ws\/status/.exec(printed)?.[1];
    if (http === undefined) continue;
    child.stdout.resume();
    const url = `${http.replace('http', 'ws')}/ws/transcribe`;
    return { protocol: rnntServer, url, http, pid: child.pid ?? 0, stop };
  }
  throw new Error(`rnnt-server did not start: ${printed}`);
}

/** The version that the figures are of. */
export const SHERPA_PACKAGE = 'sherpa-onnx-bin==2.0.1';

/**
 * Path of sherpa-onnx's own server: installed from PyPI into .cache/sherpa-onnx the first time.
 * @throws Error if it cannot be
 */
export function sherpaProgram(): string {
  const folder = inPackage('.cache', 'sherpa-onnx');
  const program = join(folder, 'bin', 'sherpa-onnx-online-websocket-server');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const options: ExecFileSyncOptions = { stdio: ['ignore', 2, 2] };
  execFileSync('python3', ['-m', 'venv', folder], options);
  execFileSync(
    join(folder, 'bin', 'pip'),
    ['install', '--quiet', '--disable-pip-version-check', SHERPA_PACKAGE],
    options,
  );
  return program;
}

export interface SherpaFiles {
  readonly encoder: string;
  readonly decoder: string;
  readonly joiner: string;
  readonly tokens: string;
  readonly kind: string;
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

const canConnect = (url: string) =>
  new Promise<boolean>((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on('open', () => {
      socket.terminate();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

/** @param options as on its command line, beside the files and the port */
export async function startSherpa(
  files: SherpaFiles,
  options: readonly string[],
  work: string,
): Promise<RunningPeer> {
  const port = await freePort();
  const { encoder, decoder, joiner, tokens, kind } = files;
  const paths = [`--encoder=${encoder}`, `--decoder=${decoder}`, `--joiner=${joiner}`, `--tokens=${tokens}`];
  const rest = [`--port=${port}`, `--log-file=${join(work, 'sherpa.log')}`];
  // Without its kind it loads the model twice. The warm-up is of zipformer2 alone.
  const known = [`--model-type=${kind}`, ...(kind === 'zipformer2' ? ['--warm-up=2'] : [])];
  const told = openSync(join(work, 'sherpa.out'), 'w');
  const child = spawn(sherpaProgram(), [...paths, ...rest, ...known, ...options], {
    stdio: ['ignore', told, told],
  });
  let running = true;
  const exited = exitOf(child).then(() => {
    running = false;
  });
  const stop = () => end(child, exited);
  const url = `ws://127.0.0.1:${port}/`;
  for (const until = performance.now() + START_MS; running && performance.now() < until; ) {
    if (await canConnect(url)) return { protocol: sherpaOnnx, url, http: null, pid: child.pid ?? 0, stop };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error(`sherpa-onnx's server did not start; its words are in ${join(work, 'sherpa.out')}`);
}
