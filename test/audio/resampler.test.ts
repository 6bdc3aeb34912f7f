import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DOT_WASM, DOT_WAT } from '../../src/audio/dot.js';
import { filterFor, impulseResponse, MAX_TAPS, tapsFor } from '../../src/audio/filter.js';
import { StreamResampler } from '../../src/audio/resampler.js';
import { HISTORY_LENGTH } from '../../src/codec/slab.js';

const COMMON_RATES = [8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/** 16,000 and these have no small common divisor: their filters are interpolated. */
const ODD_RATES = [8_001, 15_999, 16_001, 44_101, 47_999];

const sine = (rateHz: number, hz: number, amplitude: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rateHz));

/** Deterministic noise in 16-bit units. */
function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 20_000;
  });
}

function resample(rateHz: number, input: Float32Array, cuts: readonly number[] = [input.length]): Int16Array {
  const resampler = new StreamResampler(rateHz);
  const out = new Int16Array(Math.ceil((input.length * 16_000) / rateHz) + 8);
  let written = 0;
  for (let at = 0, turn = 0; at < input.length; turn += 1) {
    const length = Math.max(1, cuts[turn % cuts.length] ?? 1);
    written += resampler.process(input.subarray(at, at + length), out, written);
    at += length;
  }
  written += resampler.flush(out, written);
  return out.slice(0, written);
}

/** Amplitude and phase of a component, by correlation over whole numbers of periods away from the ends. */
function component(samples: Int16Array, hz: number): { amplitude: number; phase: number } {
  const from = 800;
  const count = Math.floor((samples.length - 2 * from) / 1_600) * 1_600; // 0.1 s: whole periods of 10 Hz
  let re = 0;
  let im = 0;
  for (let i = from; i < from + count; i += 1) {
    const angle = (2 * Math.PI * hz * i) / 16_000;
    re += samples[i]! * Math.sin(angle);
    im += samples[i]! * Math.cos(angle);
  }
  return { amplitude: (2 * Math.hypot(re, im)) / count, phase: Math.atan2(im, re) };
}

const rms = (samples: ArrayLike<number>, from: number, to: number): number => {
  let sum = 0;
  for (let i = from; i < to; i += 1) sum += samples[i]! ** 2;
  return Math.sqrt(sum / (to - from));
};

test('the WebAssembly is what its source says', async () => {
  const { default: load } = await import('wabt');
  const { buffer } = (await load()).parseWat('dot.wat', DOT_WAT, { simd: true }).toBinary({});
  assert.deepEqual(Buffer.from(buffer), DOT_WASM);
});

test("the longest filter's history fits in a codec slot", () => {
  assert.ok(MAX_TAPS <= HISTORY_LENGTH);
});

for (const rateHz of [...COMMON_RATES, ...ODD_RATES]) {
  test(`${rateHz} Hz: a tone in the passband keeps its level and is not shifted in time`, () => {
    const nyquistHz = Math.min(rateHz, 16_000) / 2;
    for (const share of [0.05, 0.4, 0.91]) {
      const hz = Math.floor((nyquistHz * share) / 10) * 10;
      const out = resample(rateHz, sine(rateHz, hz, 20_000, rateHz));
      const { amplitude, phase } = component(out, hz);
      assert.ok(Math.abs(20 * Math.log10(amplitude / 20_000)) < 0.02, `${hz} Hz: ${amplitude}`);
      assert.ok(Math.abs(phase) < 0.001, `${hz} Hz: ${phase} rad`);
    }
  });
}

for (const rateHz of [...COMMON_RATES, ...ODD_RATES].filter((rate) => rate > 16_000)) {
  test(`${rateHz} Hz: what would alias is at least 70 dB down`, () => {
    const top = rateHz / 2 - 50;
    for (const hz of [8_000, 8_200, 9_000, 12_000, 16_000, 20_000].filter((it) => it <= top)) {
      const out = resample(rateHz, sine(rateHz, hz, 32_000, rateHz / 2));
      const level = 20 * Math.log10((rms(out, 400, out.length - 400) * Math.SQRT2) / 32_000);
      assert.ok(level < -70, `${hz} Hz: ${level} dB`);
    }
  });
}

for (const rateHz of [8_000, 11_025, 12_000, 15_999]) {
  test(`${rateHz} Hz: images above the input's band are at least 70 dB down`, () => {
    const hz = 0.8 * (rateHz / 2);
    const out = resample(rateHz, sine(rateHz, hz, 30_000, rateHz));
    const clean = sine(16_000, hz, 30_000, out.length);
    const rest = Array.from(out, (sample, i) => sample - clean[i]!);
    const level = 20 * Math.log10(rms(rest, 400, rest.length - 400) / (30_000 / Math.SQRT2));
    assert.ok(level < -70, `${level} dB`);
  });
}

test('the output agrees with the windowed sinc evaluated directly, to one unit', () => {
  for (const rateHz of [...COMMON_RATES, ...ODD_RATES]) {
    const input = noise(3_000, rateHz);
    const out = resample(rateHz, input);
    const half = tapsFor(rateHz) / 2;
    for (let n = 0; n < out.length; n += 7) {
      const position = (n * rateHz) / 16_000;
      let sum = 0;
      let gain = 0;
      for (let k = Math.ceil(position - half); k <= position + half; k += 1) {
        const weight = impulseResponse(position - k, rateHz);
        gain += weight;
        sum += weight * (input[k] ?? 0);
      }
      assert.ok(Math.abs(out[n]! - sum / gain) < 1, `${rateHz} Hz, sample ${n}`);
    }
  }
});

test('the output does not depend, to the bit, on how the input was cut', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constantFrom(...COMMON_RATES, ...ODD_RATES), fc.integer({ min: 8_000, max: 48_000 })),
      fc.integer({ min: 1, max: 4_000 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 12 }),
      (rateHz, length, cuts) => {
        const input = noise(length, rateHz);
        assert.deepEqual(resample(rateHz, input, cuts), resample(rateHz, input));
      },
    ),
    { seed: 2, numRuns: 80 },
  );
});

test('N samples give exactly ⌈N · 16,000 / rate⌉, so that nothing is lost at the end', () => {
  for (const rateHz of [...COMMON_RATES, ...ODD_RATES]) {
    for (const length of [1, 2, 159, 160, 4_801]) {
      assert.equal(resample(rateHz, noise(length, 1)).length, Math.ceil((length * 16_000) / rateHz));
    }
  }
});

test('an hour of audio does not drift: the phase after it is exact', () => {
  for (const rateHz of [44_100, 47_999, 8_001]) {
    const { step, phases } = filterFor(rateHz);
    assert.equal(step * 16_000, phases * rateHz); // the ratio is exact …
    const hour = 3_600 * 16_000;
    assert.equal((hour * step) % phases, 0); // … and after whole seconds the phase is 0 again
    // The integer walk of the resampler, for an hour of output.
    let position = 0;
    let phase = 0;
    const whole = Math.floor(step / phases);
    const part = step % phases;
    for (let n = 0; n < hour; n += 1) {
      position += whole;
      phase += part;
      if (phase >= phases) {
        phase -= phases;
        position += 1;
      }
    }
    assert.deepEqual([position, phase], [3_600 * rateHz, 0]);
  }
});

test('silence stays silence and full scale does not overflow', () => {
  assert.ok(resample(44_100, new Float32Array(5_000)).every((sample) => sample === 0));
  const square = Float32Array.from({ length: 9_600 }, (_, i) => (i % 96 < 48 ? 32_767 : -32_768));
  const out = resample(48_000, square);
  assert.equal(Math.max(...out), 32_767);
  assert.equal(Math.min(...out), -32_768);
});

test('a rate that is not whole or out of range is refused', () => {
  for (const rateHz of [7_999, 0, -1, 44_100.5, Number.NaN, 192_001]) {
    assert.throws(() => new StreamResampler(rateHz), { code: 'UNSUPPORTED_SAMPLE_RATE' });
  }
});
