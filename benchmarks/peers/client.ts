/**
 * The client of both servers: N streams of human speech in real time, 100 ms of float32 every 100 ms, utterance after utterance,
 * each on a connection of its own that is opened beforehand. When an utterance's audio ends, the next one's begins, whether or not
 * the final result has come: a slow server is not spared. Only what happens in the window counts.
 */
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { CodecPool } from '../../src/codec/pool.js';
import { type Percentiles, percentiles } from '../../src/load/generator.js';
import { inPackage } from '../../src/paths.js';
import type { Protocol } from './protocols.js';

export interface LoadPlan {
  readonly url: string;
  readonly protocol: Protocol;
  readonly streams: number;
  readonly clips: readonly Float32Array[];
  /** Before the window: connections, caches, the first utterances at the same time. */
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Called when the window opens, and when it closes. */
  readonly onWindow: (edge: 'open' | 'close') => void | Promise<void>;
}

export interface LoadFigures {
  /** Seconds of audio sent within the window, all streams together. */
  readonly streamSeconds: number;
  /** Utterances that ended within the window; those without a final result in time are `lost`. */
  readonly utterances: number;
  readonly lost: number;
  readonly failed: number;
  /** From sending the end to the final result; a lost one counts as `LOST_MS`. */
  readonly final_ms: Percentiles;
  /** Results of steps within the window, if the server sends one for each. */
  readonly steps: number;
  readonly words: number;
  /** How late the client's own frames were. If this is large, it dominates the other figures. */
  readonly late_ms: Percentiles;
}

const RATE = 16_000;
const FRAME = 1_600;
const FRAME_MS = 100;
/** How long before its first sample a connection is opened. */
const AHEAD_MS = 1_000;
/** A final result that takes longer is lost. */
export const LOST_MS = 8_000;

/** The human recordings of the tests, as −1…1. */
export async function humanClips(): Promise<Float32Array[]> {
  const list = JSON.parse(readFileSync(inPackage('test', 'fixtures', 'speech.json'), 'utf8')) as {
    file: string;
  }[];
  const codecs = new CodecPool();
  const clips: Float32Array[] = [];
  for (const { file } of list) {
    const bytes = readFileSync(inPackage('test', 'fixtures', 'speech', file));
    const samples = await codecs.decodeFile(bytes, { maxSeconds: 60 });
    clips.push(Float32Array.from(samples, (sample) => sample / 32_768));
  }
  await codecs.close();
  return clips;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)));

class Run {
  readonly finalMs: number[] = [];
  readonly lateMs: number[] = [];
  readonly open = new Set<WebSocket>();
  inWindow = false;
  samples = 0;
  utterances = 0;
  answered = 0;
  failed = 0;
  steps = 0;
  words = 0;
  over = false;
  constructor(readonly plan: LoadPlan) {}

  /** Sends one utterance from `atMs` on; resolves when its audio is sent. */
  async speak(clip: Float32Array, atMs: number): Promise<void> {
    const { url, protocol } = this.plan;
    await sleep(atMs - AHEAD_MS - performance.now());
    if (this.over) return;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.open.add(socket);
    let [started, endedMs, counts] = [protocol.start === null, 0, false];
    const done = () => {
      this.open.delete(socket);
      socket.terminate();
    };
    const fail = () => {
      if (this.open.has(socket) && !this.over) this.failed++;
      done();
    };
    socket.on('open', () => protocol.start !== null && socket.send(protocol.start));
    socket.on('error', fail);
    socket.on('close', fail);
    socket.on('message', (data) => {
      const heard = protocol.read(String(data));
      if (heard.started) started = true;
      if (heard.failed) return fail();
      if (this.inWindow && heard.step) this.steps++;
      if (this.inWindow) this.words += heard.words?.length ?? 0;
      // Two messages may come in one read, the second after the end.
      if (!heard.ended || endedMs === 0 || !this.open.has(socket)) return;
      if (counts) this.finalMs.push(performance.now() - endedMs);
      if (counts) this.answered++;
      done();
    });
    for (let from = 0; from < clip.length; from += FRAME) {
      // A frame is complete at its last sample.
      const part = clip.subarray(from, from + FRAME);
      const dueMs = atMs + ((from + part.length) * 1_000) / RATE;
      await sleep(dueMs - performance.now());
      if (this.over || !this.open.has(socket)) return;
      if (!started || socket.readyState !== WebSocket.OPEN) return fail();
      socket.send(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      if (!this.inWindow) continue;
      this.samples += part.length;
      this.lateMs.push(performance.now() - dueMs);
    }
    counts = this.inWindow;
    if (counts) this.utterances++;
    endedMs = performance.now();
    socket.send(protocol.end);
  }

  /** One stream. Its utterances differ from its neighbours', and no two begin together. */
  async stream(index: number, startMs: number): Promise<void> {
    const { clips } = this.plan;
    let atMs = startMs + AHEAD_MS + ((index * 618.034) % 3_000);
    for (let turn = 0; !this.over; turn++) {
      const clip = clips[(index * 7 + turn * 5) % clips.length] as Float32Array;
      const spoken = this.speak(clip, atMs);
      atMs += (clip.length * 1_000) / RATE;
      // The next connection is opened before this utterance has ended.
      await Promise.race([spoken, sleep(atMs - AHEAD_MS - FRAME_MS - performance.now())]);
    }
  }
}

/** Loads a server and returns what its clients measured. Nothing remains when it returns. */
export async function load(plan: LoadPlan): Promise<LoadFigures> {
  const run = new Run(plan);
  const startMs = performance.now();
  for (let i = 0; i < plan.streams; i++) void run.stream(i, startMs);
  await sleep(AHEAD_MS + plan.warmSeconds * 1_000);
  await plan.onWindow('open');
  run.inWindow = true;
  await sleep(plan.seconds * 1_000);
  run.inWindow = false;
  await plan.onWindow('close');
  // Utterances that ended in the window may still be answered, under the same load.
  const until = performance.now() + LOST_MS;
  while (run.answered < run.utterances && performance.now() < until) await sleep(FRAME_MS);
  run.over = true;
  for (const socket of run.open) socket.terminate();
  const lost = run.utterances - run.answered;
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    streamSeconds: round(run.samples / RATE),
    utterances: run.utterances,
    lost,
    failed: run.failed,
    final_ms: percentiles([...run.finalMs, ...Array<number>(lost).fill(LOST_MS)]),
    steps: run.steps,
    words: run.words,
    late_ms: percentiles(run.lateMs),
  };
}

/** A server's text of some clips, one after another, as fast as it accepts them. */
export async function hear(
  url: string,
  protocol: Protocol,
  clips: readonly Float32Array[],
): Promise<string[][]> {
  const all: string[][] = [];
  for (const clip of clips) {
    all.push(
      await new Promise<string[]>((resolve, reject) => {
        const words: string[] = [];
        const socket = new WebSocket(url, { perMessageDeflate: false });
        const send = () => {
          for (let from = 0; from < clip.length; from += FRAME) {
            const part = clip.subarray(from, from + FRAME);
            socket.send(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
          }
          socket.send(protocol.end);
        };
        socket.on('open', () => (protocol.start === null ? send() : socket.send(protocol.start)));
        socket.on('error', reject);
        socket.on('message', (data) => {
          const heard = protocol.read(String(data));
          if (heard.failed) reject(new Error(String(data)));
          if (heard.started) send();
          words.push(...(heard.words ?? []));
          if (heard.ended) {
            socket.terminate();
            resolve(words);
          }
        });
      }),
    );
  }
  return all;
}
