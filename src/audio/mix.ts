/**
 * Mixes two channels to one: their mean, as long as they agree. If they are opposite in phase (a balanced line with one
 * wire swapped, "wide" microphones), the mean would cancel the voice, so the second channel is inverted.
 *
 * Decisions are made per sample from running averages, so the result depends only on the samples, not on how they were
 * split. The inversion takes some milliseconds, so it is not audible as a click.
 */

/** Plain numbers, so that a stream can keep them in shared memory. */
export interface MixState {
  /** Running means of left², right² and left · right, in 16-bit units squared. */
  left: number;
  right: number;
  cross: number;
  /** Factor of the second channel: 1, −1 when inverted, in between during the change. */
  gain: number;
  /** 1 or −1: the target of the gain. */
  target: number;
  /** Consecutive samples for which the channels were opposite. */
  opposite: number;
}

/** Time constant of the averages: a few periods of the lowest voices. */
const AVERAGE_S = 0.02;
const TURN_S = 0.01;
/** How long the channels must be opposite, since a few samples may be by chance. */
const SURE_S = 0.005;
/** Correlation below which the second channel is inverted, and above which it is restored. */
const OPPOSITE = -0.8;
const ALIKE = 0.3;
/** Minimum energy assumed for each channel (level 16 of 32,768), so that noise decides nothing. */
const FLOOR = 16 ** 2;

export const freshMix = (): MixState => ({ left: 0, right: 0, cross: 0, gain: 1, target: 1, opposite: 0 });

export function copyMix(to: MixState, from: MixState): void {
  to.left = from.left;
  to.right = from.right;
  to.cross = from.cross;
  to.gain = from.gain;
  to.target = from.target;
  to.opposite = from.opposite;
}

/** `count` samples of both channels → `out[outAt…]`, all in 16-bit units. `out` may be one of the inputs. */
export function mixStereo(
  state: MixState,
  left: Float32Array,
  right: Float32Array,
  count: number,
  rateHz: number,
  out: Float32Array,
  outAt: number,
): void {
  const weight = 1 / (AVERAGE_S * rateHz);
  const step = 2 / (TURN_S * rateHz);
  const sure = SURE_S * rateHz;
  let { left: leftMean, right: rightMean, cross, gain, target, opposite } = state;
  for (let i = 0; i < count; i += 1) {
    const l = left[i]!;
    const r = right[i]!;
    leftMean += weight * (l * l - leftMean);
    rightMean += weight * (r * r - rightMean);
    cross += weight * (l * r - cross);
    const energy = (leftMean + FLOOR) * (rightMean + FLOOR);
    const isStrong = cross * cross > (cross < 0 ? OPPOSITE : ALIKE) ** 2 * energy;
    opposite = cross < 0 && isStrong ? opposite + 1 : 0;
    if (opposite > sure) target = -1;
    else if (cross > 0 && isStrong) target = 1;
    if (gain !== target) gain = target > gain ? Math.min(target, gain + step) : Math.max(target, gain - step);
    out[outAt + i] = (l + gain * r) / 2;
  }
  state.left = leftMean;
  state.right = rightMean;
  state.cross = cross;
  state.gain = gain;
  state.target = target;
  state.opposite = Math.min(opposite, 2 * sure);
}

/** Any number of channels → one: two by `mixStereo`, more by their mean. `out` has room for all of them. */
export function mixDown(
  state: MixState,
  planes: readonly Float32Array[],
  rateHz: number,
  out: Float32Array,
): void {
  const [first, second] = planes;
  if (first === undefined) return;
  if (second === undefined) {
    out.set(first);
    return;
  }
  if (planes.length === 2) {
    mixStereo(state, first, second, first.length, rateHz, out, 0);
    return;
  }
  for (let i = 0; i < first.length; i += 1) {
    let sum = 0;
    for (const plane of planes) sum += plane[i]!;
    out[i] = sum / planes.length;
  }
}
