import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodecPool } from '../../src/codec/pool.js';
import { ServerError } from '../../src/errors.js';
import type { UploadConfig } from '../../src/protocol/parse.js';
import { recogniseFile } from '../../src/session/file-job.js';
import { FakeEngine, type FakeEngineOptions } from '../helpers/fake-engine.js';
import { CHUNK, marked, pieces, spoken } from '../helpers/fake-model.js';
import { DEFAULTS } from '../helpers/fake-session.js';
import { Tenant } from '../helpers/tenant.js';

/** Every file is this audio. */
class Decoded extends CodecPool {
  constructor(private readonly audio: Int16Array | ServerError) {
    super();
  }
  override async decodeFile(): Promise<Int16Array> {
    if (this.audio instanceof ServerError) throw this.audio;
    return this.audio;
  }
}

const FILE = new Uint8Array(1);

function jobOn(audio: Int16Array | ServerError, options: FakeEngineOptions = {}) {
  const engine = new FakeEngine(options);
  const codecPool = new Decoded(audio);
  const parts = { engine, codecPool, pieces, defaults: DEFAULTS, maxSeconds: 60 };
  const aborter = new AbortController();
  const told: string[] = [];
  const reader = { keepsUp: true, resume: () => {} };
  const progress = {
    onSegment: (segment: { words: readonly { text: string }[] }) =>
      void told.push(segment.words.map((word) => word.text).join(' ')),
    onProgress: (samples: number, total: number) => void told.push(`${samples} of ${total}`),
    accepts: () => reader.keepsUp,
    whenAccepting: (resume: () => void) => {
      reader.resume = resume;
    },
  };
  return {
    engine,
    aborter,
    told,
    reader,
    transcribe: (wanted: UploadConfig = {}) =>
      recogniseFile(parts, { bytes: FILE, wanted }, progress, aborter.signal),
  };
}

test('a file gives its text, its segments and its length, and its slot is free again', async () => {
  const audio = new Int16Array(40_000);
  audio.set(spoken(8_000, [[100, 'one'], [5_000, 'two']])); // biome-ignore format: pairs
  audio.set(spoken(8_000, [[100, 'three']]), 32_000);
  const { engine, told, transcribe } = jobOn(audio);
  const result = transcribe();
  await engine.settle();
  const { text, segments, samples } = await result;
  assert.deepEqual([text, samples], ['one two three', 40_000]);
  assert.deepEqual(segments.map((segment) => segment.reason), ['silence', 'stop']); // biome-ignore format: short
  assert.ok(told.includes('one two') && told.includes('40000 of 40000'));
  assert.equal(engine.table.leased, 0);
});

test('what an upload asks for holds for it, and what the model cannot do is said', async () => {
  const { engine, transcribe } = jobOn(marked(48_000, [[100, 'one'], [40_000, 'two']])); // biome-ignore format: pairs
  const cut = transcribe({ silence_duration: 0.5, hotwords: [{ phrase: 'three', boost: 2 }] });
  const whole = transcribe({ silence_duration: 5 });
  await engine.settle();
  assert.equal((await cut).segments.length, 2);
  assert.deepEqual((await cut).warnings, ['hotwords: the model takes none']);
  assert.equal((await whole).segments.length, 1);
  assert.deepEqual((await whole).warnings, []);
});

test('a file longer than the ring is fed as room is made', async () => {
  const audio = marked(5 * 16_000 + 7, [[79_000, 'nine']]);
  const { engine, transcribe } = jobOn(audio, { ringSeconds: 1 });
  const result = transcribe();
  await engine.settle();
  assert.equal((await result).text, 'nine');
});

test('a file waits for a listener that does not keep up, and goes on where it was', async () => {
  const audio = marked(10 * 16_000, [[1_000, 'one'], [150_000, 'nine']]); // biome-ignore format: pairs
  const { engine, told, reader, transcribe } = jobOn(audio, { ringSeconds: 1 });
  const result = transcribe();
  await engine.round();
  reader.keepsUp = false;
  await engine.settle();
  const heard = told.length;
  const slot = engine.table.slots.find(({ owner }) => owner !== null);
  assert.ok(slot && slot.written <= 2 * 16_000, 'no more than was in the ring already');
  await engine.settle();
  assert.equal(told.length, heard);
  reader.keepsUp = true;
  reader.resume();
  await engine.settle();
  assert.equal((await result).text, 'one nine');
  assert.equal(engine.table.leased, 0);
});

test('a file whose listener never keeps up can be given up', async () => {
  const { engine, aborter, reader, transcribe } = jobOn(marked(10 * 16_000, []), { ringSeconds: 1 });
  reader.keepsUp = false;
  const result = assert.rejects(transcribe(), /enough/);
  await engine.settle();
  aborter.abort(new Error('enough'));
  await result;
  await engine.settle();
  assert.equal(engine.table.leased, 0);
});

test('a file without a sample has no text', async () => {
  const { engine, transcribe } = jobOn(new Int16Array(0));
  const result = transcribe();
  await engine.settle();
  assert.deepEqual(await result, { segments: [], text: '', samples: 0, warnings: [] });
});

test('what the decoder says is passed on, and no slot is taken', async () => {
  const { engine, transcribe } = jobOn(new ServerError('CORRUPT_AUDIO', 'cut short'));
  await assert.rejects(transcribe(), /cut short/);
  assert.equal(engine.table.leased, 0);
});

test('no free slot is AT_CAPACITY', async () => {
  const { engine, transcribe } = jobOn(marked(CHUNK, []), { slots: 1 });
  engine.lease(new Tenant());
  await assert.rejects(transcribe(), { code: 'AT_CAPACITY' });
});

test('a client that goes away in the middle frees the slot, step under way or not', async () => {
  const { engine, aborter, transcribe } = jobOn(marked(10 * CHUNK, []));
  const result = assert.rejects(transcribe(), /gone/);
  await engine.round();
  engine.pump();
  assert.equal(engine.table.leased, 1);
  aborter.abort(new Error('gone'));
  await result;
  await engine.settle();
  assert.equal(engine.table.leased, 0);
});

test('a recogniser that fails gives the upload up', async () => {
  const { engine, transcribe } = jobOn(marked(CHUNK, []), { maxFailures: 1 });
  const result = assert.rejects(transcribe(), { code: 'ENGINE_FAILED' });
  await engine.round();
  engine.pump();
  engine.lanes[0]?.fail();
  await result;
  await engine.settle();
  assert.equal(engine.table.leased, 0);
});

test('an upload makes room for live streams: it rides behind them', async () => {
  const { engine, transcribe } = jobOn(marked(4 * CHUNK, []), { maxBatch: 1 });
  const result = transcribe();
  const live = engine.lease(new Tenant());
  for (let i = 0; i < 20 && engine.waiting === 0; i++) await Promise.resolve();
  live?.commit(CHUNK);
  await engine.settle();
  await result;
  assert.equal(engine.lanes[0]?.batches[0]?.[0], live?.index);
});
