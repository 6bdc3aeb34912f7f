/**
 * Formats without a built-in decoder (AAC, Speex, AMR, WMA, …) are decoded by the program `ffmpeg`, if it is on the
 * PATH.
 *
 * It is told which demuxer to use, reads from one pipe and writes to another, and may open nothing else: no file, no
 * network (`-protocol_whitelist pipe`). It is stopped when its output is no longer read, or when it has written the
 * longest audio that an upload may have. A file for which it reports an error counts as damaged.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { type Blocks, checkChannels, damaged, unsupported } from './block.js';
import { sampleBlocks } from './samples.js';

export interface FfmpegInput {
  /** ffmpeg's name of the format, so that it does not guess. */
  readonly demuxer: string;
  readonly container: string;
  readonly codec: string;
  /** The file, in pieces. */
  readonly input: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Total bytes, for progress; default: those of the pieces. */
  readonly totalSeconds?: number | undefined;
}

const HELP = 'It is decoded by ffmpeg, which is not on the PATH of the server.';
/** ffmpeg counts as stuck after this long without reading or writing a byte. */
const STALL_MS = 20_000;
const AU_HEAD_BYTES = 24;
/** Most characters kept of its standard error. */
const MAX_COMPLAINT_CHARS = 2_000;

function argumentsFor(demuxer: string): string[] {
  const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-xerror'];
  const input = [
    '-protocol_whitelist',
    'pipe',
    '-threads',
    '1',
    '-err_detect',
    'explode',
    '-f',
    demuxer,
    '-i',
    'pipe:0',
  ];
  const output = ['-map', '0:a:0', '-vn', '-sn', '-dn', '-c:a', 'pcm_s16be', '-f', 'au', 'pipe:1'];
  return [...quiet, ...input, ...output];
}

/** @throws ServerError UNSUPPORTED_MEDIA without ffmpeg, CORRUPT_AUDIO */
export async function* ffmpegBlocks(from: FfmpegInput): Blocks {
  const { container, codec } = from;
  const child = spawn('ffmpeg', argumentsFor(from.demuxer), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '' },
    windowsHide: true,
  });
  let failure: Error | undefined;
  let complaint = '';
  child.on('error', (error) => {
    failure = error;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, MAX_COMPLAINT_CHARS);
  });
  const closed = once(child, 'close').catch(() => undefined);
  let badInput: unknown;
  // Caught here, since an unhandled rejection would end the thread.
  const fed = feed(child, from.input).catch((error: unknown) => {
    badInput = error;
    child.kill('SIGKILL');
  });
  try {
    yield* readAu(child, from);
    await Promise.all([closed, fed]);
    if (failure !== undefined) throw unsupported(container, codec, HELP);
    if (badInput !== undefined) throw badInput;
    if (complaint !== '' || child.exitCode !== 0) {
      throw damaged(`${container} with ${codec}`, `ffmpeg says: ${firstLine(complaint)}`);
    }
  } catch (error) {
    if (failure !== undefined) throw unsupported(container, codec, HELP);
    throw badInput ?? error;
  } finally {
    child.kill('SIGKILL');
  }
}

/** Its first error message, without memory addresses. */
const firstLine = (text: string): string =>
  (text.split('\n')[0] ?? '')
    .replace(/ @ 0x[0-9a-f]+/g, '')
    .replace(/[.\s]+$/, '')
    .slice(0, 200) || 'nothing';

async function feed(child: ChildProcess, input: FfmpegInput['input']): Promise<void> {
  const { stdin } = child;
  if (stdin === null) return;
  let open = true;
  // ffmpeg may have read enough, or may not have started: its exit code and messages tell.
  stdin.on('error', () => {
    open = false;
  });
  stdin.on('close', () => {
    open = false;
  });
  for await (const piece of input) {
    for (let at = 0; at < piece.length && open; at += 65_536) {
      if (!stdin.write(piece.subarray(at, at + 65_536)) && open) {
        await Promise.race([once(stdin, 'drain'), once(stdin, 'close')]).catch(() => undefined);
      }
    }
    if (!open) return;
  }
  stdin.end();
}

/** The next piece of its output. While no output is requested ffmpeg may wait; after a request it must answer. */
async function read(child: ChildProcess, output: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  const stall = setTimeout(() => child.kill('SIGKILL'), STALL_MS).unref();
  const { done, value } = await output.next();
  clearTimeout(stall);
  return done ? undefined : value;
}

/** AU is the simplest header that carries rate and channels. */
async function* readAu(child: ChildProcess & { readonly stdout: Readable }, from: FfmpegInput): Blocks {
  const output = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer = Buffer.alloc(0);
  let format: { channels: number; rateHz: number } | undefined;
  let frames = 0;
  for (let chunk = await read(child, output); chunk !== undefined; chunk = await read(child, output)) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (format === undefined) {
      if (held.length < AU_HEAD_BYTES || held.length < held.readUInt32BE(4)) continue;
      format = { rateHz: held.readUInt32BE(16), channels: held.readUInt32BE(20) };
      checkChannels(from.container, from.codec, format.channels);
      held = held.subarray(held.readUInt32BE(4));
    }
    const end = held.length - (held.length % (2 * format.channels));
    for (const block of sampleBlocks(
      held,
      { start: 0, end },
      { kind: 'int', width: 2, littleEndian: false, ...format },
    )) {
      frames += block.planes[0]?.length ?? 0;
      const total = from.totalSeconds ?? 0;
      yield { ...block, fraction: total > 0 ? Math.min(1, frames / format.rateHz / total) : 0 };
    }
    held = held.subarray(end);
  }
}
