/**
 * The low-pass filters of the resampler: one table of polyphase coefficients per input rate. Each lies in a WebAssembly
 * memory of its own, together with the input that is being filtered:  | work | row 0 | row 1 | …
 *
 * Kaiser-windowed sinc. With N the lower of the two Nyquist frequencies: flat to 0.92 N, −6 dB at 0.96 N, more
 * than 75 dB down from N on, so that nothing audible aliases. At 44.1 and 48 kHz in: 7.36, 7.68 and 8 kHz.
 *
 * A common rate has few phases and a small table; that of an odd one has some 500 rows and takes tens of milliseconds
 * to design, which is why streams of odd rates get theirs from a thread of its own (src/codec/odd-rates.ts).
 */

import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { BLOCK_FRAMES } from './block.js';
import { createDot } from './dot.js';
import { COMMON_SAMPLE_RATES } from './format.js';

export const MIN_RATE_HZ = 8_000;
/** For streams; files may have higher rates. */
export const MAX_RATE_HZ = 48_000;
export const MAX_FILE_RATE_HZ = 192_000;

/** Stop-band attenuation that the window is designed for, dB; the tests ask for 70. */
const ATTENUATION_DB = 78;
const PASS_EDGE = 0.92;
/** A rate whose exact phases would need a larger table gets this many and linear interpolation (−106 dB). */
const MAX_EXACT_PHASES = 640;
const INTERPOLATED_PHASES = 512;
/** Filters of odd rates kept by a thread that designs them itself (files); the largest takes 3 MB. */
const MAX_ODD_FILTERS = 8;
/** The dot product's stride, in floats. */
const LANES = 8;

const COMMON: ReadonlySet<number> = new Set(COMMON_SAMPLE_RATES);
/** Rates whose filters are always available: they are small, and nearly every client uses one of these rates. */
export const isCommonRate = (rateHz: number): boolean => COMMON.has(rateHz);

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

/** Filters of this thread by rate, least recently used first. */
const filters = new Map<number, Filter>();

/** Rates whose filters this thread holds, least recently used first. */
export const heldRates = (): number[] => [...filters.keys()];

/**
 * The filter for an integer input rate, 8,000–192,000 Hz; designed here if this thread does not hold it.
 * @throws ServerError UNSUPPORTED_SAMPLE_RATE
 */
export function filterFor(rateHz: number): Filter {
  const filter = filters.get(rateHz) ?? filterOf(rateHz, (table) => designTable(rateHz, table));
  filters.delete(rateHz);
  filters.set(rateHz, filter);
  const odd = heldRates().filter((held) => !isCommonRate(held));
  if (odd.length > MAX_ODD_FILTERS) filters.delete(odd[0]!); // length > 0
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

interface Shape {
  readonly phases: number;
  /** Whether each phase has its own row; otherwise rows are interpolated. */
  readonly exact: boolean;
  readonly rows: number;
  readonly taps: number;
}

/** @throws ServerError UNSUPPORTED_SAMPLE_RATE */
function shapeOf(rateHz: number): Shape {
  if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_FILE_RATE_HZ) {
    throw new ServerError('UNSUPPORTED_SAMPLE_RATE', `${rateHz} Hz.`);
  }
  const phases = LIMITS.sampleRateHz / gcd(rateHz, LIMITS.sampleRateHz);
  const exact = phases <= MAX_EXACT_PHASES;
  return { phases, exact, rows: exact ? phases : INTERPOLATED_PHASES + 1, taps: tapsFor(rateHz) };
}

/** Most coefficients in the table of a stream's rate: 0.9 MB. */
export const MAX_TABLE_LENGTH = MAX_EXACT_PHASES * MAX_TAPS;

/** Coefficients in a rate's table. */
export function tableLength(rateHz: number): number {
  const { rows, taps } = shapeOf(rateHz);
  return rows * taps;
}

/** Designs a rate's filter into `table`, float32, row by row; takes up to tens of milliseconds. */
export function designTable(rateHz: number, table: Float32Array): void {
  const { exact, phases, rows, taps } = shapeOf(rateHz);
  const fractions = exact ? phases : INTERPOLATED_PHASES;
  for (let row = 0; row < rows; row += 1) {
    writeRow(table.subarray(row * taps, (row + 1) * taps), row / fractions, rateHz);
  }
}

/** A filter whose table `fill` writes: by designing or by copying it. */
export function filterOf(rateHz: number, fill: (table: Float32Array) => void): Filter {
  const { exact, phases, rows, taps } = shapeOf(rateHz);
  const rowBytes = taps * 4;
  const tableAt = (taps + BLOCK_FRAMES) * 4;
  const { memory, dot } = createDot(tableAt + rows * rowBytes);
  fill(new Float32Array(memory, tableAt, rows * taps));
  const atRow = (row: number, offset: number): number => dot(tableAt + row * rowBytes, offset * 4, rowBytes);
  const between = (phase: number, offset: number): number => {
    const position = (phase * INTERPOLATED_PHASES) / phases;
    const row = Math.floor(position);
    const weight = position - row;
    return atRow(row, offset) * (1 - weight) + atRow(row + 1, offset) * weight;
  };
  const work = new Float32Array(memory, 0, taps + BLOCK_FRAMES);
  const step = (rateHz * phases) / LIMITS.sampleRateHz;
  return { rateHz, step, phases, taps, work, at: exact ? atRow : between };
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
