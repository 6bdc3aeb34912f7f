import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Header, readHeader } from '../../src/audio/header.js';
import { fixturesDir } from '../helpers/fixtures.js';

const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part, 'latin1')] : part)),
  );
const zeros = (count: number) => Array.from({ length: count }, () => 0);
const u16 = (value: number) => [value & 255, value >> 8];
const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];

interface Wav {
  tag?: number;
  channels?: number;
  rate?: number;
  bits?: number;
  before?: number[];
  form?: string;
}
function wav({
  tag = 1,
  channels = 1,
  rate = 16_000,
  bits = 16,
  before = [],
  form = 'WAVE',
}: Wav = {}): Uint8Array {
  const fmt = [...u16(tag), ...u16(channels), ...u32(rate), ...u32(0), ...u16(0), ...u16(bits)];
  return bytes('RIFF', u32(0xffffffff), form, before, 'fmt ', u32(16), fmt, 'data', u32(0xffffffff));
}

/** A layer III frame of MPEG 1 at 128 kbit/s and 44.1 kHz: 417 bytes. */
const mp3Frame = [0xff, 0xfb, 0x90, 0x00, ...zeros(413)];
/** An ADTS frame of 100 bytes. */
const aacFrame = [0xff, 0xf1, 0x50, 0x80, 100 >> 3, (100 & 7) << 5, 0, ...zeros(93)];

const foreign: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['FLAC', bytes('fLaC', [0, 0, 0, 34]), /FLAC/],
  ['MP4', bytes([0, 0, 0, 0x20], 'ftypisom'), /^MP4$/],
  ['MP4 with its index', bytes([0, 0, 0, 0x20], 'ftypiso5moov', zeros(9), 'stsd', zeros(12), 'mp4a'), /^MP4/],
  ['AIFF', bytes('FORM', zeros(8)), /AIFF/],
  ['MP3 with a tag', bytes('ID3', [4, 0, 0, 0, 0, 2, 1]), /MP3/],
  ['bare MP3', bytes(mp3Frame, mp3Frame, mp3Frame), /MP3/],
  ['bare AAC', bytes(aacFrame, aacFrame, aacFrame), /AAC/],
  ['WAV with 24 bits', wav({ bits: 24 }), /24 bits/],
  ['WAV of ADPCM', wav({ tag: 2, bits: 4 }), /format 2/],
  ['WAV with six channels', wav({ channels: 6 }), /6 channels/],
  ['AVI', wav({ form: 'AVI ' }), /RIFF AVI/],
];
for (const [name, head, told] of foreign) {
  test(`${name} is known by its first bytes, however few come at once`, () => {
    const header = readHeader(head) as Header & { name: string };
    assert.equal(header.kind, 'foreign');
    assert.match(header.name, told);
    for (let length = 1; length < head.length; length++) {
      const part = readHeader(head.subarray(0, length));
      assert.ok(part.kind === 'unclear' || part.kind === 'foreign', `${length} bytes: ${part.kind}`);
    }
  });
}

test('of MP4 the codec is named, if its index is there', async () => {
  const recorded = await readFile(`${fixturesDir}opus/media-recorder.mp4`);
  assert.deepEqual(readHeader(recorded), { kind: 'foreign', name: 'MP4 with Opus' });
  assert.deepEqual(readHeader(recorded.subarray(0, 300)), { kind: 'foreign', name: 'MP4' });
});

for (const [name, head] of [
  ['what MediaRecorder makes', bytes([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42])],
  ['Ogg', bytes('OggS', [0, 2])],
] as const) {
  test(`${name} is a container, however few of its bytes come at once`, () => {
    assert.deepEqual(readHeader(head), { kind: 'container' });
    for (let length = 1; length < head.length; length++) {
      const { kind } = readHeader(head.subarray(0, length));
      assert.ok(kind === 'unclear' || kind === 'container', `${length} bytes: ${kind}`);
    }
  });
}

const wavs: readonly (readonly [string, Wav, object])[] = [
  ['pcm16', {}, { sample_rate: 16_000, encoding: 'pcm16', channels: 1 }],
  [
    'float32',
    { tag: 3, bits: 32, rate: 48_000, channels: 2 },
    { sample_rate: 48_000, encoding: 'float32', channels: 2 },
  ],
  ['A-law', { tag: 6, bits: 8, rate: 8_000 }, { sample_rate: 8_000, encoding: 'alaw', channels: 1 }],
  ['µ-law', { tag: 7, bits: 8, rate: 8_000 }, { sample_rate: 8_000, encoding: 'mulaw', channels: 1 }],
  [
    'pcm16 behind another chunk',
    { before: [...bytes('LIST', u32(3), zeros(4))] },
    { sample_rate: 16_000, encoding: 'pcm16', channels: 1 },
  ],
];
for (const [name, parts, format] of wavs) {
  test(`a WAV header of ${name} says its format and where the samples begin`, () => {
    const head = wav(parts);
    assert.deepEqual(readHeader(head), { kind: 'wav', format, bytes: head.length });
    for (let length = 1; length < head.length - 4; length++) {
      assert.equal(readHeader(head.subarray(0, length)).kind, 'unclear', `${length} bytes`);
    }
  });
}

const samples: readonly (readonly [string, Uint8Array])[] = [
  ['silence', bytes(zeros(64))],
  ['µ-law silence', Uint8Array.from({ length: 64 }, () => 0xff)],
  ['samples that begin like a JSON object', bytes('{"')],
  ['samples with one sync word of MPEG', bytes([0xff, 0xfb, 0x90, 0x00], zeros(900))],
  ['samples with two', bytes(mp3Frame, [0xff, 0xfb, 0x90, 0x00], zeros(900))],
  ['the letters ID3 and no tag', bytes('ID3', [200, 200, 200, 200, 200, 200, 200])],
];
for (const [name, head] of samples) {
  test(`${name} are samples`, () => assert.equal(readHeader(head).kind, 'samples'));
}

test('samples of any bytes are samples: no mark is made by chance', () => {
  const speech = fc.uint8Array({ minLength: 12, maxLength: 400 });
  fc.assert(
    fc.property(speech, (head) => assert.notEqual(readHeader(head).kind, 'wav')),
    { seed: 15, numRuns: 2_000 },
  );
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  };
  for (let i = 0; i < 20_000; i++) {
    const { kind } = readHeader(Uint8Array.from({ length: 64 }, random));
    assert.ok(kind === 'samples' || kind === 'unclear', kind);
  }
});
