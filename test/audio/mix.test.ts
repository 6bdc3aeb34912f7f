import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFile } from '../../src/audio/file.js';
import { freshMix, mixDown, mixStereo } from '../../src/audio/mix.js';
import { loadClip } from '../helpers/fixtures.js';
import { likeness } from '../helpers/likeness.js';
import { pcm16Wav } from '../helpers/wav.js';

const RATE_HZ = 16_000;
const floats = (samples: ArrayLike<number>) => Float32Array.from(samples);
function mixed(left: Float32Array, right: Float32Array): Float32Array {
  const out = new Float32Array(left.length);
  mixStereo(freshMix(), left, right, left.length, RATE_HZ, out, 0);
  return out;
}
const interleaved = (left: Int16Array, right: (i: number) => number): Int16Array =>
  Int16Array.from({ length: left.length * 2 }, (_, i) => (i % 2 === 0 ? left[i >> 1]! : right(i >> 1)));

test('channels that agree become their mean, to the bit', async () => {
  const voice = floats(await loadClip('cathy-a0280'));
  const other = voice.map((sample, i) => sample * 0.5 + (i % 7));
  const mean = voice.map((sample, i) => (sample + other[i]!) / 2);
  assert.deepEqual(mixed(voice, other), mean);
  assert.deepEqual(mixed(voice, new Float32Array(voice.length)), voice.map((sample) => sample / 2)); // biome-ignore format: short
});

test('a voice that is turned round in one channel does not vanish', async () => {
  const voice = await loadClip('cathy-a0280');
  const wav = pcm16Wav(
    interleaved(voice, (i) => -voice[i]!),
    RATE_HZ,
    2,
  );
  const samples = await decodeFile({ bytes: wav, maxSeconds: 60 });
  assert.ok(likeness(samples, voice, 10).correlation > 0.99);
  const energy = (it: ArrayLike<number>) => Array.from(it).reduce((sum, x) => sum + x * x, 0);
  assert.ok(energy(samples) > 0.9 * energy(voice), 'nor does it become softer');
});

test('a phase that turns in the middle is followed both ways', async () => {
  const voice = floats(await loadClip('cathy-a0280'));
  const third = voice.length / 3;
  const other = voice.map((sample, i) => (i > third && i < 2 * third ? -sample : sample));
  const out = mixed(voice, other);
  let lost = 0;
  let all = 0;
  for (const [i, sample] of voice.entries()) {
    lost += (sample - out[i]!) ** 2;
    all += sample ** 2;
  }
  assert.ok(lost < 0.05 * all, `${lost / all} of the energy differs`);
});

test('the mix does not depend on how the audio was cut', async () => {
  const voice = floats((await loadClip('cathy-a0280')).subarray(8_000, 12_000));
  const other = voice.map((sample, i) => (i < 2_000 ? -sample : sample * 0.3));
  const whole = mixed(voice, other);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 12 }), (cuts) => {
      const state = freshMix();
      const out = new Float32Array(voice.length);
      let at = 0;
      for (let i = 0; at < voice.length; i += 1) {
        const count = Math.min(cuts[i % cuts.length]!, voice.length - at);
        mixStereo(state, voice.subarray(at), other.subarray(at), count, RATE_HZ, out, at);
        at += count;
      }
      assert.deepEqual(out, whole);
    }),
    { seed: 11, numRuns: 20 },
  );
});

test('one channel is itself, more than two are their mean', () => {
  const out = new Float32Array(2);
  mixDown(freshMix(), [floats([3, 4])], RATE_HZ, out);
  assert.deepEqual([...out], [3, 4]);
  mixDown(freshMix(), [floats([3, 0]), floats([6, 3]), floats([0, 3])], RATE_HZ, out);
  assert.deepEqual([...out], [3, 2]);
});
