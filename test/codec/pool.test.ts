import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, mock, test } from 'node:test';
import { Piscina } from 'piscina';
import { heldRates } from '../../src/audio/filter.js';
import { StreamResampler } from '../../src/audio/resampler.js';
import { StreamFilters } from '../../src/codec/filters.js';
import { runCodecJob } from '../../src/codec/job.js';
import { CodecPool } from '../../src/codec/pool.js';
import { codecSlabBytes, codecSlotAt, FIELD, openCodecSlot } from '../../src/codec/slab.js';
import { CodecStream } from '../../src/codec/stream.js';
import type { ServerError } from '../../src/errors.js';
import { LIMITS } from '../../src/limits.js';
import { createIntake } from '../../src/session/intake.js';
import { fixturesDir, loadClip, sampleWavPath } from '../helpers/fixtures.js';
import { RingSink, sinksOf } from '../helpers/ring-sink.js';
import { writtenLog } from '../helpers/written-log.js';

const maxSeconds = 60;
const tone = Int16Array.from({ length: 9_600 }, (_, i) => 9_000 * Math.sin(i * 0.1));
const toneBytes = new Uint8Array(tone.buffer);

describe('files in the codec pool', () => {
  test('come back decoded, and the caller keeps its copy of shared buffers', async () => {
    const pool = new CodecPool();
    try {
      const flac = await readFile(`${fixturesDir}speech/lj002-0057.flac`);
      const pooled = Buffer.concat([Buffer.from('x'), flac]).subarray(1); // a view into a larger buffer
      assert.deepEqual(await pool.decodeFile(pooled, { maxSeconds }), await loadClip('lj002-0057'));
      assert.deepEqual(pooled, flac);
      const sample = await pool.decodeFile(await readFile(sampleWavPath), { maxSeconds });
      assert.equal(sample.length, 111_360);
      const format = { sample_rate: 48_000, encoding: 'pcm16', channels: 1 } as const;
      const raw = await pool.decodeFile(toneBytes.slice(), { maxSeconds, format });
      assert.equal(raw.length, 3_200);
    } finally {
      await pool.close();
    }
  });

  test('outlive a thread that dies between two of them, and the log says so', async () => {
    const run = mock.method(Piscina.prototype, 'run');
    const { log, lines } = writtenLog();
    const pool = new CodecPool({ log });
    try {
      await pool.decodeFile(await readFile(sampleWavPath), { maxSeconds });
      const threads = run.mock.calls[0]?.this as Piscina;
      threads.emit('error', new Error('a promise that a decoder left behind'));
      const again = await pool.decodeFile(await readFile(sampleWavPath), { maxSeconds });
      assert.equal(again.length, 111_360);
      assert.deepEqual(lines, [
        'a codec thread died between two tasks: a promise that a decoder left behind',
      ]);
    } finally {
      run.mock.restore();
      await pool.close();
    }
  });

  test('fail with the code of the error table, and the thread lives on', async () => {
    const pool = new CodecPool();
    try {
      const cases: [Uint8Array, string][] = [
        [Buffer.from('no audio'), 'UNSUPPORTED_MEDIA'],
        [(await readFile(sampleWavPath)).subarray(0, 9_000), 'CORRUPT_AUDIO'],
        [(await readFile(`${fixturesDir}speech/lj002-0057.flac`)).subarray(0, 9_000), 'CORRUPT_AUDIO'],
      ];
      for (const [bytes, code] of cases)
        await assert.rejects(pool.decodeFile(bytes, { maxSeconds }), { code });
      await assert.rejects(pool.decodeFile(await readFile(sampleWavPath), { maxSeconds: 1 }), {
        code: 'UPLOAD_TOO_LONG',
      });
      assert.equal((await pool.decodeFile(await readFile(sampleWavPath), { maxSeconds })).length, 111_360);
    } finally {
      await pool.close();
    }
  });

  test('that go to ffmpeg and cannot be taken apart are told so, and the thread lives on', async () => {
    const bytes = await readFile(`${fixturesDir}field-files/aac.m4a`);
    // The object type in the descriptor of the decoder's configuration: 23 is a kind of AAC that ADTS has no name for.
    const config = bytes.indexOf(Buffer.from('05808080051408', 'hex')) + 5;
    bytes[config] = (23 << 3) | (bytes[config]! & 7);
    const { log, lines } = writtenLog();
    const pool = new CodecPool({ log });
    try {
      await assert.rejects(pool.decodeFile(bytes, { maxSeconds }), { code: 'UNSUPPORTED_MEDIA' });
      assert.deepEqual(lines, []);
    } finally {
      await pool.close();
    }
  });

  test('are refused when too many wait', async () => {
    const pool = new CodecPool();
    const bytes = await readFile(sampleWavPath);
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, () => pool.decodeFile(Uint8Array.from(bytes), { maxSeconds })),
    );
    const refused = results.filter((it) => it.status === 'rejected');
    assert.ok(refused.length > 0 && refused.length < 40);
    for (const it of refused) assert.equal((it.reason as ServerError).code, 'TOO_MANY_UPLOADS');
    await pool.close();
  });
});

test('the pool closes in the middle of work without hanging', async () => {
  const sink = new RingSink(16_000);
  const pool = new CodecPool({ streamSlab: sink.buffer, slots: 1 });
  const intake = createIntake({ sample_rate: 48_000, encoding: 'pcm16', channels: 1 }, sink, pool);
  intake.push(toneBytes);
  await new Promise((resolve) => setImmediate(resolve));
  await pool.close();
  assert.ok(sink.written <= 3_200);
});

test('a job that throws fails its own stream, and the log says why', async () => {
  const sink = new RingSink(16_000);
  const { log, lines } = writtenLog();
  const pool = new CodecPool({ streamSlab: sink.buffer, slots: 1, log });
  const format = { sample_rate: 48_000, encoding: 'pcm16', channels: 1 } as const;
  const failure = new Promise<ServerError>((failed) => {
    const intake = createIntake(format, sink, pool, { failed });
    codecSlotAt(Reflect.get(pool, 'codecSlab'), 0).header[FIELD.encoding] = 99;
    intake.push(toneBytes);
  });
  assert.equal((await failure).code, 'INTERNAL');
  assert.match(lines.join(), /^a codec job failed: RangeError: There is no encoding 99/);
  await pool.close();
});

describe('streams of odd sample rates', () => {
  const samples = (rateHz: number) =>
    Int16Array.from({ length: rateHz / 5 }, (_, i) => 9_000 * Math.sin(i * 0.1));
  const expected = (rateHz: number): Int16Array => {
    const resampler = new StreamResampler(rateHz);
    const out = new Int16Array(4_000);
    const written = resampler.process(Float32Array.from(samples(rateHz)), out, 0);
    return out.slice(0, written + resampler.flush(out, written));
  };
  const rateAt = (index: number) => 47_901 + index;

  /** A pool with a ring for each stream, and an open stream of each rate that has got all of its audio. */
  async function served(rates: readonly number[]) {
    const sinks = sinksOf(rates.length + 1, 8_000);
    const pool = new CodecPool({ streamSlab: sinks[0]!.buffer, slots: rates.length + 1 });
    const intakes = rates.map((sample_rate, i) => {
      const intake = createIntake({ sample_rate, encoding: 'pcm16', channels: 1 }, sinks[i]!, pool);
      intake.push(new Uint8Array(samples(sample_rate).buffer));
      return intake;
    });
    return { pool, sinks, intakes };
  }

  test('are as good as common ones, many at once, and no filter is designed on the main thread', async () => {
    const rates = [rateAt(0), 48_000, rateAt(1), 44_100, rateAt(2), 8_000, rateAt(0)];
    const before = heldRates();
    const { pool, sinks, intakes } = await served(rates);
    assert.deepEqual(heldRates(), before);
    await Promise.all(intakes.map((intake) => intake.end()));
    assert.deepEqual(heldRates(), before);
    for (const [i, rateHz] of rates.entries())
      assert.deepEqual(sinks[i]!.all(), expected(rateHz), `${rateHz} Hz`);
    await pool.close();
  });

  test('past the bound are refused by name, and common ones and those in use are not', async () => {
    const { pool, sinks, intakes } = await served(
      Array.from({ length: LIMITS.oddRates }, (_, i) => rateAt(i)),
    );
    const sink = sinks.at(-1)!;
    const open = (sample_rate: number) =>
      createIntake({ sample_rate, encoding: 'pcm16', channels: 1 }, sink, pool);
    assert.throws(() => open(rateAt(LIMITS.oddRates)), { code: 'TOO_MANY_RATES' });
    for (const rateHz of [48_000, 22_050, rateAt(0)]) await open(rateHz).close();
    await intakes.at(-1)?.close();
    await open(rateAt(LIMITS.oddRates)).close();
    await pool.close();
  });

  test('that come and go hold up nobody: a stream of a common rate is served while they wait', async () => {
    const [sink, other] = sinksOf(2, 8_000);
    const pool = new CodecPool({ streamSlab: sink!.buffer, slots: 2 });
    // A designer that never comes back.
    const designer = Reflect.get(pool, 'designThread');
    mock.method(designer, 'run', () => new Promise(() => {}));
    const odd = createIntake({ sample_rate: 47_917, encoding: 'pcm16', channels: 1 }, other!, pool);
    odd.push(toneBytes);
    const intake = createIntake({ sample_rate: 48_000, encoding: 'pcm16', channels: 1 }, sink!, pool);
    intake.push(new Uint8Array(samples(48_000).buffer));
    await intake.end();
    assert.deepEqual(sink!.all(), expected(48_000));
    assert.equal(other!.written, 0);
    await odd.close();
    await pool.close();
  });

  test('fail with INTERNAL when their filter cannot be had', async () => {
    const sink = new RingSink(8_000);
    const pool = new CodecPool({ streamSlab: sink.buffer, slots: 1 });
    mock.method(Reflect.get(pool, 'designThread'), 'run', () => Promise.reject(new Error('out of memory')));
    const failure = new Promise<ServerError>((failed) => {
      createIntake({ sample_rate: 47_917, encoding: 'pcm16', channels: 1 }, sink, pool, { failed });
    });
    assert.equal((await failure).code, 'INTERNAL');
    await pool.close();
  });
});

test('a task whose thread dies is run again, and the log says so', async () => {
  const sink = new RingSink(16_000);
  const { log, lines } = writtenLog();
  const pool = new CodecPool({ streamSlab: sink.buffer, slots: 1, log });
  const run = mock.method(Piscina.prototype, 'run', async () => {
    run.mock.restore();
    throw new Error('out of memory');
  });
  const intake = createIntake({ sample_rate: 48_000, encoding: 'pcm16', channels: 1 }, sink, pool);
  intake.push(toneBytes);
  await intake.end();
  assert.equal(sink.written, 3_200);
  assert.deepEqual(lines, ['a codec thread died; its jobs run again: out of memory']);
  await pool.close();
});

describe('a job whose thread died', () => {
  const slab = new SharedArrayBuffer(codecSlabBytes(1));
  const filters = new StreamFilters();
  const format = { sample_rate: 48_000, encoding: 'pcm16', channels: 1 } as const;

  function open() {
    const sink = new RingSink(16_000);
    const failures: string[] = [];
    let ready = 0;
    const stream = new CodecStream(
      slab,
      0,
      format,
      sink,
      { progressed: () => {}, flushed: () => {}, failed: (error) => failures.push(error.code) },
      { ready: () => (ready += 1), closed: () => {} },
    );
    return { sink, stream, failures, readyCount: () => ready };
  }

  test('is run again from the same state, and its result is the same', () => {
    const undisturbed = open();
    undisturbed.stream.write(toneBytes);
    undisturbed.stream.beginJob();
    runCodecJob(codecSlotAt(slab, 0), undisturbed.sink.buffer, filters);
    undisturbed.stream.endJob(undefined);
    const expected = undisturbed.sink.all();
    assert.ok(expected.length > 3_000);

    const { sink, stream, failures, readyCount } = open();
    stream.write(toneBytes);
    stream.beginJob();
    sink.ring.fill(-1, 0, 1_000); // half done, never answered
    stream.endJob(new Error('the thread died'));
    assert.equal(readyCount(), 2);
    stream.beginJob();
    runCodecJob(codecSlotAt(slab, 0), sink.buffer, filters);
    stream.endJob(undefined);
    assert.deepEqual(sink.all(), expected);
    assert.deepEqual(failures, []);
  });

  test('is taken over if it was finished before the thread died', () => {
    const { sink, stream, failures } = open();
    stream.write(toneBytes);
    stream.beginJob();
    runCodecJob(codecSlotAt(slab, 0), sink.buffer, filters);
    stream.endJob(new Error('the thread died'));
    assert.ok(sink.written > 3_000);
    assert.deepEqual(failures, []);
  });

  test('fails its stream when it dies again and again', () => {
    const { stream, failures, readyCount } = open();
    stream.write(toneBytes);
    for (let i = 0; i < 3; i += 1) {
      stream.beginJob();
      stream.endJob(new Error('the thread died'));
    }
    assert.deepEqual(failures, ['INTERNAL']);
    assert.equal(readyCount(), 3);
    stream.wake();
    assert.equal(readyCount(), 3); // a dead stream is never queued again
  });

  test('a fresh slot holds nothing of its last tenant', () => {
    const slot = codecSlotAt(slab, 0);
    slot.history.fill(5);
    openCodecSlot(slot, 8_000);
    assert.ok(slot.history.subarray(0, 30).every((sample) => sample === 0));
  });
});
