/** A thread that decodes live streams dies or is stuck: the stream that did it ends, and its neighbours go on. */
import assert from 'node:assert/strict';
import { after, mock, test } from 'node:test';
import { decodeFile } from '../../src/audio/file.js';
import { KeptMemory } from '../../src/codec/live-input.js';
import { LiveStream } from '../../src/codec/live-stream.js';
import type { LiveThreads, OnGone } from '../../src/codec/live-threads.js';
import { CodecPool } from '../../src/codec/pool.js';
import { ERRORS } from '../../src/errors.js';
import { LIMITS } from '../../src/limits.js';
import { SILENT_PACKET, webmOfSamples } from '../helpers/containers.js';
import { FATAL, fatal, hanging } from '../helpers/fatal-input.js';
import { gather, MONO, openIn, opusFixture, tone } from '../helpers/live-rig.js';

const openPool = (liveThreads = 1) =>
  new CodecPool({ streamSlab: new SharedArrayBuffer(8), slots: 12, liveThreads, worker: FATAL.worker });
const pool = openPool();
after(() => pool.close());

/** Sends a third of each file, then the fatal bytes, then the next third; at last the rest. */
async function speakAround(it: CodecPool, text: 'hang' | 'die', andThen: () => Promise<void>) {
  const names = ['media-recorder.webm', 'cathy-a0280.ogg', 'cathy-a0280.webm'];
  const files = await Promise.all(names.map(opusFixture));
  const expected = await Promise.all(
    files.map((bytes) => decodeFile({ bytes: bytes.slice(), maxSeconds: 60 })),
  );
  const neighbours = files.map(() => openIn(it));
  const third = (part: number) => {
    for (const [i, { stream }] of neighbours.entries()) {
      const { length } = files[i]!; // as many
      stream.write(files[i]!.subarray((part * length) / 3, ((part + 1) * length) / 3));
    }
  };
  third(0);
  await Promise.all(neighbours.map(({ settled }) => settled()));
  const early = neighbours.map(({ samples }) => samples().length);
  const bad = openIn(it);
  bad.stream.write(fatal(text));
  third(1);
  await andThen();
  third(2);
  await Promise.all([...neighbours, bad].map(({ end }) => end()));
  assert.ok(
    early.some((samples) => samples > 8_000),
    'some samples must not come twice',
  );
  for (const [i, { samples, codes }] of neighbours.entries()) {
    assert.deepEqual(codes(), []);
    assert.deepEqual(samples(), expected[i], names[i]);
  }
  assert.deepEqual(bad.codes(), ['CORRUPT_AUDIO']);
}

test('a stuck decoder ends alone: every neighbour gets the samples of its file, each once', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const stuck = hanging();
    await speakAround(pool, 'hang', async () => {
      await stuck;
      for (let i = 0; i < 2; i++) mock.timers.tick(LIMITS.liveStallMs / 2);
    });
  } finally {
    mock.timers.reset();
  }
});

test('a decoder that ends its thread ends alone', async () => {
  await speakAround(pool, 'die', async () => {});
});

test('both channels of a stream go on at the same sample, also through a resampler', async () => {
  const separate = { ...MONO, channels: 2, outputs: 2 } as const;
  const sound = Int16Array.from({ length: 2 * 88_200 }, (_, i) => (i % 2 === 0 ? 9 : -8) * (i % 1_000));
  const webm = webmOfSamples(sound, { rateHz: 44_100, channels: 2 });
  const undisturbed = openIn(pool, separate);
  undisturbed.stream.write(webm);
  await undisturbed.end();
  const { stream, settled, end, samples, codes } = openIn(pool, separate);
  stream.write(webm.subarray(0, webm.length / 3));
  await settled();
  const bad = openIn(pool);
  bad.stream.write(fatal('die'));
  await bad.end();
  stream.write(webm.subarray(webm.length / 3));
  await end();
  assert.deepEqual([codes(), samples(0).length], [[], 32_000]);
  for (const channel of [0, 1]) assert.deepEqual(samples(channel), undisturbed.samples(channel));
  assert.notDeepEqual(samples(0), samples(1));
});

test('streams of a lost thread also go on in another one that has streams', async () => {
  const two = openPool(2);
  const webm = webmOfSamples(tone(32_000));
  const streams = Array.from({ length: 4 }, () => openIn(two));
  for (const { stream } of streams) stream.write(webm.subarray(0, 20_000));
  await Promise.all(streams.map(({ settled }) => settled()));
  const bad = openIn(two);
  bad.stream.write(fatal('die'));
  await bad.end();
  for (const { stream } of streams) stream.write(webm.subarray(20_000));
  await Promise.all(streams.map(({ end }) => end()));
  for (const { samples, codes } of streams) assert.deepEqual([codes(), samples()], [[], tone(32_000)]);
  await two.close();
});

/** Threads whose end the test decides; what they are sent can be read. */
function fakeThreads() {
  const seats: { gone: OnGone; skip: number; sent: { bytes: Uint8Array | null; more: number }[] }[] = [];
  const threads: Pick<LiveThreads, 'sit'> = {
    sit: ({ port, skip }, gone) => {
      const seat = { gone, skip, sent: [] as (typeof seats)[number]['sent'] };
      seats.push(seat);
      port.on('message', (order) => void seat.sent.push(order));
      port.unref();
      return { leave: () => port.close(), endThread: () => gone(true) };
    },
  };
  return { threads, seats };
}

test('a stream that no thread survives is given up after the third', () => {
  const { threads, seats } = fakeThreads();
  const { stream, codes } = gather((events) => new LiveStream(MONO, threads, events));
  stream.write(SILENT_PACKET);
  for (let i = 0; i < 3; i++) seats[i]!.gone(false);
  assert.deepEqual([seats.length, codes()], [3, ['DECODER_LOST']]);
  stream.write(SILENT_PACKET); // ignored: it is over
  assert.deepEqual(codes(), ['DECODER_LOST']);
});

test('a stream with more input than is kept is told that its decoder is lost, and that it may begin anew', () => {
  const { threads, seats } = fakeThreads();
  const long = gather((events) => new LiveStream({ ...MONO, encoding: 'opus' }, threads, events));
  long.stream.write(new Uint8Array(LIMITS.maxFrameBytes)); // the window lets the rest wait
  const memory = new KeptMemory();
  assert.ok(memory.take(LIMITS.liveKeptTotalBytes));
  const poor = gather((events) => new LiveStream(MONO, threads, events, memory));
  poor.stream.write(SILENT_PACKET);
  for (const { gone } of [...seats]) gone(false);
  assert.deepEqual([long.codes(), poor.codes()], [[], ['DECODER_LOST']]);
  assert.equal(ERRORS.DECODER_LOST.retryable, true);
  long.stream.close();
});

test('memory of kept input is limited for each stream, and free again when it ends', () => {
  const { threads, seats } = fakeThreads();
  const memory = new KeptMemory();
  const { stream, codes } = gather((events) => new LiveStream(MONO, threads, events, memory));
  stream.write(new Uint8Array(1_000));
  assert.equal(memory.take(LIMITS.liveKeptTotalBytes - 1_000), false);
  stream.close();
  assert.equal(memory.take(LIMITS.liveKeptTotalBytes), true);
  assert.deepEqual([seats.length, codes()], [1, []]);
});

test('time passes for a stuck thread although its client keeps sending', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { threads } = fakeThreads();
  const { stream, codes } = gather((events) => new LiveStream(MONO, threads, events));
  const steps = 10;
  for (let i = 0; i < 2 * steps && codes().length === 0; i++) {
    stream.write(SILENT_PACKET);
    t.mock.timers.tick(LIMITS.liveStallMs / steps);
  }
  assert.deepEqual(codes(), ['CORRUPT_AUDIO']);
});

test('a stream that is closed while it is decoded again calls nobody back', () => {
  const { threads, seats } = fakeThreads();
  const { stream, seen } = gather((events) => new LiveStream(MONO, threads, events));
  stream.write(new Uint8Array(LIMITS.liveWindowBytes));
  stream.write(new Uint8Array(1));
  seats[0]!.gone(false);
  assert.equal(stream.accepts(), false, 'bytes wait');
  stream.close();
  assert.equal(seen.drained, 0);
  assert.deepEqual(seen.failures, []);
});

test('a thread that died while it waited for permission or for input did not die of this stream', () => {
  const { threads, seats } = fakeThreads();
  const { stream, codes } = gather((events) => new LiveStream(MONO, threads, events));
  seats[0]!.gone(true);
  assert.deepEqual([seats.length, codes()], [2, []]);
  stream.close();
});
