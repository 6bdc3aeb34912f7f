/**
 * Log-mel features inside the graph, as kaldi-native-fbank computes them. Everything from the samples to the Fourier
 * transform is linear and thus one matrix product; the mel filters are a second one.
 * https://github.com/csukuangfj/kaldi-native-fbank (feature-window.cc, mel-computations.cc)
 */
import type { GraphBuilder, Value } from './builder.js';
import { TYPE } from './onnx.js';

const RATE = 16_000;
/** Samples of a frame, and samples from one frame to the next. */
const FRAME = 400;
export const FRAME_SHIFT = 160;
const FFT = 512;
const BINS = FFT / 2 + 1;
const PREEMPHASIS = 0.97;
/** Kaldi's energy floor: float32 epsilon. */
const LEAST_ENERGY = 2 ** -23;
/** Samples before a chunk that its first frame covers; a frame is centred on the middle of its shift. */
export const LOOKBACK = (FRAME - FRAME_SHIFT) / 2;

const fround = Math.fround;

export interface FeatureOptions {
  /** Mel bands. */
  readonly bands: number;
  /** `povey`: hann^0.85 over 399 samples; `hann`: periodic, over 400. */
  readonly window: 'povey' | 'hann';
  /** Whether the mean of a frame is subtracted first. */
  readonly removeMean: boolean;
  /** Edges of the outermost bands in Hz. */
  readonly low: number;
  readonly high: number;
  /** `kaldi`: 1127 · ln(1 + f / 700), without the Nyquist bin; `slaney`: librosa's scale and norm. */
  readonly mel: 'kaldi' | 'slaney';
}

/** The features that icefall uses in training. */
export const icefallFeatures = (bands: number): FeatureOptions => ({
  bands,
  window: 'povey',
  removeMean: true,
  low: 20,
  high: 7_600,
  mel: 'kaldi',
});

/**
 * The features that NeMo uses in training, as sherpa-onnx computes them: centred 5 ms later than in NeMo, and with
 * Kaldi's energy floor.
 */
export const nemoFeatures = (bands: number): FeatureOptions => ({
  bands,
  window: 'hann',
  removeMean: false,
  low: 0,
  high: 8_000,
  mel: 'slaney',
});

const WINDOWS: Record<FeatureOptions['window'], (i: number) => number> = {
  povey: (i) => (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (FRAME - 1))) ** 0.85,
  hann: (i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAME),
};

/**
 * (400 × 514): a frame's samples → real parts, then imaginary parts. Includes mean removal, pre-emphasis and window.
 */
export function spectrumMatrix({ window, removeMean }: FeatureOptions): Float32Array {
  const weights = Array.from({ length: FRAME }, (_, i) => fround(WINDOWS[window](i)));
  const matrix = new Float32Array(FRAME * 2 * BINS);
  const row = new Float64Array(FRAME + 1);
  for (let column = 0; column < 2 * BINS; column++) {
    const bin = column % BINS;
    for (let i = 0; i < FRAME; i++) {
      const angle = (2 * Math.PI * ((bin * i) % FFT)) / FFT;
      row[i] = (weights[i] as number) * (column < BINS ? Math.cos(angle) : -Math.sin(angle));
    }
    // Sample i contributes to output i and, through pre-emphasis, to the next. The first sample is its own predecessor.
    let mean = 0;
    for (let i = 0; i < FRAME; i++) {
      const own = (i === 0 ? 1 - PREEMPHASIS : 1) * (row[i] as number);
      row[i] = own - PREEMPHASIS * (row[i + 1] as number);
      mean += (row[i] as number) / FRAME;
    }
    for (let i = 0; i < FRAME; i++) {
      matrix[i * 2 * BINS + column] = (row[i] as number) - (removeMean ? mean : 0);
    }
  }
  return matrix;
}

// In float32, as in kaldi-native-fbank: rounding at the edge of a band decides to which band a bin belongs.
const kaldiMel = (hz: number): number => fround(1127 * fround(Math.log(fround(1 + fround(hz / 700)))));
const slaneyMel = (hz: number): number =>
  hz <= 1000
    ? fround((hz * 3) / 200)
    : fround(15 + fround(14.545078505785561 * fround(Math.log(fround(hz / 1000)))));
const slaneyHz = (mel: number): number =>
  mel <= 15
    ? fround((200 / 3) * mel)
    : fround(1000 * fround(Math.exp(fround((mel - 15) * fround(0.06875177742094911)))));

/** (257 × bands): power of each bin → energy of each band. */
export function melMatrix({ bands, low, high, mel }: FeatureOptions): Float32Array {
  const slaney = mel === 'slaney';
  const toMel = slaney ? slaneyMel : kaldiMel;
  const from = toMel(low);
  const step = fround(fround(toMel(high) - from) / (bands + 1));
  const matrix = new Float32Array(BINS * bands);
  for (let band = 0; band < bands; band++) {
    const edge = (n: number): number => {
      const at = fround(from + fround((band + n) * step));
      return slaney ? slaneyHz(at) : at;
    };
    const [left, centre, right] = [edge(0), edge(1), edge(2)];
    // Librosa's triangles are linear in hertz and have an area of one. Kaldi's are linear in mels and exclude the
    // Nyquist bin.
    for (let bin = 0; bin < (slaney ? BINS : BINS - 1); bin++) {
      const hz = fround((RATE / FFT) * bin);
      const at = slaney ? hz : kaldiMel(hz);
      if (at <= left || at >= right) continue;
      const height = at <= centre ? (at - left) / (centre - left) : (right - at) / (right - centre);
      matrix[bin * bands + band] = slaney ? (height * 2) / (right - left) : height;
    }
  }
  return matrix;
}

/** Samples that a step of `frames` frames reads, from its chunk's first sample on. */
export const windowOf = (frames: number): number => FRAME_SHIFT * (frames - 1) + FRAME - LOOKBACK;

/**
 * Log-mel features of a window.
 * @param pcm (B, LOOKBACK + window) float32, −1…1: the window and the samples before it
 * @returns (B, frames, bands) float32
 */
export function features(g: GraphBuilder, pcm: Value, frames: number, options: FeatureOptions): Value {
  const index = Int32Array.from(
    { length: frames * FRAME },
    (_, i) => FRAME_SHIFT * Math.floor(i / FRAME) + (i % FRAME),
  );
  const framed = g.gather(pcm, g.constant(TYPE.int32, [frames, FRAME], index), 1);
  const spectrum = g.op('MatMul', [framed, g.floats([FRAME, 2 * BINS], spectrumMatrix(options))]);
  const [real, imaginary] = g.split(spectrum, [BINS, BINS], 2) as [Value, Value];
  const power = g.add(g.mul(real, real), g.mul(imaginary, imaginary));
  const energy = g.op('MatMul', [power, g.floats([BINS, options.bands], melMatrix(options))]);
  return g.op('Log', [g.op('Max', [energy, g.scalar(TYPE.float, LEAST_ENERGY)])]);
}

/**
 * Prepends the samples before a window: those kept in the state or, at a stream's start, the first samples mirrored, as
 * Kaldi does without `snip_edges`.
 * @param first (B, 1) bool: the stream begins
 * @param tail (B, LOOKBACK) float32
 * @returns (B, LOOKBACK + window) float32
 */
export function withLookback(g: GraphBuilder, audio: Value, first: Value, tail: Value): Value {
  const backwards = Int32Array.from({ length: LOOKBACK }, (_, i) => LOOKBACK - 1 - i);
  const mirrored = g.gather(audio, g.constant(TYPE.int32, [LOOKBACK], backwards), 1);
  return g.concat([g.where(first, mirrored, tail), audio], 1);
}
