/** Recordings over a breaking network, compared with the same recordings undisturbed. */
import assert from 'node:assert/strict';
import type { Plan } from './breaking-network.js';
import { type Item, ResumingClient, type ResumingOptions } from './resuming-client.js';
import { bytesOf, cut, type Message } from './ws-client.js';

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How the audio of a recording is sent. */
export interface Format {
  readonly sampleRate: number;
  readonly frameBytes: number;
  readonly config: { readonly encoding: 'pcm16' | 'float32' };
}

/** One without resampling, one whose frames divide 16 kHz evenly, and one whose do not. */
export const FORMATS: readonly Format[] = [
  { sampleRate: 16_000, frameBytes: 2, config: { encoding: 'pcm16' } },
  { sampleRate: 48_000, frameBytes: 2, config: { encoding: 'pcm16' } },
  { sampleRate: 44_100, frameBytes: 4, config: { encoding: 'float32' } },
];

/** A clip of 16 kHz in another format; the nearest sample will do. */
export function formatted(clip: Int16Array, { sampleRate, config }: Format): Uint8Array {
  const length = Math.floor((clip.length * sampleRate) / 16_000);
  const samples = Int16Array.from({ length }, (_, i) => clip[Math.floor((i * 16_000) / sampleRate)] ?? 0);
  if (config.encoding === 'pcm16') return bytesOf(samples);
  return new Uint8Array(Float32Array.from(samples, (sample) => sample / 32_768).buffer);
}

/** A clip in pieces of uneven length, with a `finalize` and a `configure` here and there, and its stop. */
export function itemsOf(bytes: Uint8Array, frameBytes: number, random: () => number): Item[] {
  const items: Item[] = [];
  for (const piece of cut(bytes, () => frameBytes * (1 + Math.floor(random() * 2_400)))) {
    items.push(piece);
    const dice = random();
    if (dice < 0.06) items.push({ type: 'finalize' });
    else if (dice < 0.09) items.push({ type: 'configure', ...{ partial_interval_ms: 100 } });
  }
  return [...items, { type: 'stop_recording' }];
}

/** A recording with `count` breaks at random positions of input and output. */
export function plansOf(random: () => number, count: number, bytes: number): Plan[] {
  return Array.from({ length: count }, () => ({
    // The handshake is about 400 bytes; now and then the break falls into it.
    up: 200 + Math.floor(random() ** 2 * (1.2 * bytes)),
    down: random() < 0.3 ? 150 + Math.floor(random() * 3_000) : Number.POSITIVE_INFINITY,
    kind: random() < 0.3 ? 'half-open' : 'cut',
  }));
}

export interface CutRun {
  readonly told: Message[];
  readonly client: ResumingClient;
}

export async function record(url: string, items: readonly Item[], options: ResumingOptions): Promise<CutRun> {
  const client = new ResumingClient(url, items, options);
  return { told: await client.run(), client };
}

const CLOCKED = ['timestamp', 'processing_time_ms', 'seq'];
/** Depend on the server's clock, or are held back without a client. */
const PASSING = new Set(['ack', 'metrics', 'partial', 'pong', 'connection', 'moving']);

const timeless = (message: Message): Message =>
  Object.fromEntries(Object.entries(message).filter(([name]) => !CLOCKED.includes(name)));

/** All messages that must be the same, in order. */
export const lasting = (told: readonly Message[]): Message[] =>
  told.filter(({ type, code }) => !PASSING.has(type) && code !== 'RESUME_EXPIRED').map(timeless);

/** The same finals, word times and events in the same order; and no partial that the undisturbed run did not have. */
export function assertSame(run: readonly Message[], undisturbed: readonly Message[], what: string): void {
  // `configured` is answered at once, ahead of the recogniser, so its place among the results varies.
  for (const answers of [false, true]) {
    const those = (told: readonly Message[]) =>
      lasting(told).filter(({ type }) => (type === 'configured') === answers);
    assert.deepEqual(those(run), those(undisturbed), what);
  }
  const partials = new Set(partialsOf(undisturbed));
  for (const partial of partialsOf(run)) assert.ok(partials.has(partial), `${what}: ${partial}`);
}

const partialsOf = (told: readonly Message[]): string[] =>
  told.filter(({ type }) => type === 'partial').map((message) => JSON.stringify(timeless(message)));
