/**
 * A stream's transcript is the same alone or in any batch, on any lane, in any slot, and however its audio was cut
 * into frames. Compared are the model's own tokens with the samples at which they came out.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadConfig } from '../../src/config.js';
import { type Engine, startEngine } from '../../src/inference/engine.js';
import type { Slot, SlotOwner } from '../../src/inference/stream-table.js';
import { createLogger } from '../../src/log.js';
import { loadModel } from '../../src/models/store.js';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';

const STREAMS = 32;
const FLUSH_SAMPLES = 8_000;

/** Leases a slot, plays a clip into it, and notes every token with its place. */
class Player implements SlotOwner {
  readonly tokens: string[] = [];
  slotIndex = -1;
  private position = 0;
  private written = 0;
  private slot: Slot | null = null;
  private finish: () => void = () => {};
  private readonly stepped = new Set<() => void>();

  constructor(
    private readonly engine: Engine,
    private readonly samples: Int16Array,
  ) {}

  play(): Promise<string> {
    const slot = this.engine.lease(this);
    assert.ok(slot !== null, 'a slot is free');
    this.slot = slot;
    this.slotIndex = slot.index;
    return new Promise((resolve) => {
      this.finish = () => {
        this.engine.release(slot);
        resolve(this.tokens.join(' '));
      };
      this.feed();
    });
  }

  /** Resolves once this many samples have gone through the model. */
  async reached(samples: number): Promise<void> {
    while (this.position < samples) await new Promise<void>((resolve) => this.stepped.add(resolve));
  }

  private feed(): void {
    const slot = this.slot!; // play() has set it
    const count = Math.min(slot.free(), this.samples.length - this.written);
    if (count > 0) {
      for (let i = 0; i < count; i++) {
        slot.ring[(slot.written + i) % slot.ring.length] = this.samples[this.written + i]!;
      }
      this.written += count;
      slot.commit(count);
    }
    if (this.written === this.samples.length && !slot.flushing) slot.flush(FLUSH_SAMPLES);
  }

  onStep(slot: Slot, audioSamples: number): void {
    slot.result.tokens.forEach((token, i) => {
      if (token >= 0) this.tokens.push(`${token}@${this.position}+${i}`);
    });
    this.position += audioSamples;
    for (const wake of this.stepped) wake();
    this.stepped.clear();
    if (!slot.flushing) this.feed();
  }

  onFlushed(): void {
    this.finish();
  }

  onFault(): void {
    throw new Error('the engine gave the stream up');
  }
}

async function engineWith(lanes: number, maxStreams: number, laneThreads = 1): Promise<Engine> {
  const config = loadConfig(
    { provider: 'cpu', lanes, laneThreads, maxStreams, maxBatch: STREAMS, logLevel: 'silent' },
    {},
  );
  return startEngine(await loadModel(config.model), config, createLogger(config));
}

let speech: Int16Array[];
let alone: string[];
before(async () => {
  speech = await Promise.all(clips.slice(0, STREAMS).map((clip) => loadClip(clip.file)));
  const engine = await engineWith(1, 1);
  alone = [];
  for (const samples of speech) alone.push(await new Player(engine, samples).play());
  const { max } = batchRange(engine);
  await engine.close();
  assert.equal(max, 1, 'each ran alone');
  assert.ok(alone.filter((tokens) => tokens.length > 0).length >= STREAMS - 2, 'speech gave tokens');
});

function batchRange(engine: Engine): { max: number } {
  return { max: engine.stats.batchSizes.findLastIndex((count) => count > 0) };
}

test('32 clips that start at different times give the tokens they gave alone', async () => {
  const engine = await engineWith(1, STREAMS);
  const players = speech.map((samples) => new Player(engine, samples));
  const results: Promise<string>[] = [];
  for (const player of players) {
    results.push(player.play());
    await player.reached(3_200);
  }
  assert.deepEqual(await Promise.all(results), alone);
  assert.ok(batchRange(engine).max > 1, 'they shared batches');
  await engine.close();
});

test('all at once, over two lanes, in slots that served others before: the same tokens', async () => {
  const engine = await engineWith(2, STREAMS);
  const first = speech.map((samples) => new Player(engine, samples));
  assert.deepEqual(await Promise.all(first.map((player) => player.play())), alone);
  assert.ok(batchRange(engine).max >= 8, 'they shared large batches');
  // Backwards, so that each clip gets a slot that another had.
  const second = [...speech].reverse().map((samples) => new Player(engine, samples));
  assert.deepEqual(await Promise.all(second.map((player) => player.play())), [...alone].reverse());
  const moved = second.filter((player, i) => player.slotIndex !== first[STREAMS - 1 - i]!.slotIndex);
  assert.ok(moved.length > 0, 'slots changed tenants');
  for (const lane of engine.lanes) assert.ok(lane.steps > 0, `lane ${lane.id} took part`);
  await engine.close();
});

test('with two threads on each step the tokens are those of one, alone and in batches', async () => {
  const engine = await engineWith(1, STREAMS, 2);
  const [first] = speech;
  assert.ok(first);
  assert.equal(await new Player(engine, first).play(), alone[0], 'alone');
  const players = speech.map((samples) => new Player(engine, samples));
  assert.deepEqual(await Promise.all(players.map((player) => player.play())), alone);
  assert.ok(batchRange(engine).max >= 8, 'they shared large batches');
  await engine.close();
});

let live: LiveServer;
before(async () => {
  live = await startLiveServer();
});
after(() => live.stop());

/** What a client sees that depends on the audio alone. */
async function transcriptOf(
  samples: Int16Array,
  size: number | (() => number),
  config = {},
): Promise<unknown> {
  const client = await TestClient.open(live.ws);
  const stopped = await client.transcribe(cut(bytesOf(samples), size), config);
  const finals = client
    .all('transcription')
    .map(({ segment_id, text, words, reason }) => ({ segment_id, text, words, reason }));
  await client.close();
  return { text: stopped.final_transcript, duration: stopped.total_duration, finals };
}

/** A small generator with a fixed seed (mulberry32), so that a failing cut can be had again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('frames of 1, 160, 1,600 samples and of random odd bytes give the same words and times', async () => {
  const samples = speech[0]!.subarray(0, 24_000);
  const whole = await transcriptOf(samples, samples.byteLength);
  const random = seeded(7);
  assert.deepEqual(await transcriptOf(samples, 2), whole, '1 sample');
  assert.deepEqual(await transcriptOf(samples, 320), whole, '160 samples');
  assert.deepEqual(await transcriptOf(samples, 3_200), whole, '1,600 samples');
  assert.deepEqual(await transcriptOf(samples, () => Math.floor(random() * 5_000)), whole, 'random bytes');
});

test('at 48 kHz, through the codec pool, framing changes nothing either', async () => {
  const source = speech[1]!.subarray(0, 24_000);
  const at48k = new Int16Array(source.length * 3);
  for (let i = 0; i < at48k.length; i++) at48k[i] = source[Math.floor(i / 3)]!;
  const config = { sample_rate: 48_000 };
  const random = seeded(8);
  const whole = await transcriptOf(at48k, at48k.byteLength, config);
  assert.deepEqual(await transcriptOf(at48k, 9_600, config), whole, '100 ms');
  assert.deepEqual(
    await transcriptOf(at48k, () => Math.floor(random() * 9_000), config),
    whole,
    'random bytes',
  );
});
