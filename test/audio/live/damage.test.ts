/** Damaged and lying containers end their own stream, with a code, where the damage is; what came before is told. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFile } from '../../../src/audio/file.js';
import {
  block,
  cluster,
  element,
  oggOfPages,
  oggPage,
  opusHeadPacket,
  SILENT_PACKET,
  track,
  webmHead,
  webmOfPackets,
} from '../../helpers/containers.js';
import { fixturesDir } from '../../helpers/fixtures.js';
import { decodeLive } from '../../helpers/live-decoding.js';

const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const fixture = async (name: string) => new Uint8Array(await readFile(fixturesDir + name));
const NEVER = 2 ** 50;

const DAMAGED: readonly (readonly [string, Uint8Array, RegExp])[] = [
  [
    'a block that says it is huge',
    joined(webmHead(track()), cluster(0), element(0xa3, Uint8Array.of(0x81, 0, 0, 0x80), NEVER)),
    /says that it has/,
  ],
  ['padding that says it is huge', joined(webmHead(track()), element(0xec, [], NEVER)), /says that it has/],
  [
    'a list of tracks that says it is huge',
    joined(element(0x1a45_dfa3, []), element(0x1654_ae6b, [], NEVER)),
    /says that it has/,
  ],
  [
    'a block of unknown size',
    joined(webmHead(track()), cluster(0), element(0xa3, SILENT_PACKET, -1)),
    /has no size/,
  ],
  [
    'an element that Matroska does not know',
    joined(webmHead(track()), cluster(0), element(0x7f, SILENT_PACKET)),
    /no element begins/,
  ],
  [
    'bytes that are no element',
    joined(webmHead(track()), cluster(0), new Uint8Array(9)),
    /no element begins/,
  ],
  [
    'sound before the list of tracks',
    joined(element(0x1a45_dfa3, []), cluster(0), block(0, SILENT_PACKET)),
    /before it is said/,
  ],
  ['no tracks', joined(webmHead(), cluster(0)), /no tracks/],
  [
    'a list of tracks that contradicts itself',
    joined(webmHead(Uint8Array.of(0xae, 0x8f, 1))),
    /tracks is damaged/,
  ],
  ['a packet that is no Opus', webmOfPackets([[0, Uint8Array.of(0xff, 0x3f)]]), /cannot be decoded/],
  [
    'lengths of frames that do not fit',
    joined(webmHead(track()), cluster(0), block(0, Uint8Array.of(2, 90, 90, 1), 1, 2)),
    /contradicts itself/,
  ],
  [
    'an Ogg that begins in its middle',
    oggPage({ packets: [SILENT_PACKET], sequence: 4 }),
    /no stream begins/,
  ],
  [
    'an Ogg with a page missing',
    joined(oggOfPages([]), oggPage({ packets: [SILENT_PACKET], sequence: 5 })),
    /3 pages are missing/,
  ],
  ['bytes between pages', joined(oggOfPages([]), SILENT_PACKET, SILENT_PACKET), /no page begins/],
];
for (const [name, bytes, told] of DAMAGED) {
  test(`${name} is damage, and said where it is`, async () => {
    for (const cuts of [[], [1, 5, 30, 40]]) {
      const { failure } = await decodeLive(bytes, cuts);
      assert.equal(failure?.code, 'CORRUPT_AUDIO');
      assert.match(failure.detail ?? '', told);
    }
  });
}

const FOREIGN: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['Vorbis in WebM', webmHead(track({ codec: 'A_VORBIS' })), /WebM with VORBIS/],
  ['AAC in Matroska', webmHead(track({ codec: 'A_AAC' })), /WebM with AAC/],
  ['a film without sound', webmHead(track({ type: 1, codec: 'V_VP9' })), /V_VP9 but no audio/],
  ['packed blocks', webmHead(track({ more: [element(0x6d80, [])] })), /packed or encrypted/],
  [
    'Vorbis in Ogg',
    oggPage({ packets: [Buffer.from('\x01vorbis')], sequence: 0, flags: 2 }),
    /Ogg with Vorbis/,
  ],
  [
    'FLAC in Ogg',
    oggPage({ packets: [Buffer.from('\x7fFLAC\x01')], sequence: 0, flags: 2 }),
    /Ogg with FLAC/,
  ],
  [
    'Opus of three channels without a map',
    oggPage({ packets: [opusHeadPacket(0, 3)], sequence: 0, flags: 2 }),
    /3 channels/,
  ],
];
for (const [name, start, told] of FOREIGN) {
  test(`${name} is named, and not decoded`, async () => {
    const more = start[0] === 0x4f ? oggPage({ packets: [SILENT_PACKET], sequence: 1 }) : cluster(0);
    const { failure, channels } = await decodeLive(joined(start, more));
    assert.deepEqual([failure?.code, channels[0]?.length], ['UNSUPPORTED_MEDIA', 0]);
    assert.match(failure?.detail ?? '', told);
  });
}

test('what came before the damage is told', async () => {
  const good = oggOfPages([{ packets: [SILENT_PACKET, SILENT_PACKET], granule: 1_920 }]);
  const bad = oggPage({ packets: [SILENT_PACKET], sequence: 3, granule: 2_880 });
  bad[30] = 1;
  const { channels, failure } = await decodeLive(joined(good, bad), [good.length]);
  assert.deepEqual([channels[0]?.length, failure?.code], [640, 'CORRUPT_AUDIO']);
  assert.match(failure?.detail ?? '', new RegExp(`page at byte ${good.length} is damaged`));
});

test('what was not sent to its end is left out, and no damage', async () => {
  for (const name of ['opus/media-recorder.webm', 'opus/cathy-a0280.ogg']) {
    const bytes = await fixture(name);
    const whole = await decodeFile({ bytes: bytes.slice(), maxSeconds: 60 });
    for (let length = 0; length < bytes.length; length += 997) {
      const { channels, failure } = await decodeLive(bytes.subarray(0, length), [length >> 1]);
      assert.equal(failure, null, `${name}, ${length} bytes`);
      const samples = channels[0]!;
      // The resampler ends its last samples in silence.
      const sure = samples.subarray(0, Math.max(0, samples.length - 200));
      assert.deepEqual(sure, whole.subarray(0, sure.length), `${name}, ${length} bytes`);
    }
  }
});

test('streams that begin again and again are refused: each costs a decoder', async () => {
  const one = webmOfPackets([[0, SILENT_PACKET]]);
  const many = joined(...Array<Uint8Array>(40).fill(one));
  const { failure, channels } = await decodeLive(many);
  assert.match(failure?.detail ?? '', /17 streams begin in 0\.3 s/);
  assert.equal(channels[0]?.length, 16 * 320);
  const begun = oggPage({ packets: [opusHeadPacket()], sequence: 0, flags: 2 });
  const ogg = joined(
    ...Array.from({ length: 40 }, () => joined(begun, oggPage({ packets: [], sequence: 1 }))),
  );
  assert.match((await decodeLive(ogg)).failure?.detail ?? '', /streams begin/);
});

test('a packet of Ogg that never ends is refused before it is large', async () => {
  const pages = Array.from({ length: 8 }, (_, i) =>
    oggPage({ packets: [new Uint8Array(254 * 255)], sequence: i + 2, flags: i > 0 ? 1 : 0, open: true }),
  );
  const { failure } = await decodeLive(joined(oggOfPages([]), ...pages));
  assert.match(failure?.detail ?? '', /larger than any/);
});

test('whatever is wrong with the bytes, a stream ends by itself or with a code of audio', async () => {
  const originals = await Promise.all(['opus/media-recorder.webm', 'opus/cathy-a0280.ogg'].map(fixture));
  const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), value: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals),
      fc.array(change, { minLength: 1, maxLength: 5 }),
      async (original, changes) => {
        const bytes = original.slice(0, 8_000);
        // Not the first mark: with another one it is no container.
        for (const { at, value } of changes) bytes[4 + Math.floor(at * (bytes.length - 5))] = value;
        const { failure } = await decodeLive(bytes, [900, 4_000]);
        assert.ok(failure === null || ['CORRUPT_AUDIO', 'UNSUPPORTED_MEDIA'].includes(failure.code));
      },
    ),
    { seed: 19, numRuns: 150 },
  );
});
