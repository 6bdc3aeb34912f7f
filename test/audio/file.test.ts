import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFile } from '../../src/audio/file.js';
import { ALAW, MULAW } from '../../src/audio/g711.js';
import { ServerError } from '../../src/errors.js';
import { clips, fixturesDir, loadClip, sampleWavPath } from '../helpers/fixtures.js';
import { makeWav, pcm16Wav } from '../helpers/wav.js';

const maxSeconds = 60;
const ramp = Int16Array.of(0, 256, -256, 32_512, -32_768, 12_800);
const asBytes = (array: Int16Array | Float32Array | Int32Array | Float64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

async function decode(bytes: Uint8Array): Promise<number[]> {
  return Array.from(await decodeFile({ bytes, maxSeconds }));
}

test('WAV of 8, 16, 24 and 32 bits gives the same samples', async () => {
  const eight = Uint8Array.from(ramp, (sample) => sample / 256 + 128);
  const twentyFour = Uint8Array.from([...ramp].flatMap((sample) => [0, sample & 0xff, (sample >> 8) & 0xff]));
  const thirtyTwo = asBytes(Int32Array.from(ramp, (sample) => sample << 16));
  for (const [data, bits] of [
    [eight, 8],
    [asBytes(ramp), 16],
    [twentyFour, 24],
    [thirtyTwo, 32],
  ] as const) {
    for (const extensible of [false, true]) {
      assert.deepEqual(await decode(makeWav(data, { tag: 1, bits, extensible })), [...ramp], `${bits} bits`);
    }
  }
});

test('WAV of 32- and 64-bit float is clamped and cleaned', async () => {
  const values = [0.5, -0.5, 2, Number.NaN, Infinity, 0];
  const expected = [16_384, -16_384, 32_767, 0, 0, 0];
  assert.deepEqual(await decode(makeWav(asBytes(Float32Array.from(values)), { tag: 3, bits: 32 })), expected);
  assert.deepEqual(await decode(makeWav(asBytes(Float64Array.from(values)), { tag: 3, bits: 64 })), expected);
});

test('WAV of A-law and μ-law, plain and extensible', async () => {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
  assert.deepEqual(await decode(makeWav(codes, { tag: 6, bits: 8 })), [...ALAW]);
  assert.deepEqual(await decode(makeWav(codes, { tag: 7, bits: 8, extensible: true })), [...MULAW]);
});

test('several channels become their mean', async () => {
  const data = Int16Array.of(100, 200, 300, 0, 0, 600);
  assert.deepEqual(await decode(pcm16Wav(data, 16_000, 3)), [200, 200]);
});

test('chunks that are not known are skipped, odd lengths padded', async () => {
  const wav = pcm16Wav(ramp);
  const list = Buffer.from('LIST\x03\0\0\0abc\0', 'latin1');
  const withList = Buffer.concat([wav.subarray(0, 36), list, wav.subarray(36)]);
  assert.deepEqual(await decode(withList), [...ramp]);
});

test('a WAV that was written to a pipe, its length unknown, is read to its end', async () => {
  const wav = Buffer.from(pcm16Wav(ramp));
  wav.writeUInt32LE(0xffff_ffff, 40);
  assert.deepEqual(await decode(wav), [...ramp]);
});

test('the bundled sample and a FLAC clip give what they should, to the bit', async () => {
  const sample = await decodeFile({ bytes: await readFile(sampleWavPath), maxSeconds });
  assert.equal(sample.length, 111_360);
  const clip = clips[0]!;
  const flac = await decodeFile({ bytes: await readFile(`${fixturesDir}speech/${clip.file}`), maxSeconds });
  assert.deepEqual(flac, await loadClip(clip.file));
  assert.equal(flac.buffer.byteLength, flac.byteLength); // of its own: transferable
});

test('FLAC of 8 and 24 bits and two channels keeps its level and length', async () => {
  for (const bits of [8, 24]) {
    const bytes = await readFile(`${fixturesDir}flac/sine-440hz-half-${bits}bit-stereo.flac`);
    const samples = await decode(bytes);
    assert.equal(samples.length, 1_600);
    const step = 2 ** (16 - Math.min(bits, 16));
    for (const [i, sample] of samples.entries()) {
      const expected = 16_384 * Math.sin((2 * Math.PI * 440 * i) / 16_000);
      assert.ok(Math.abs(sample - expected) <= step, `${bits} bits, sample ${i}: ${sample}`);
    }
  }
});

test('a file of another rate is resampled to the right length', async () => {
  const tone = Int16Array.from(
    { length: 44_100 },
    (_, i) => 10_000 * Math.sin((2 * Math.PI * 440 * i) / 44_100),
  );
  for (const rateHz of [8_000, 44_100, 96_000]) {
    const samples = await decode(pcm16Wav(tone, rateHz));
    assert.equal(samples.length, Math.ceil((44_100 * 16_000) / rateHz));
    assert.ok(Math.max(...samples) > 9_900 && Math.max(...samples) < 10_100);
  }
});

test('raw PCM is decoded by the format that comes with it', async () => {
  const format = { sample_rate: 16_000, encoding: 'mulaw', channels: 2 } as const;
  const bytes = Uint8Array.of(0x80, 0x80, 0xff, 0xff, 0x12);
  assert.deepEqual(Array.from(await decodeFile({ bytes, maxSeconds, format })), [32_124, 0]);
});

test('audio beyond the limit is refused as too long', async () => {
  const bytes = pcm16Wav(new Int16Array(16_001));
  await assert.rejects(decodeFile({ bytes, maxSeconds: 1 }), { code: 'UPLOAD_TOO_LONG' });
  assert.equal((await decodeFile({ bytes: pcm16Wav(new Int16Array(16_000)), maxSeconds: 1 })).length, 16_000);
});

test('what is not audio is refused as unsupported', async () => {
  const unknown: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    text: Buffer.from('hello there, this is no audio at all'),
    adpcm: makeWav(new Uint8Array(64), { tag: 2, bits: 8 }),
    rate: pcm16Wav(ramp, 300_000),
    channels: makeWav(new Uint8Array(64), { tag: 1, bits: 8, channels: 33 }),
  };
  for (const [name, bytes] of Object.entries(unknown)) {
    await assert.rejects(decode(bytes), { code: 'UNSUPPORTED_MEDIA' }, name);
  }
});

test('a WAV that is cut short anywhere is refused as corrupt', async () => {
  const wav = pcm16Wav(ramp);
  for (let length = 12; length < wav.length; length += 1) {
    await assert.rejects(decode(wav.subarray(0, length)), { code: 'CORRUPT_AUDIO' }, `${length} bytes`);
  }
});

test('a FLAC that is cut short anywhere is refused as corrupt', async () => {
  const flac = await readFile(`${fixturesDir}speech/cathy-a0280.flac`);
  for (let length = 4; length < flac.length; length += 2_999) {
    await assert.rejects(decode(flac.subarray(0, length)), { code: 'CORRUPT_AUDIO' }, `${length} bytes`);
  }
});

test('damage never crashes, hangs or goes unnoticed in FLAC', async () => {
  const name = 'cathy-a0280.flac';
  const [flac, sound] = [await readFile(`${fixturesDir}speech/${name}`), await loadClip(name)];
  await fc.assert(
    fc.asyncProperty(fc.nat(flac.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = Uint8Array.from(flac);
      damaged[at] = damaged[at]! ^ flip;
      try {
        // Only bytes that do not carry audio (tags, padding, seek table) may be damaged without an effect.
        assert.deepEqual(await decodeFile({ bytes: damaged, maxSeconds }), sound);
      } catch (error) {
        assert.ok(error instanceof ServerError, String(error));
      }
    }),
    { seed: 3, numRuns: 60 },
  );
});

test('damage to a WAV header gives samples or a named error', async () => {
  const wav = pcm16Wav(ramp);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(wav.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 0, max: 60 }),
      async (changes, length) => {
        const damaged = Uint8Array.from(wav);
        for (const [at, value] of changes) damaged[at] = value;
        try {
          await decodeFile({ bytes: damaged.subarray(0, length), maxSeconds });
        } catch (error) {
          assert.ok(error instanceof ServerError, String(error));
        }
      },
    ),
    { seed: 4, numRuns: 1_000 },
  );
});

const OPUS_FILES = ['cathy-a0280.ogg', 'cathy-a0280.webm', 'cathy-a0280.mp4'];
const opusFile = (file: string): Promise<Buffer> => readFile(`${fixturesDir}opus/${file}`);

/** The highest correlation of two clips over shifts of up to ±2 ms, and that shift in samples. */
function bestMatch(a: Int16Array, b: Int16Array): { correlation: number; shift: number } {
  let best = { correlation: -1, shift: 0 };
  for (let shift = -32; shift <= 32; shift += 1) {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = 2_000; i < b.length - 2_000; i += 1) {
      const [x, y] = [a[i + shift]!, b[i]!];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    const correlation = ab / Math.sqrt(aa * bb);
    if (correlation > best.correlation) best = { correlation, shift };
  }
  return best;
}

test('Opus in Ogg, WebM and MP4 sounds as its original, without a shift', async () => {
  const original = await loadClip('cathy-a0280');
  for (const file of OPUS_FILES) {
    const samples = await decodeFile({ bytes: await opusFile(file), maxSeconds });
    const { correlation, shift } = bestMatch(samples, original);
    assert.ok(correlation > 0.95, `${file}: ${correlation}`);
    assert.ok(Math.abs(shift) <= 1, `${file}: ${shift}`);
    assert.ok(samples.length >= original.length && samples.length < original.length + 640, file);
  }
});

test('an Ogg that is damaged or cut short is refused as corrupt', async () => {
  const ogg = await opusFile('cathy-a0280.ogg');
  for (let length = 4; length < ogg.length; length += 97) {
    await assert.rejects(decode(ogg.subarray(0, length)), { code: 'CORRUPT_AUDIO' }, `${length} bytes`);
  }
  for (let at = 30; at < ogg.length; at += 89) {
    const damaged = Uint8Array.from(ogg);
    damaged[at] = damaged[at]! ^ 0x10;
    await assert.rejects(decode(damaged), { code: 'CORRUPT_AUDIO' }, `byte ${at}`);
  }
});

test('damage to WebM and MP4 gives samples or a named error', async () => {
  for (const file of OPUS_FILES.slice(1)) {
    const sound = await opusFile(file);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 5, max: sound.length }),
        async (changes, length) => {
          const damaged = Uint8Array.from(sound);
          for (const [at, value] of changes) damaged[at] = value;
          try {
            await decodeFile({ bytes: damaged.subarray(0, length), maxSeconds });
          } catch (error) {
            assert.ok(error instanceof ServerError, String(error));
          }
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  }
});
