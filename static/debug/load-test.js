/**
 * Runs many streams at once, each with the bundled speech clip in a loop at the pace of speech. Speech is required: a
 * tone costs the recogniser almost nothing and shows no words.
 */
import { percentile } from '../client/latency.js';

/**
 * @typedef {import('../websocket-client.js').RNNTClient} RNNTClient
 * @typedef {{ count: number, p50: number | null, p95: number | null, p99: number | null, max: number | null }} Spread
 *
 * @typedef {object} LoadReport
 * @property {number} connections
 * @property {number} seconds
 * @property {number} completed
 * @property {{ code: string, text: string, count: number }[]} failures
 * @property {Spread} chunkMs From sending a chunk to receiving a partial that covers it.
 * @property {Spread} wordMs From a word's end in the audio to the first result that shows it and is not retracted.
 * @property {Spread} finalMs From stop to the final transcript.
 * @property {number} distinctTranscripts All streams hear the same: 1 where the server is deterministic.
 * @property {number} lateMs How late this browser's own timers were at worst; above 100 it is the bottleneck.
 */

/** Streams start evenly spread over this time, as independent users would. */
const RAMP_MS = 1_000;

/**
 * @param {{
 *   newClient: () => RNNTClient, samples: Float32Array, sampleRate: number, connections: number, seconds: number,
 *   signal?: AbortSignal | undefined, onProgress?: ((done: number) => void) | undefined,
 * }} options
 * @returns {Promise<LoadReport>}
 */
export async function loadTest({ newClient, samples, sampleRate, connections, seconds, signal, onProgress }) {
  const audio = looped(samples, Math.round(seconds * sampleRate));
  /** @type {{ chunkMs: number[], wordMs: number[], finalMs: number[] }} */
  const measured = { chunkMs: [], wordMs: [], finalMs: [] };
  /** @type {Map<string, { code: string, text: string, count: number }>} */
  const failures = new Map();
  /** @type {Set<string>} */
  const transcripts = new Set();
  const watch = watchTimers();
  let completed = 0;
  let done = 0;

  /** @param {number} index */
  async function one(index) {
    await new Promise((resolve) => setTimeout(resolve, (RAMP_MS * index) / connections));
    const client = newClient();
    client.on('latency', ({ chunkMs, wordMs }) => {
      if (chunkMs !== undefined) measured.chunkMs.push(chunkMs);
      if (wordMs !== undefined) measured.wordMs.push(wordMs);
    });
    try {
      await client.start({ sample_rate: sampleRate });
      await client.sendAll(audio, { speed: 1, ...(signal ? { signal } : {}) });
      const stoppedAtMs = performance.now();
      const { transcript } = await client.stop();
      measured.finalMs.push(performance.now() - stoppedAtMs);
      transcripts.add(transcript);
      completed += 1;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'FAILED';
      const text = error instanceof Error ? error.message : String(error);
      const known = failures.get(code) ?? { code, text, count: 0 };
      failures.set(code, { ...known, count: known.count + 1 });
    } finally {
      client.close();
      done += 1;
      onProgress?.(done);
    }
  }

  await Promise.all(Array.from({ length: connections }, (_, index) => one(index)));
  return {
    connections,
    seconds,
    completed,
    failures: [...failures.values()],
    chunkMs: spread(measured.chunkMs),
    wordMs: spread(measured.wordMs),
    finalMs: spread(measured.finalMs),
    distinctTranscripts: transcripts.size,
    lateMs: watch.stop(),
  };
}

/**
 * @param {Float32Array} samples
 * @param {number} length
 */
function looped(samples, length) {
  const out = new Float32Array(length);
  for (let at = 0; at < length; at += samples.length) out.set(samples.subarray(0, length - at), at);
  return out;
}

/**
 * @param {number[]} values
 * @returns {Spread}
 */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    p50: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    max: sorted[sorted.length - 1] ?? null,
  };
}

/** Measures how late timers fire while it watches. */
function watchTimers() {
  const everyMs = 50;
  let worstMs = 0;
  let dueMs = performance.now() + everyMs;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    worstMs = Math.max(worstMs, nowMs - dueMs);
    dueMs = nowMs + everyMs;
  }, everyMs);
  return {
    stop: () => {
      clearInterval(timer);
      return Math.round(worstMs);
    },
  };
}
