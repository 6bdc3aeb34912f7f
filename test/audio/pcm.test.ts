import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENCODINGS, type Encoding } from '../../src/audio/format.js';
import { ALAW, MULAW } from '../../src/audio/g711.js';
import { FrameCutter, frameBytesOf, PcmDecoder, type PcmFormat, roundSample } from '../../src/audio/pcm.js';

const bytesOf = (array: Int16Array | Float32Array): Uint8Array => new Uint8Array(array.buffer);

function decode(format: PcmFormat, bytes: Uint8Array): number[] {
  const ring = new Int16Array(Math.max(1, bytes.length / frameBytesOf(format)));
  const count = new PcmDecoder(format).decodeInto(bytes, ring, 0);
  return Array.from(ring.subarray(0, count));
}

const mono = (encoding: Encoding): PcmFormat => ({ encoding, channels: 1 });
const stereo = (encoding: Encoding): PcmFormat => ({ encoding, channels: 2 });

test('pcm16 mono is copied as it is, from any byte offset', () => {
  const samples = Int16Array.of(0, 1, -1, 32_767, -32_768, 258);
  for (const shift of [0, 1, 2, 3]) {
    const shifted = new Uint8Array(samples.byteLength + shift);
    shifted.set(bytesOf(samples), shift);
    assert.deepEqual(decode(mono('pcm16'), shifted.subarray(shift)), Array.from(samples));
  }
});

test('float32 is clamped to ±1, rounded to the nearest sample, and NaN and infinities become 0', () => {
  const floats = Float32Array.of(0, 0.5, -0.5, 1, -1, 1.5, -7, Number.NaN, Infinity, -Infinity, 1.4 / 32_768);
  assert.deepEqual(
    decode(mono('float32'), bytesOf(floats)),
    [0, 16_384, -16_384, 32_767, -32_768, 32_767, -32_768, 0, 0, 0, 1],
  );
});

test('float32 is read from unaligned bytes', () => {
  const shifted = new Uint8Array(13);
  shifted.set(bytesOf(Float32Array.of(0.25, -0.25, 0.125)), 1);
  assert.deepEqual(decode(mono('float32'), shifted.subarray(1)), [8_192, -8_192, 4_096]);
});

test('stereo becomes mono by the mean, halves rounded up', () => {
  assert.deepEqual(
    decode(stereo('pcm16'), bytesOf(Int16Array.of(100, 200, 1, 2, -1, -2, 32_767, 32_767))),
    [150, 2, -1, 32_767],
  );
  assert.deepEqual(decode(stereo('float32'), bytesOf(Float32Array.of(1, -1, 0.5, 0.25))), [0, 12_288]);
  assert.deepEqual(decode(stereo('mulaw'), Uint8Array.of(0x80, 0x80, 0x80, 0x00)), [32_124, 0]);
});

test('a live stream whose channels are opposite in phase is heard, however it is cut', () => {
  const wave = Int16Array.from(
    { length: 16_000 },
    (_, i) => 9_000 * Math.sin(i * 0.11) * Math.sin(i * 0.003),
  );
  const both = bytesOf(
    Int16Array.from({ length: 32_000 }, (_, i) => (i % 2 === 0 ? wave[i >> 1]! : -wave[i >> 1]!)),
  );
  const whole = decode(stereo('pcm16'), both);
  assert.deepEqual(whole.slice(1_000), Array.from(wave.subarray(1_000)));
  const decoder = new PcmDecoder(stereo('pcm16'));
  const ring = new Int16Array(16_000);
  for (let at = 0, frames = 1; at < 16_000; at += frames, frames = (frames * 7) % 501) {
    decoder.decodeInto(both.subarray(at * 4, (at + frames) * 4), ring, at);
  }
  assert.deepEqual(Array.from(ring), whole);
});

test('μ-law and A-law give the values of their tables', () => {
  const all = Uint8Array.from({ length: 256 }, (_, octet) => octet);
  assert.deepEqual(decode(mono('mulaw'), all), Array.from(MULAW));
  assert.deepEqual(decode(mono('alaw'), all), Array.from(ALAW));
});

test('rounding goes to the nearest sample for every value', () => {
  for (const [value, sample] of [
    [0.49, 0],
    [0.5, 1],
    [-0.5, 0],
    [-0.51, -1],
    [32_766.6, 32_767],
    [40_000, 32_767],
    [-40_000, -32_768],
  ]) {
    assert.equal(roundSample(value!), sample);
  }
});

test('samples wrap around the end of the ring and nothing else of it is touched', () => {
  const ring = new Int16Array(8).fill(7);
  const decoder = new PcmDecoder(mono('pcm16'));
  assert.equal(decoder.decodeInto(bytesOf(Int16Array.of(1, 2, 3, 4)), ring, 6), 4);
  assert.deepEqual(Array.from(ring), [3, 4, 7, 7, 7, 7, 1, 2]);
});

test('however a stream is cut into messages, the same samples come out', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ENCODINGS),
      fc.constantFrom<1 | 2>(1, 2),
      fc.uint8Array({ minLength: 0, maxLength: 400 }),
      fc.array(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 499 }),
      (encoding, channels, bytes, cuts, start) => {
        const format: PcmFormat = { encoding, channels };
        const cutter = new FrameCutter(format);
        const decoder = new PcmDecoder(format);
        const ring = new Int16Array(500);
        let written = 0;
        const place = (part: Uint8Array): void => {
          written += decoder.decodeInto(part, ring, (start + written) % ring.length);
        };
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const length = cut < 200 ? cuts[cut % cuts.length]! : bytes.length;
          const message = bytes.subarray(at, at + length);
          const split = cutter.completeSplit(message);
          if (split !== undefined) place(split);
          place(cutter.wholeFrames(message));
          at += length;
        }
        const whole = Math.floor(bytes.length / frameBytesOf(format));
        const expected = decode(format, bytes.subarray(0, whole * frameBytesOf(format)));
        assert.equal(written, whole);
        assert.equal(cutter.frames, whole);
        assert.deepEqual(
          expected.map((_, i) => ring[(start + i) % ring.length]),
          expected,
        );
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test('a begun sample-frame is forgotten on request', () => {
  const cutter = new FrameCutter(mono('pcm16'));
  cutter.completeSplit(Uint8Array.of(1));
  cutter.wholeFrames(Uint8Array.of(1));
  cutter.discardPartial();
  const message = Uint8Array.of(5, 0);
  assert.equal(cutter.completeSplit(message), undefined);
  assert.deepEqual(Array.from(cutter.wholeFrames(message)), [5, 0]);
});
