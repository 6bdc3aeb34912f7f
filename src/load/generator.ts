/**
 * A paced load of speech: N streams, each sending 100 ms of audio every 100 ms, from a separate process.
 *
 * Latencies, as seen by the client:
 *   chunk  from sending the chunk that a partial covers (`audio_end`) to the partial's arrival
 *   word   from the word's end in the audio, according to its final, to the first message that shows the word and is not
 *          retracted; words that only the flush at the end brought are excluded
 *   final  from stop_recording to recording_stopped
 */
import { readFile } from 'node:fs/promises';
import { WebSocket } from 'ws';
import { Marks } from '#static/client/marks.js';
import { WordLatency } from '#static/client/word-latency.js';
import { CodecPool } from '../codec/pool.js';
import { inPackage } from '../paths.js';

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface LoadReport {
  readonly connections: number;
  readonly seconds: number;
  readonly refused: number;
  readonly failed: number;
  readonly partials: number;
  readonly words: number;
  readonly chunk_ms: Percentiles;
  readonly word_ms: Percentiles;
  readonly final_ms: Percentiles;
  /** How late the generator's own sends were. If this is large, it dominates the other figures. */
  readonly pacing_late_ms: Percentiles;
}

const CHUNK_SAMPLES = 1_600;
const CHUNK_MS = 100;

export function percentiles(values: number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0) * 10) / 10;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** Human speech: the test clips one after another with pauses, or the bundled sample if there are none. */
export async function loadSpeech(): Promise<Int16Array> {
  const codecs = new CodecPool();
  const decode = async (path: string) => codecs.decodeFile(await readFile(path), { maxSeconds: 60 });
  let parts: Int16Array[];
  try {
    const list = JSON.parse(await readFile(inPackage('test', 'fixtures', 'speech.json'), 'utf8')) as {
      file: string;
    }[];
    parts = [];
    for (const { file } of list) parts.push(await decode(inPackage('test', 'fixtures', 'speech', file)));
  } catch {
    parts = [await decode(inPackage('static', 'sample.wav'))];
  }
  await codecs.close();
  const pause = CHUNK_SAMPLES * 7;
  const total = parts.reduce((sum, part) => sum + part.length + pause, 0);
  const speech = new Int16Array(total);
  let at = 0;
  for (const part of parts) {
    speech.set(part, at);
    at += part.length + pause;
  }
  return speech;
}

interface Totals {
  refused: number;
  failed: number;
  partials: number;
  words: number;
  chunkMs: number[];
  wordMs: number[];
  finalMs: number[];
  lateMs: number[];
}

/** One client: starts `offset` samples into the speech and `phaseMs` after the others. */
function runStream(options: LoadOptions, speech: Int16Array, index: number, totals: Totals): Promise<void> {
  const chunks = Math.round((options.seconds * 1000) / CHUNK_MS);
  const sentAt = new Float64Array(chunks);
  const spoken = new Marks(); // in seconds
  const words = new WordLatency((seconds) => spoken.momentMs(seconds, 0.001));
  let from = Math.floor((index * 0.618 * speech.length) % speech.length);
  return new Promise((resolve) => {
    const socket = new WebSocket(options.url, { perMessageDeflate: false });
    let stopAt = 0;
    let finished = false;
    const fail = (kind: 'failed' | 'refused') => {
      if (!finished) totals[kind]++;
      finished = true;
      socket.terminate();
      resolve();
    };
    const send = (chunk: number, startMs: number) => {
      if (finished) return;
      if (chunk === chunks) {
        stopAt = performance.now();
        socket.send('{"type":"stop_recording"}');
        return;
      }
      if (from + CHUNK_SAMPLES > speech.length) from = 0;
      socket.send(new Uint8Array(speech.buffer, from * 2, CHUNK_SAMPLES * 2));
      from += CHUNK_SAMPLES;
      const now = performance.now();
      sentAt[chunk] = now;
      spoken.add(((chunk + 1) * CHUNK_MS) / 1000, now);
      totals.lateMs.push(now - (startMs + chunk * CHUNK_MS));
      setTimeout(() => send(chunk + 1, startMs), startMs + (chunk + 1) * CHUNK_MS - now);
    };
    const handlers: Record<string, (message: Record<string, unknown>) => void> = {
      recording_started: () => send(0, performance.now()),
      partial: (message) => {
        totals.partials++;
        words.show(message, { ms: performance.now() });
        if (stopAt > 0) return; // brought by the flush: it waited for the stop, not for the server
        const chunk = Math.round((message.audio_end as number) * (1000 / CHUNK_MS)) - 1;
        const sent = sentAt[chunk];
        if (sent) totals.chunkMs.push(performance.now() - sent);
      },
      transcription: (message) => {
        const final = words.show(message, { ms: performance.now() });
        totals.words += final.length;
        const live = final.filter(({ shown }) => stopAt === 0 || shown.ms < stopAt);
        totals.wordMs.push(...words.measure(live));
      },
      recording_stopped: () => {
        totals.finalMs.push(performance.now() - stopAt);
        finished = true;
        socket.close();
        resolve();
      },
      error: () => fail('failed'),
    };
    socket.on('open', () => {
      // Starts are spread over a chunk's length, as with independent clients.
      setTimeout(() => socket.send('{"type":"start_recording"}'), (index * 61.8) % CHUNK_MS);
    });
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString()) as Record<string, unknown>;
      handlers[message.type as string]?.(message);
    });
    socket.on('unexpected-response', () => fail('refused'));
    socket.on('close', () => fail('failed'));
    socket.on('error', () => fail('failed'));
  });
}

export async function generateLoad(options: LoadOptions): Promise<LoadReport> {
  const speech = await loadSpeech();
  const totals: Totals = {
    refused: 0,
    failed: 0,
    partials: 0,
    words: 0,
    chunkMs: [],
    wordMs: [],
    finalMs: [],
    lateMs: [],
  };
  await Promise.all(
    Array.from({ length: options.connections }, (_, i) => runStream(options, speech, i, totals)),
  );
  const { refused, failed, partials, words } = totals;
  return {
    connections: options.connections,
    seconds: options.seconds,
    refused,
    failed,
    partials,
    words,
    chunk_ms: percentiles(totals.chunkMs),
    word_ms: percentiles(totals.wordMs),
    final_ms: percentiles(totals.finalMs),
    pacing_late_ms: percentiles(totals.lateMs),
  };
}
