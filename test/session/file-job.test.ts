import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FilePieces } from '../../src/codec/file-stream.js';
import { CodecPool } from '../../src/codec/pool.js';
import { ServerError } from '../../src/errors.js';
import type { UploadConfig } from '../../src/protocol/parse.js';
import { recogniseFile } from '../../src/session/file-job.js';
import { FakeEngine, type FakeEngineOptions } from '../helpers/fake-engine.js';
import { CHUNK, marked, pieces, spoken } from '../helpers/fake-model.js';
import { DEFAULTS } from '../helpers/fake-session.js';
import { Tenant } from '../helpers/tenant.js';

type Audio = Int16Array | readonly Int16Array[] | ServerError;
const PIECE_SAMPLES = 16_000;

/** Every file is this audio: one channel, or several; an error comes after the first piece of it, if it has one. */
class Decoded extends CodecPool {
  closedFiles = 0;
  constructor(
    private readonly audio: Audio,
    private readonly failure?: ServerError,
  ) {
    super();
  }
  override openFile(): FilePieces {
    const audio = this.audio;
    const failure = this.failure;
    let at = 0;
    return {
      next: async () => {
        if (audio instanceof ServerError) throw audio;
        const channels = audio instanceof Int16Array ? [audio] : audio;
        const length = channels[0]?.length ?? 0;
        if (at >= length && failure !== undefined) throw failure;
        if (at >= length) return null;
        const from = at;
        at = Math.min(length, from + PIECE_SAMPLES);
        return {
          channels: channels.map((it) => Int16Array.from(it.subarray(from, at))),
          fraction: at / length,
        };
      },
      close: () => {
        this.closedFiles += 1;
      },
    };
  }
}

const FILE = new Uint8Array(1);

function jobOn(audio: Audio, options: FakeEngineOptions = {}, failure?: ServerError) {
  const engine = new FakeEngine(options);
  const codecPool = new Decoded(audio, failure);
  const parts = { engine, codecPool, pieces, defaults: DEFAULTS, maxSeconds: 60 };
  const aborter = new AbortController();
  const told: string[] = [];
  const reader = { keepsUp: true, resume: () => {} };
  const progress = {
    onSegment: (segment: { words: readonly { text: string }[] }, channel: number) =>
      void told.push(`${channel}: ${segment.words.map((word) => word.text).join(' ')}`),
    onProgress: (samples: number, total: number | null) => void told.push(`${samples} of ${total}`),
    accepts: () => reader.keepsUp,
    whenAccepting: (resume: () => void) => {
      reader.resume = resume;
    },
  };
  return {
    engine,
    codecPool,
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
  const { channels, samples } = await result;
  assert.deepEqual([channels[0]?.text, samples, channels.length], ['one two three', 40_000, 1]);
  assert.deepEqual(channels[0]?.segments.map((segment) => segment.reason), ['silence', 'stop']); // biome-ignore format: short
  assert.ok(told.includes('0: one two') && told.includes('40000 of 40000'));
  assert.equal(engine.table.leased, 0);
});

test('what an upload asks for holds for it, and what the model cannot do is said', async () => {
  const { engine, transcribe } = jobOn(marked(48_000, [[100, 'one'], [40_000, 'two']])); // biome-ignore format: pairs
  const cut = transcribe({ silence_duration: 0.5, hotwords: [{ phrase: 'three', boost: 2 }] });
  const whole = transcribe({ silence_duration: 5 });
  await engine.settle();
  assert.equal((await cut).channels[0]?.segments.length, 2);
  assert.deepEqual((await cut).warnings, ['hotwords: the model does not support them']);
  assert.equal((await whole).channels[0]?.segments.length, 1);
  assert.deepEqual((await whole).warnings, []);
});

test('a file longer than the ring is fed as room is made', async () => {
  const audio = marked(5 * 16_000 + 7, [[79_000, 'nine']]);
  const { engine, transcribe } = jobOn(audio, { ringSeconds: 1 });
  const result = transcribe();
  await engine.settle();
  assert.equal((await result).channels[0]?.text, 'nine');
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
  assert.equal((await result).channels[0]?.text, 'one nine');
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
  assert.deepEqual(await result, { channels: [{ segments: [], text: '' }], samples: 0, warnings: [] });
});

test('what the decoder says is passed on, and no slot is taken', async () => {
  const { engine, transcribe } = jobOn(new ServerError('CORRUPT_AUDIO', 'cut short'));
  await assert.rejects(transcribe(), /cut short/);
  assert.equal(engine.table.leased, 0);
});

test('each channel of a file gets its own transcript, as it would alone', async () => {
  const agent = marked(48_000, [[100, 'one'], [40_000, 'two']]); // biome-ignore format: pairs
  const customer = marked(48_000, [[20_000, 'three']]);
  const { engine, told, transcribe } = jobOn([agent, customer]);
  const result = transcribe();
  await engine.settle();
  const { channels, samples } = await result;
  assert.deepEqual(channels.map(({ text }) => text), ['one two', 'three']); // biome-ignore format: short
  assert.equal(samples, 48_000);
  assert.ok(told.includes('1: three') && told.includes('48000 of 48000'));
  assert.equal(engine.table.leased, 0);
  const alone = jobOn(customer);
  const other = alone.transcribe();
  await alone.engine.settle();
  assert.deepEqual((await other).channels[0], channels[1]);
});

test('a file whose channels do not all find a slot takes none', async () => {
  const { engine, transcribe } = jobOn([marked(CHUNK, []), marked(CHUNK, [])], { slots: 1 });
  await assert.rejects(transcribe(), { code: 'AT_CAPACITY' });
  await engine.settle();
  assert.equal(engine.table.leased, 0);
});

test('damage in the middle is told in place of a shortened transcript', async () => {
  const damage = new ServerError('CORRUPT_AUDIO', 'the page at byte 9 is damaged');
  const { engine, codecPool, told, transcribe } = jobOn(marked(40_000, [[100, 'one']]), {}, damage);
  const result = assert.rejects(transcribe(), { code: 'CORRUPT_AUDIO' });
  await engine.settle();
  await result;
  await engine.settle();
  assert.ok(told.length > 0, 'what came before it was recognised');
  assert.equal(engine.table.leased, 0);
  assert.equal(codecPool.closedFiles, 1);
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

test('a recogniser that fails on an upload gives it up', async () => {
  const { engine, transcribe } = jobOn(marked(CHUNK, []), { maxFailures: 1 });
  const result = assert.rejects(transcribe(), { code: 'AUDIO_FAILED' });
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
