/** Positions for resuming: samples at 16 kHz at which the client's audio can be cut exactly. */
import { LIMITS } from '../limits.js';

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

export interface Position {
  /** At the client's rate. */
  readonly frames: number;
  /** The same at 16 kHz. */
  readonly samples: number;
}

/**
 * The last position at or before `frames` that is an integer number of samples both at 16 kHz and at the client's rate,
 * so that both sides agree on it however they round. 48 kHz: every 3rd frame; 44.1 kHz: every 10 ms; 16 kHz and simple
 * fractions of it: every frame; at worst once per second.
 */
export function exactPosition(frames: number, rateHz: number): Position {
  const common = gcd(LIMITS.sampleRateHz, rateHz);
  const units = Math.floor(frames / (rateHz / common));
  return { frames: units * (rateHz / common), samples: units * (LIMITS.sampleRateHz / common) };
}

/** The first such position at or after `samples` at 16 kHz. */
export function exactPositionBehind(samples: number, rateHz: number): Position {
  const common = gcd(LIMITS.sampleRateHz, rateHz);
  const units = Math.ceil(samples / (LIMITS.sampleRateHz / common));
  return { frames: units * (rateHz / common), samples: units * (LIMITS.sampleRateHz / common) };
}
