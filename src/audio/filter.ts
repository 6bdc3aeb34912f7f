/**
 * The low-pass filters of the resampler: one table of polyphase coefficients per input rate, made once a
 * thread and shared by all of its streams.
 *
 * Kaiser-windowed sinc. With N the lower of the two Nyquist frequencies: flat to 0.875 N, −6 dB at 0.9375 N,
 * more than 75 dB down from N on, so that nothing audible aliases. At 44.1 and 48 kHz in, that is 7 kHz and 8 kHz.
 */

import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';

export const MIN_RATE_HZ = 8_000;
export const MAX_RATE_HZ = 48_000;

/** Stop-band attenuation that the window is designed for, dB; the tests ask for 70. */
const ATTENUATION_DB = 78;
const PASS_EDGE = 0.875;
/** A rate whose exact phases would need a larger table gets this many and linear interpolation (−106 dB). */
const MAX_EXACT_PHASES = 640;
const INTERPOLATED_PHASES = 512;
/** Tables kept by a thread: all common rates and some odd ones; the largest holds 1.3 MB. */
const MAX_TABLES = 16;

export interface Filter {
  readonly rateHz: number;
  /** Output sample n lies at input position n · step / phases, exactly. */
  readonly step: number;
  readonly phases: number;
  /** Input samples under the window; even. Half of them lie after the output's position: the latency. */
  readonly taps: number;
  /** (rows, taps) float64; row r is for the fraction r / (rows − 1 or phases). */
  readonly table: Float64Array;
  /** True: one row a phase. False: neighbouring rows are interpolated. */
  readonly exact: boolean;
}

const tables = new Map<number, Filter>();

/** The filter for a whole input rate, 8,000–48,000 Hz. @throws ServerError UNSUPPORTED_SAMPLE_RATE */
export function filterFor(rateHz: number): Filter {
  const known = tables.get(rateHz);
  if (known !== undefined) return known;
  if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
    throw new ServerError('UNSUPPORTED_SAMPLE_RATE', `${rateHz} Hz.`);
  }
  if (tables.size >= MAX_TABLES) {
    const oldest = tables.keys().next();
    if (!oldest.done) tables.delete(oldest.value);
  }
  const filter = design(rateHz);
  tables.set(rateHz, filter);
  return filter;
}

/** Input samples that must follow an output's position before it can be computed. */
export const tapsFor = (rateHz: number): number => {
  const nyquistHz = Math.min(rateHz, LIMITS.sampleRateHz) / 2;
  const transition = (2 * Math.PI * (1 - PASS_EDGE) * nyquistHz) / rateHz;
  // Kaiser's estimate of the length for an attenuation and a transition band (radians per sample).
  return 2 * Math.ceil((ATTENUATION_DB - 8) / (2.285 * transition) / 2);
};

function design(rateHz: number): Filter {
  const divisor = gcd(rateHz, LIMITS.sampleRateHz);
  const phases = LIMITS.sampleRateHz / divisor;
  const exact = phases <= MAX_EXACT_PHASES;
  const taps = tapsFor(rateHz);
  const fractions = exact ? phases : INTERPOLATED_PHASES;
  const rows = exact ? phases : INTERPOLATED_PHASES + 1;
  const table = new Float64Array(rows * taps);
  for (let row = 0; row < rows; row += 1) {
    writeRow(table.subarray(row * taps, (row + 1) * taps), row / fractions, rateHz);
  }
  return { rateHz, step: rateHz / divisor, phases, taps, table, exact };
}

/** Coefficients for an output that lies `fraction` after tap taps/2 − 1; their sum is 1. */
function writeRow(row: Float64Array, fraction: number, rateHz: number): void {
  let sum = 0;
  const centre = row.length / 2 - 1 + fraction;
  for (let tap = 0; tap < row.length; tap += 1) {
    const value = impulseResponse(centre - tap, rateHz);
    row[tap] = value;
    sum += value;
  }
  for (let tap = 0; tap < row.length; tap += 1) row[tap] = row[tap]! / sum;
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
