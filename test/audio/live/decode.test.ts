/** Live audio in containers gives, sample for sample, what the same bytes give as a file, however they were cut. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFile, openFile } from '../../../src/audio/file.js';
import {
  block,
  cluster,
  oggOfPages,
  SILENT_PACKET,
  track,
  webmHead,
  webmOfPackets,
  webmOfSamples,
} from '../../helpers/containers.js';
import { fixturesDir } from '../../helpers/fixtures.js';
import { decodeLive } from '../../helpers/live-decoding.js';

const FIXTURES = [
  'opus/media-recorder.webm',
  'opus/cathy-a0280.webm',
  'opus/cathy-a0280.ogg',
  'field-files/chained_two_streams.ogg',
  'field-files/eos_twice_telegram_swift.ogg',
  'field-files/no_eos_telegram_android.ogg',
];
const fixture = async (name: string) => new Uint8Array(await readFile(fixturesDir + name));
const fileSamples = (bytes: Uint8Array) => decodeFile({ bytes: bytes.slice(), maxSeconds: 600 });
const samplesOf = async (bytes: Uint8Array, cuts: readonly number[] = []) => {
  const { channels, failure } = await decodeLive(bytes, cuts);
  assert.equal(failure, null);
  return channels[0]!;
};
/** 20 ms each, at so many milliseconds. */
const packetsAt = (...ms: number[]) => webmOfPackets(ms.map((at) => [at, SILENT_PACKET] as const));
const MS = 16;

for (const name of FIXTURES) {
  test(`${name} gives live what it gives as a file, cut anywhere`, async () => {
    const bytes = await fixture(name);
    const expected = await fileSamples(bytes);
    assert.ok(expected.length > 16_000);
    const cuts = fc.uniqueArray(fc.nat(bytes.length), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        assert.deepEqual(
          await samplesOf(
            bytes,
            places.toSorted((a, b) => a - b),
          ),
          expected,
        );
      }),
      { seed: 19, numRuns: 8 },
    );
  });
}

test('what a browser records is decoded byte by byte, as soon as a block is whole', async () => {
  const bytes = (await fixture('opus/media-recorder.webm')).subarray(0, 6_000);
  const cuts = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);
  const { channels, early } = await decodeLive(bytes, cuts);
  assert.deepEqual(channels, (await decodeLive(bytes)).channels);
  // All but the resampler's last samples, before the stream ends.
  assert.ok(channels[0]!.length - early < 100, `${early} of ${channels[0]!.length}`);
});

test('a recorder that is stopped and started again goes on behind what it sent before', async () => {
  const one = await fixture('opus/media-recorder.webm');
  const two = new Uint8Array(Buffer.concat([one, one]));
  const samples = await samplesOf(two, [1_000, one.length - 3, one.length + 2]);
  const once = await samplesOf(one);
  assert.ok(Math.abs(samples.length - 2 * once.length) <= 1, `${samples.length} of ${once.length}`);
  assert.deepEqual(samples, await fileSamples(two));
});

test('silence stands where the clock of a container jumps ahead, live and in files', async () => {
  const webm = packetsAt(0, 20, 1_040, 1_060);
  assert.equal((await samplesOf(webm)).length, 1_080 * MS);
  assert.deepEqual(await samplesOf(webm, [100, 200]), await fileSamples(webm));
  const ogg = oggOfPages([
    { packets: [SILENT_PACKET, SILENT_PACKET], granule: 40 * 48 },
    { packets: [SILENT_PACKET], granule: 1_060 * 48 },
  ]);
  assert.equal((await samplesOf(ogg)).length, 1_060 * MS);
  assert.deepEqual(await samplesOf(ogg, [100, 200]), await fileSamples(ogg));
});

test('a clock that trembles, drifts, goes back or was set makes no silence, or a minute of it', async () => {
  assert.equal((await samplesOf(packetsAt(0, 25, 38, 95, 100))).length, 100 * MS);
  // 1 % fast for 100 packets: never a jump.
  const drifting = Array.from({ length: 100 }, (_, i) => Math.round(i * 20.2));
  assert.equal((await samplesOf(packetsAt(...drifting))).length, 2_000 * MS);
  assert.equal((await samplesOf(packetsAt(5_000, 5_020, 0, 20))).length, 80 * MS);
  assert.equal((await samplesOf(packetsAt(0, 36_000_000))).length, 60_040 * MS);
});

test('what an encoder puts in front of the sound and behind it is left out', async () => {
  const packets = [SILENT_PACKET, SILENT_PACKET, SILENT_PACKET];
  // 60 ms, of which 10 in front and 15 at the end are filling.
  const ogg = oggOfPages([{ packets, granule: 45 * 48, flags: 4 }], { preSkip: 480 });
  assert.equal((await samplesOf(ogg)).length, 35 * MS);
  assert.deepEqual(await samplesOf(ogg, [70]), await fileSamples(ogg));
});

test('frames that share a block are all read, however their lengths are told', async () => {
  const packet = [...SILENT_PACKET];
  const laces: readonly (readonly [number, number[]])[] = [
    [0x02, [2, 3, 3, ...packet, ...packet, ...packet]],
    [0x04, [2, ...packet, ...packet, ...packet]],
    [0x06, [2, 0x83, 0xbf, ...packet, ...packet, ...packet]],
  ];
  for (const [flags, content] of laces) {
    const blocks = [0, 60].map((ms) => block(ms, Uint8Array.from(content), 1, flags));
    const webm = new Uint8Array(Buffer.concat([webmHead(track()), cluster(0, ...blocks)]));
    assert.equal((await samplesOf(webm)).length, 120 * MS, `flags ${flags}`);
    assert.deepEqual(await samplesOf(webm), await fileSamples(webm), `flags ${flags}`);
  }
});

test('samples in WebM come out as they went in; of other tracks nothing is heard', async () => {
  const spoken = Int16Array.from({ length: 4_000 }, (_, i) => Math.round(9_000 * Math.sin(i / 9)));
  assert.deepEqual(await samplesOf(webmOfSamples(spoken), [333, 3_333]), spoken);
  const video = block(0, new Uint8Array(100_000), 2);
  const film = Buffer.concat([
    webmHead(track({ number: 2, type: 1, codec: 'V_VP8' }), track()),
    cluster(0, video, block(0, SILENT_PACKET), video, block(20, SILENT_PACKET)),
  ]);
  assert.equal((await samplesOf(new Uint8Array(film), [50_000])).length, 40 * MS);
});

test('two channels are mixed as those of a file, or kept apart', async () => {
  const stereo = new Int16Array(8_000);
  for (let i = 0; i < 4_000; i++) {
    stereo[2 * i] = Math.round(9_000 * Math.sin(i / 9));
    stereo[2 * i + 1] = Math.round(5_000 * Math.sin(i / 5));
  }
  const webm = webmOfSamples(stereo, { channels: 2 });
  assert.deepEqual(await samplesOf(webm, [777]), await fileSamples(webm));
  const { channels } = await decodeLive(webm, [777], { outputs: 2 });
  assert.deepEqual(
    channels[1],
    Int16Array.from({ length: 4_000 }, (_, i) => stereo[2 * i + 1]!),
  );
  for await (const piece of openFile({ bytes: webm.slice(), maxSeconds: 60, separate: true })) {
    assert.deepEqual(channels, [...piece.channels]);
  }
  const mono = await decodeLive(webmOfSamples(new Int16Array(1_600).fill(9)), [], { outputs: 2 });
  assert.deepEqual(mono.channels[1], new Int16Array(1_600), 'a second channel that is not there is silent');
});

test('bare packets are decoded one by one', async () => {
  const packets = [SILENT_PACKET, SILENT_PACKET, SILENT_PACKET];
  const { channels, failure } = await decodeLive(new Uint8Array(Buffer.concat(packets)), [3, 6], {
    encoding: 'opus',
  });
  assert.deepEqual([channels[0]!.length, failure], [60 * MS, null]);
});
