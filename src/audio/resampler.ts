/**
 * A streaming, band-limited resampler from any whole rate of 8–48 kHz to 16 kHz.
 *
 * - Output sample n is the filtered input at position n · step / phases: exact integers, so it never drifts.
 * - It is computed once enough input is there, always by the same sum in the same order: the output does not
 *   depend, to the bit, on how the input was cut.
 * - The output is in time with the input (no shift): its latency is that taps/2 further input samples must
 *   have arrived: 4 ms at 44.1 and 48 kHz, 8 ms at 8 kHz. `flush` supplies them as silence.
 */
import { LIMITS } from '../limits.js';
import { BLOCK_FRAMES } from './block.js';
import { type Filter, filterFor, tapsFor } from './filter.js';
import { roundSample } from './pcm.js';

/** A stream's state between calls; plain numbers and floats, so that it can be in shared memory. */
export interface ResamplerState {
  /** The last input samples, oldest first, in `[0, held)`; 16-bit units. */
  readonly history: Float32Array;
  held: number;
  /** Where the next output's window begins, relative to history[0]; never negative for a sound filter. */
  offset: number;
  /** The next output's fraction of an input sample, in 1/phases. */
  phase: number;
}

/** Input samples after an output's position that must arrive first: the latency. */
export const latencyFrames = (rateHz: number): number => tapsFor(rateHz) / 2;

/** Samples at 16 kHz after the start of a stream from which the output no longer depends on earlier input. */
export const settlingSamples = (rateHz: number): number =>
  rateHz === LIMITS.sampleRateHz ? 0 : Math.ceil((latencyFrames(rateHz) * LIMITS.sampleRateHz) / rateHz) + 1;

/** The state of a new stream: half a window of silence precedes the first sample. */
export function resetState(state: ResamplerState, rateHz: number): void {
  const silence = tapsFor(rateHz) / 2 - 1;
  state.history.fill(0, 0, silence);
  state.held = silence;
  state.offset = 0;
  state.phase = 0;
}

/** One per thread: runs any number of streams in turn. */
export class Resampler {
  private filter: Filter;

  constructor(filter: Filter) {
    this.filter = filter;
  }

  /** Takes the filter of the next stream. */
  use(filter: Filter): void {
    this.filter = filter;
  }

  /** See {@link latencyFrames}. */
  get latencyFrames(): number {
    return this.filter.taps / 2;
  }

  /** Most input samples that give at most `room` outputs. */
  inputFor(room: number): number {
    const { step, phases } = this.filter;
    return Math.max(0, Math.floor(((room - 1) * step) / phases));
  }

  /** The most samples that `frames` further input samples can give. */
  outputFor(frames: number): number {
    return Math.ceil((frames * this.filter.phases) / this.filter.step);
  }

  /** The working memory for the next input, from `state.held` on: at most BLOCK_FRAMES samples. */
  load(state: ResamplerState): Float32Array {
    this.filter.work.set(state.history.subarray(0, state.held));
    return this.filter.work;
  }

  /**
   * Resamples the `frames` samples that were written after `load`, to `ring[at…]` with wrap-around, and
   * updates the state. Returns the samples written.
   */
  run(state: ResamplerState, frames: number, ring: Int16Array, at: number): number {
    const filter = this.filter;
    const { step, phases, taps } = filter;
    const end = state.held + frames;
    const whole = Math.floor(step / phases);
    const part = step % phases;
    let { offset, phase } = state;
    let written = 0;
    let place = at % ring.length;
    while (offset + taps <= end) {
      ring[place] = roundSample(filter.at(phase, offset));
      written += 1;
      place += 1;
      if (place === ring.length) place = 0;
      offset += whole;
      phase += part;
      if (phase >= phases) {
        phase -= phases;
        offset += 1;
      }
    }
    const from = Math.min(offset, end); // kept for the next window
    state.history.set(filter.work.subarray(from, end));
    state.held = end - from;
    state.offset = offset - from;
    state.phase = phase;
    return written;
  }
}

/** One stream with its own state, for the file decoder and tests. */
export class StreamResampler {
  private readonly resampler: Resampler;
  private readonly state: ResamplerState;

  constructor(rateHz: number) {
    this.resampler = new Resampler(filterFor(rateHz));
    this.state = { history: new Float32Array(tapsFor(rateHz)), held: 0, offset: 0, phase: 0 };
    resetState(this.state, rateHz);
  }

  get latencyFrames(): number {
    return this.resampler.latencyFrames;
  }

  /** The most samples that `frames` further input samples can give. */
  outputFor(frames: number): number {
    return this.resampler.outputFor(frames);
  }

  /** Mono floats in 16-bit units → `out[at…]`, wrapping around. Returns the samples written. */
  process(input: Float32Array, out: Int16Array, at: number): number {
    let written = 0;
    for (let done = 0; done < input.length; done += BLOCK_FRAMES) {
      const frames = Math.min(BLOCK_FRAMES, input.length - done);
      this.resampler.load(this.state).set(input.subarray(done, done + frames), this.state.held);
      written += this.resampler.run(this.state, frames, out, at + written);
    }
    return written;
  }

  /** The tail, as if taps/2 samples of silence followed. The stream has ended after it. */
  flush(out: Int16Array, at: number): number {
    return this.process(new Float32Array(this.latencyFrames), out, at);
  }
}
