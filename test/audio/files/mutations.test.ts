/**
 * Real files of every container with bytes changed, cut out, doubled or missing at the end: a decoder gives samples or a
 * named error, in bounded time, and never more samples than were allowed.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFile } from '../../../src/audio/file.js';
import { ServerError } from '../../../src/errors.js';
import { fixturesDir, sampleWavPath } from '../../helpers/fixtures.js';

const MAX_SECONDS = 20;
/** Without ffmpeg: what is asked here is what this package's own code does. */
process.env.PATH = '';
// Decoders print what they also return.
console.error = () => {};
console.warn = () => {};

const FILES: Record<string, { path: string; runs: number }> = {
  WAV: { path: sampleWavPath, runs: 60 },
  'WAV with MS ADPCM': { path: `${fixturesDir}field-files/w_adpcm_ms.wav`, runs: 60 },
  'WAV with GSM': { path: `${fixturesDir}field-files/w_gsm610.wav`, runs: 40 },
  'WAV with MP3': { path: `${fixturesDir}field-files/w_mp3.wav`, runs: 25 },
  MP3: { path: `${fixturesDir}field-files/mp3.mp3`, runs: 25 },
  'MP4 with AAC': { path: `${fixturesDir}field-files/aac.m4a`, runs: 40 },
  'MP4 with ALAC': { path: `${fixturesDir}formats/alac.m4a`, runs: 40 },
  'MP4 with Opus': { path: `${fixturesDir}opus/cathy-a0280.mp4`, runs: 25 },
  'WebM with Opus': { path: `${fixturesDir}opus/cathy-a0280.webm`, runs: 25 },
  'Ogg with Vorbis': { path: `${fixturesDir}formats/vorbis.ogg`, runs: 25 },
  'Ogg with Opus, chained': { path: `${fixturesDir}field-files/chained_two_streams.ogg`, runs: 25 },
  FLAC: { path: `${fixturesDir}flac/sine-440hz-half-24bit-stereo.flac`, runs: 30 },
  AIFF: { path: `${fixturesDir}formats/ima4.aifc`, runs: 60 },
  CAF: { path: `${fixturesDir}formats/alac.caf`, runs: 40 },
};

type Change =
  | { readonly kind: 'set'; readonly at: number; readonly value: number }
  | { readonly kind: 'word'; readonly at: number; readonly value: number }
  | { readonly kind: 'cut'; readonly at: number; readonly length: number }
  | { readonly kind: 'double'; readonly at: number; readonly length: number }
  | { readonly kind: 'end'; readonly at: number };

/** Places are shares of the file; half of them fall into its first 200 bytes, where headers are. */
const place = fc.oneof(fc.double({ min: 0, max: 0.9999, noNaN: true }), fc.integer({ min: -200, max: -1 }));
const length = fc.integer({ min: 1, max: 400 });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: place, value: fc.nat(255) }),
  fc.record({
    kind: fc.constant('word' as const),
    at: place,
    value: fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: place, length }),
  fc.record({ kind: fc.constant('double' as const), at: place, length }),
  fc.record({ kind: fc.constant('end' as const), at: place }),
);

function changed(bytes: Buffer, changes: readonly Change[]): Buffer {
  let result = Buffer.from(bytes);
  for (const it of changes) {
    if (result.length < 8) break;
    const at = it.at < 0 ? Math.min(-it.at - 1, result.length - 5) : Math.floor(it.at * (result.length - 4));
    if (it.kind === 'set') result[at] = it.value;
    else if (it.kind === 'word') result.writeUInt32LE(it.value, at);
    else if (it.kind === 'end') result = result.subarray(0, at);
    else if (it.kind === 'cut')
      result = Buffer.concat([result.subarray(0, at), result.subarray(at + it.length)]);
    else result = Buffer.concat([result.subarray(0, at + it.length), result.subarray(at)]);
  }
  return result;
}

for (const [name, { path, runs }] of Object.entries(FILES)) {
  test(
    `${name}: whatever happens to the bytes, there are samples or a named error`,
    { timeout: 120_000 },
    async () => {
      const sound = await readFile(path);
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
          try {
            const samples = await decodeFile({ bytes: changed(sound, changes), maxSeconds: MAX_SECONDS });
            assert.ok(samples.length > 0 && samples.length <= MAX_SECONDS * 16_000);
          } catch (error) {
            assert.ok(error instanceof ServerError, error instanceof Error ? error.stack : String(error));
            assert.ok(
              ['UNSUPPORTED_MEDIA', 'CORRUPT_AUDIO', 'UPLOAD_TOO_LONG'].includes(error.code),
              error.message,
            );
          }
        }),
        { seed: 19, numRuns: runs },
      );
    },
  );
}

test('random bytes behind every magic number are refused or read, never more', async () => {
  const magics = [
    'RIFF\0\0\0\0WAVEfmt ',
    'OggS\0\x02',
    'fLaC',
    '\x1aE\xdf\xa3',
    '\0\0\0\x18ftypM4A ',
    'FORM\0\0\0\0AIFF',
    '.snd',
    'caff\0\x01',
    'ID3\x04',
    '\xff\xfb\x90\x00',
    '\xff\xf1\x50\x80',
    'riff',
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 3_000 }), async (magic, rest) => {
      const bytes = Buffer.concat([Buffer.from(magic, 'latin1'), rest]);
      try {
        assert.ok((await decodeFile({ bytes, maxSeconds: MAX_SECONDS })).length > 0);
      } catch (error) {
        assert.ok(error instanceof ServerError, error instanceof Error ? error.stack : String(error));
      }
    }),
    { seed: 20, numRuns: 400 },
  );
});

test('what is cut off anywhere is never a shorter transcript without a word', async () => {
  for (const name of [
    'MP3',
    'WAV with MP3',
    'WAV with MS ADPCM',
    'MP4 with ALAC',
    'MP4 with Opus',
    'WebM with Opus',
    'Ogg with Vorbis',
    'AIFF',
    'CAF',
    'FLAC',
  ]) {
    const sound = await readFile(FILES[name]!.path);
    for (let share = 0.05; share < 0.97; share += 0.07) {
      const cut = sound.subarray(0, Math.floor(sound.length * share));
      await assert.rejects(
        decodeFile({ bytes: cut, maxSeconds: MAX_SECONDS }),
        { code: 'CORRUPT_AUDIO' },
        `${name} at ${share}`,
      );
    }
  }
});
