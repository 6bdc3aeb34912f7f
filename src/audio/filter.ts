/**
 * The low-pass filters of the resampler: one table of polyphase coefficients per input rate, made once a
 * thread and shared by all of its streams. Each lies in a WebAssembly memory of its own, together with the
 * input that is being filtered:  | work | row 0 | row 1 | …
 *
 * Kaiser-windowed sinc. With N the lower of the two Nyquist frequencies: flat to 0.92 N, −6 dB at 0.96 N, more
 * than 75 dB down from N on, so that nothing audible aliases. At 44.1 and 48 kHz in: 7.36, 7.68 and 8 kHz.
 */

import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { BLOCK_FRAMES } from './block.js';
import { createDot } from './dot.js';

export const MIN_RATE_HZ = 8_000;
/** Of a stream; files may have more. */
export const MAX_RATE_HZ = 48_000;
export const MAX_FILE_RATE_HZ = 192_000;

/** Stop-band attenuation that the window is designed for, dB; the tests ask for 70. */
const ATTENUATION_DB = 78;
const PASS_EDGE = 0.92;
/** A rate whose exact phases would need a larger table gets this many and linear interpolation (−106 dB). */
const MAX_EXACT_PHASES = 640;
const INTERPOLATED_PHASES = 512;
/** Filters kept by a thread: all common rates and some odd ones; the largest takes 0.5 MB. */
const MAX_FILTERS = 16;
/** The dot product's stride, in floats. */
const LANES = 8;

export interface Filter {
  readonly rateHz: number;
  /** Output sample n lies at input position n · step / phases, exactly. */
  readonly step: number;
  readonly phases: number;
  /** Input samples under the window; even. Half of them lie after the output's position: the latency. */
  readonly taps: number;
  /** The input under the filter: history, then up to BLOCK_FRAMES new samples; float32. */
  readonly work: Float32Array;
  /** The filter's value at an output whose window begins at work[offset], `phase`/phases after a sample. */
  at(phase: number, offset: number): number;
}

const filters = new Map<number, Filter>();

/** The filter for a whole input rate, 8,000–192,000 Hz. @throws ServerError UNSUPPORTED_SAMPLE_RATE */
export function filterFor(rateHz: number): Filter {
  const known = filters.get(rateHz);
  if (known !== undefined) return known;
  if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_FILE_RATE_HZ) {
    throw new ServerError('UNSUPPORTED_SAMPLE_RATE', `${rateHz} Hz.`);
  }
  if (filters.size >= MAX_FILTERS) {
    const oldest = filters.keys().next();
    if (!oldest.done) filters.delete(oldest.value);
  }
  const filter = design(rateHz);
  filters.set(rateHz, filter);
  return filter;
}

/** Length of a rate's filter, input samples: Kaiser's estimate for the attenuation and transition band. */
export function tapsFor(rateHz: number): number {
  const nyquistHz = Math.min(rateHz, LIMITS.sampleRateHz) / 2;
  const transition = (2 * Math.PI * (1 - PASS_EDGE) * nyquistHz) / rateHz; // radians per sample
  return LANES * Math.ceil((ATTENUATION_DB - 8) / (2.285 * transition) / LANES);
}

/** The longest filter of a stream: at the highest rate. */
export const MAX_TAPS = tapsFor(MAX_RATE_HZ);

function design(rateHz: number): Filter {
  const divisor = gcd(rateHz, LIMITS.sampleRateHz);
  const phases = LIMITS.sampleRateHz / divisor;
  const exact = phases <= MAX_EXACT_PHASES;
  const fractions = exact ? phases : INTERPOLATED_PHASES;
  const rows = exact ? phases : INTERPOLATED_PHASES + 1;
  const taps = tapsFor(rateHz);
  const rowBytes = taps * 4;
  const tableAt = (taps + BLOCK_FRAMES) * 4;
  const { memory, dot } = createDot(tableAt + rows * rowBytes);
  for (let row = 0; row < rows; row += 1) {
    writeRow(new Float32Array(memory, tableAt + row * rowBytes, taps), row / fractions, rateHz);
  }
  const atRow = (row: number, offset: number): number => dot(tableAt + row * rowBytes, offset * 4, rowBytes);
  const between = (phase: number, offset: number): number => {
    const position = (phase * INTERPOLATED_PHASES) / phases;
    const row = Math.floor(position);
    const weight = position - row;
    return atRow(row, offset) * (1 - weight) + atRow(row + 1, offset) * weight;
  };
  const work = new Float32Array(memory, 0, taps + BLOCK_FRAMES);
  return { rateHz, step: rateHz / divisor, phases, taps, work, at: exact ? atRow : between };
}

/** Coefficients for an output that lies `fraction` after tap taps/2 − 1; their sum is 1. */
function writeRow(row: Float32Array, fraction: number, rateHz: number): void {
  const centre = row.length / 2 - 1 + fraction;
  const values = Array.from(row, (_, tap) => impulseResponse(centre - tap, rateHz));
  const sum = values.reduce((total, value) => total + value, 0);
  row.set(values.map((value) => value / sum));
}

/** The windowed sinc at a distance in input samples, before the rows are scaled to unit gain. */
export function impulseResponse(distance: number, rateHz: number): number {
  const half = tapsFor(rateHz) / 2;
  if (Math.abs(distance) >= half) return 0;
  const cutoff = (((1 + PASS_EDGE) / 2) * Math.min(rateHz, LIMITS.sampleRateHz)) / rateHz; // of input Nyquist
  const x = Math.PI * cutoff * distance;
  const sinc = x === 0 ? 1 : Math.sin(x) / x;
  const beta = 0.1102 * (ATTENUATION_DB - 8.7); // Kaiser, for more than 50 dB
  return (cutoff * sinc * bessel0(beta * Math.sqrt(1 - (distance / half) ** 2))) / bessel0(beta);
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; k < 64 && term > sum * 1e-17; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
