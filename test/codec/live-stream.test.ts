/** Compressed streams in codec threads: each as if it were alone, bounded, and done when it says so. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { decodeFile } from '../../src/audio/file.js';
import { LiveStream } from '../../src/codec/live-stream.js';
import type { LiveThreads } from '../../src/codec/live-threads.js';
import { CodecPool } from '../../src/codec/pool.js';
import { LIMITS } from '../../src/limits.js';
import { SILENT_PACKET, webmOfPackets, webmOfSamples } from '../helpers/containers.js';
import { gather, MONO, openIn, opusFixture, tone } from '../helpers/live-rig.js';

const pool = new CodecPool({ streamSlab: new SharedArrayBuffer(8), slots: 12, liveThreads: 1 });
after(() => pool.close());

test('streams in one thread are decoded each as if it were alone, and a damaged one harms none', async () => {
  const files = await Promise.all(
    ['media-recorder.webm', 'cathy-a0280.ogg', 'cathy-a0280.webm'].map(opusFixture),
  );
  const expected = await Promise.all(
    files.map((bytes) => decodeFile({ bytes: bytes.slice(), maxSeconds: 60 })),
  );
  const streams = files.map(() => openIn(pool));
  const bad = openIn(pool);
  bad.stream.write(webmOfPackets([[0, SILENT_PACKET]]));
  bad.stream.write(new Uint8Array(40));
  for (let at = 0; at < 32_000; at += 700) {
    for (const [i, { stream }] of streams.entries()) stream.write(files[i]!.subarray(at, at + 700));
  }
  await Promise.all([...streams, bad].map(({ end }) => end()));
  for (const [i, { samples }] of streams.entries()) assert.deepEqual(samples(), expected[i]);
  assert.deepEqual(
    streams.flatMap(({ seen }) => seen.failures),
    [],
  );
  assert.deepEqual(
    bad.seen.failures.map(({ code }) => code),
    ['CORRUPT_AUDIO'],
  );
  assert.equal(bad.samples().length, 320, 'what came before the damage');
});

test('a stream is settled when all that was written is taken', async () => {
  const { stream, settled, samples, end } = openIn(pool);
  const webm = webmOfSamples(tone(8_000));
  stream.write(webm.subarray(0, webm.length - 3_300)); // cut in the fourth block of five
  await settled();
  assert.deepEqual(samples(), tone(4_800));
  stream.write(webm.subarray(webm.length - 3_300));
  await end();
  assert.deepEqual(samples(), tone(8_000));
});

test('while nobody takes pieces no more than two are decoded, and bytes beyond the window wait', async () => {
  const { stream, seen, samples, end } = openIn(pool);
  const webm = webmOfSamples(tone(160_000));
  seen.open = false;
  for (let at = 0; at < webm.length; at += 10_000) stream.write(webm.subarray(at, at + 10_000));
  assert.equal(stream.accepts(), false);
  const ended = end();
  assert.equal(samples().length, 0);
  seen.open = true;
  stream.resume();
  await ended;
  assert.deepEqual([samples(), stream.accepts(), seen.drained], [tone(160_000), true, 1]);
});

test('bytes that come while a piece waits to be taken are decoded as well', async () => {
  const { stream, seen, samples, settled } = openIn(pool);
  const barrier = openIn(pool);
  seen.open = false;
  const webm = webmOfSamples(tone(16_000));
  const part = Math.ceil(webm.length / 8);
  for (let at = 0; at < webm.length; at += part) {
    stream.write(webm.subarray(at, at + part));
    // The same thread has looked at what was sent before.
    barrier.stream.write(webm.subarray(at, at + part));
    await barrier.settled();
    await barrier.settled();
  }
  const done = settled();
  seen.open = true;
  stream.resume();
  await done;
  assert.deepEqual(samples(), tone(16_000));
  stream.close();
  barrier.stream.close();
});

test('whoever sends on though nothing is accepted is told so', () => {
  const { stream, seen } = openIn(pool);
  seen.open = false;
  const frame = new Uint8Array(1 << 20);
  assert.throws(
    () => {
      for (let i = 0; i < 4; i++) stream.write(frame);
    },
    { code: 'MESSAGE_TOO_LARGE' },
  );
  stream.close();
});

test('a stream that is closed says nothing more, and its place is free', async () => {
  const small = new CodecPool({ streamSlab: new SharedArrayBuffer(8), slots: 1, liveThreads: 1 });
  const webm = webmOfSamples(tone(160_000));
  for (let i = 0; i < 3; i++) {
    const { stream, samples, seen } = openIn(small);
    stream.write(webm);
    stream.close();
    stream.whenSettled(() => assert.fail('it is closed'));
    assert.deepEqual([samples().length, seen.failures], [0, []]);
  }
  const last = openIn(small);
  last.stream.write(webm);
  await last.end();
  assert.equal(last.samples().length, 160_000);
  await small.close();
  assert.throws(() => openIn(small), { code: 'AT_CAPACITY' });
});

test('a pool that is closed ends its streams without a word', async () => {
  const other = new CodecPool({ streamSlab: new SharedArrayBuffer(8), slots: 2 });
  const { stream, settled, seen } = openIn(other);
  stream.write(webmOfSamples(tone(1_600)));
  await settled();
  await other.close();
  assert.deepEqual(seen.failures, []);
});

test('a stream goes on while another of its thread waits, and streams are spread over the threads', async () => {
  const two = new CodecPool({ streamSlab: new SharedArrayBuffer(8), slots: 4, liveThreads: 2 });
  const waiting = [openIn(two), openIn(two), openIn(two)];
  const webm = webmOfSamples(tone(8_000));
  for (const { stream, settled } of waiting) {
    stream.write(webm.subarray(0, 5_000));
    await settled();
  }
  const whole = openIn(two);
  whole.stream.write(webm);
  await whole.end();
  assert.deepEqual(whole.samples(), tone(8_000));
  for (const { stream, end, samples } of waiting) {
    stream.write(webm.subarray(5_000));
    await end();
    assert.deepEqual(samples(), tone(8_000));
  }
  await two.close();
});

test('a process that stood still itself does not count its threads as stuck', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let answer = () => {};
  let ended = 0;
  const threads: Pick<LiveThreads, 'sit'> = {
    sit: ({ port }) => {
      answer = () => port.postMessage({ piece: null, lookedAt: SILENT_PACKET.length });
      return { leave: () => port.close(), endThread: () => void ended++ };
    },
  };
  const { stream, settled } = gather((events) => new LiveStream(MONO, threads, events));
  stream.write(SILENT_PACKET);
  t.mock.timers.tick(10 * LIMITS.liveStallMs);
  answer();
  await settled();
  t.mock.timers.tick(10 * LIMITS.liveStallMs);
  assert.equal(ended, 0);
  stream.close();
});
