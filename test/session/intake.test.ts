import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { AudioFormat } from '../../src/audio/format.js';
import { StreamResampler } from '../../src/audio/resampler.js';
import { CodecPool } from '../../src/codec/pool.js';
import { LIMITS } from '../../src/limits.js';
import { createIntake, type Intake } from '../../src/session/intake.js';
import { RingSink } from '../helpers/ring-sink.js';

const STREAMS = 8;
const RING_SAMPLES = 16_000;
const slab = new SharedArrayBuffer(STREAMS * RING_SAMPLES * 2);
const ringOf = (slot: number): RingSink => new RingSink(RING_SAMPLES, slab, slot * RING_SAMPLES * 2);
const pcm16 = (sample_rate: number): AudioFormat => ({ sample_rate, encoding: 'pcm16', channels: 1 });

let pool: CodecPool;
before(() => {
  pool = new CodecPool({ streamSlab: slab, slots: STREAMS, threads: 2, maxBatch: 3, taskIntervalMs: 0 });
});
after(() => pool.close());

function speechLike(count: number, seed: number): Int16Array {
  let state = seed;
  return Int16Array.from({ length: count }, (_, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 8_000 * Math.sin(i * 0.05) + (state >>> 20);
  });
}
const bytesOf = (samples: Int16Array): Uint8Array => new Uint8Array(samples.buffer);

/** Pushes all bytes in frames of the given lengths; takes samples out of the ring whenever the intake is full. */
async function stream(
  intake: Intake,
  sink: RingSink,
  bytes: Uint8Array,
  cuts: readonly number[],
): Promise<void> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = Math.max(1, cuts[turn % cuts.length] ?? 1);
    const frame = Buffer.from(bytes.subarray(at, at + length));
    intake.push(frame);
    frame.fill(0xaa); // as ws does: the memory is used again
    at += length;
    while (!intake.accepts()) await take(intake, sink);
  }
  const ended = intake.end();
  let done = false;
  void ended.then(() => {
    done = true;
  });
  while (!done) await take(intake, sink);
}

/** The batcher's part: takes samples, tells the intake, and lets the event loop turn. */
async function take(intake: Intake, sink: RingSink): Promise<void> {
  if (sink.consume(1_600) > 0) intake.resume();
  await new Promise((resolve) => setImmediate(resolve));
}

function resampled(rateHz: number, samples: Int16Array): Int16Array {
  const resampler = new StreamResampler(rateHz);
  const out = new Int16Array(Math.ceil((samples.length * 16_000) / rateHz));
  const written = resampler.process(Float32Array.from(samples), out, 0);
  resampler.flush(out, written);
  return out;
}

describe('the direct path (16 kHz)', () => {
  test('puts samples in the ring at once, and odd bytes wait for the next frame', () => {
    const sink = ringOf(0);
    const intake = createIntake(pcm16(16_000), sink, pool);
    intake.push(Uint8Array.of(1, 0, 2));
    assert.deepEqual([intake.receivedFrames, intake.receivedSamples], [1, 1]);
    intake.push(Uint8Array.of(0, 3, 0));
    assert.deepEqual([...sink.all()], [1, 2, 3]);
    assert.deepEqual([intake.receivedFrames, intake.receivedSamples], [3, 3]);
  });

  test('keeps what the ring has no room for, and goes on when samples are consumed', async () => {
    const sink = ringOf(0);
    let drained = 0;
    const intake = createIntake(pcm16(16_000), sink, pool, { drained: () => (drained += 1) });
    const samples = speechLike(20_000, 1);
    intake.push(bytesOf(samples));
    assert.equal(intake.accepts(), false);
    assert.deepEqual([intake.receivedFrames, intake.receivedSamples], [20_000, 16_000]);
    const ended = intake.end();
    sink.consume(4_000);
    intake.resume();
    await ended;
    assert.equal(drained, 0); // the ring is full again
    assert.deepEqual(sink.all(), samples);
    intake.resume();
    assert.equal(drained, 1);
    assert.equal(intake.accepts(), true);
  });

  test('copies what waits, for ws uses the memory of a Buffer again', () => {
    const sink = ringOf(0);
    const intake = createIntake(pcm16(16_000), sink, pool);
    intake.push(new Uint8Array(RING_SAMPLES * 2));
    const frame = Buffer.from([1, 2, 3, 4]);
    intake.push(frame);
    frame.fill(0);
    sink.consume(RING_SAMPLES);
    intake.resume();
    assert.deepEqual([...sink.all().subarray(RING_SAMPLES)], [0x0201, 0x0403]);
  });

  test('asks for a pause before the ring is full', () => {
    const intake = createIntake(pcm16(16_000), ringOf(0), pool);
    intake.push(new Uint8Array(2 * 11_999));
    assert.equal(intake.accepts(), true);
    intake.push(new Uint8Array(4));
    assert.equal(intake.accepts(), false);
  });

  test('refuses a caller that never pauses, beyond a bound', () => {
    const intake = createIntake(pcm16(16_000), ringOf(0), pool);
    const frame = new Uint8Array(LIMITS.maxFrameBytes);
    intake.push(frame);
    intake.push(frame);
    assert.throws(() => intake.push(frame), { code: 'MESSAGE_TOO_LARGE' });
  });

  test('after a drop, the client repeats the sample that was cut in two', () => {
    const sink = ringOf(0);
    const intake = createIntake(pcm16(16_000), sink, pool);
    intake.push(Uint8Array.of(1, 0, 9));
    intake.discardPartial();
    assert.equal(intake.receivedFrames, 1);
    intake.push(Uint8Array.of(2, 0));
    assert.deepEqual([...sink.all()], [1, 2]);
  });

  test('ignores what comes after the end', async () => {
    const sink = ringOf(0);
    const intake = createIntake(pcm16(16_000), sink, pool);
    await intake.end();
    intake.push(Uint8Array.of(1, 0));
    assert.equal(sink.written, 0);
    await intake.close();
  });
});

describe('the codec path (any other rate)', () => {
  test('gives, to the bit, what the resampler gives for the whole, however it is cut and batched', async () => {
    const rates = [8_000, 11_025, 22_050, 24_000, 44_100, 44_101, 48_000, 32_000];
    const cuts = [[1_600], [7, 4_800, 1], [9_600], [160], [3, 3, 30_000], [882], [1_001], [640]];
    await Promise.all(
      rates.map(async (rateHz, slot) => {
        const sink = ringOf(slot);
        const samples = speechLike(rateHz * 2 + slot, slot);
        const intake = createIntake(pcm16(rateHz), sink, pool);
        await stream(intake, sink, bytesOf(samples), cuts[slot]!);
        assert.deepEqual(sink.all(), resampled(rateHz, samples), `${rateHz} Hz`);
        assert.equal(intake.receivedFrames, samples.length);
        assert.equal(intake.receivedSamples, sink.written);
        await intake.close();
      }),
    );
    assert.equal(pool.openStreams, 0);
  });

  test('does the same for random rates, encodings and frame lengths', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 8_000, max: 48_000 }).filter((rate) => rate !== 16_000),
        fc.constantFrom('pcm16', 'float32', 'mulaw', 'alaw'),
        fc.constantFrom<1 | 2>(1, 2),
        fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 6 }),
        async (sample_rate, encoding, channels, cuts) => {
          const format = { sample_rate, encoding, channels };
          const bytes = bytesOf(speechLike(12_000, sample_rate));
          const run = async (lengths: number[]): Promise<Int16Array> => {
            const sink = ringOf(0);
            const intake = createIntake(format, sink, pool);
            await stream(intake, sink, bytes, lengths);
            await intake.close();
            return sink.all();
          };
          assert.deepEqual(await run(cuts), await run([bytes.length]));
        },
      ),
      { seed: 5, numRuns: 20 },
    );
  });

  test('a burst far larger than the FIFO pauses the socket and loses nothing', async () => {
    const sink = ringOf(0);
    let drained = 0;
    const intake = createIntake(pcm16(48_000), sink, pool, { drained: () => (drained += 1) });
    const samples = speechLike(500_000, 3);
    intake.push(bytesOf(samples));
    assert.equal(intake.accepts(), false);
    assert.equal(intake.receivedSamples, 0);
    await stream(intake, sink, new Uint8Array(0), [1]);
    assert.deepEqual(sink.all(), resampled(48_000, samples));
    assert.equal(drained, 1);
    await intake.close();
  });

  test('a recording of no audio ends at once', async () => {
    const sink = ringOf(0);
    const intake = createIntake(pcm16(48_000), sink, pool);
    await intake.end();
    assert.equal(sink.written, 0);
    await intake.close();
  });

  test('closing in the middle gives the slot back, and its next tenant starts from silence', async () => {
    const first = createIntake(pcm16(48_000), ringOf(0), pool);
    first.push(bytesOf(speechLike(30_000, 4)));
    await new Promise((resolve) => setImmediate(resolve));
    await first.close();
    assert.equal(pool.openStreams, 0);
    const sink = ringOf(0);
    const second = createIntake(pcm16(44_100), sink, pool);
    const samples = speechLike(10_000, 5);
    await stream(second, sink, bytesOf(samples), [2_000]);
    assert.deepEqual(sink.all(), resampled(44_100, samples));
    await second.close();
  });

  test('an end that still waits is over when the intake is closed', async () => {
    const sink = ringOf(0);
    const intake = createIntake(pcm16(8_000), sink, pool);
    intake.push(bytesOf(speechLike(20_000, 6))); // gives more than the ring holds, and nobody takes it
    const ended = intake.end();
    await intake.close();
    await ended;
    assert.ok(sink.written < 40_000);
  });

  test('is refused when no codec slot is free, and for a rate out of range', async () => {
    const intakes = Array.from({ length: STREAMS }, (_, slot) =>
      createIntake(pcm16(8_000), ringOf(slot), pool),
    );
    assert.throws(() => createIntake(pcm16(8_000), ringOf(0), pool), { code: 'AT_CAPACITY' });
    await Promise.all(intakes.map((intake) => intake.close()));
    assert.throws(() => createIntake(pcm16(7_999), ringOf(0), pool), { code: 'UNSUPPORTED_SAMPLE_RATE' });
    assert.throws(() => createIntake(pcm16(96_000), ringOf(0), pool), { code: 'UNSUPPORTED_SAMPLE_RATE' });
  });
});
