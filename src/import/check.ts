/**
 * Checks a composed graph before it is served: that ONNX Runtime can run it, that a stream's result does not depend on
 * its neighbours, and that it accepts speech.
 */
import { EDGE_INTS } from '../inference/hotwords.js';
import type { GraphRunner, GraphTensor } from '../inference/runner.js';
import { unsupported } from './meta.js';
import { type Composition, NAMES } from './step.js';

/** Output of a step for a batch. */
export interface StepAnswer {
  /** (B, frames × symbols) */
  readonly tokens: Int32Array;
  readonly logp: Float32Array;
  /** (B, state) */
  readonly state: Float32Array;
  readonly ms: number;
}

/** Runs a composed step. */
export class StepRunner {
  constructor(
    private readonly runner: GraphRunner,
    private readonly graph: string,
    readonly step: Composition,
  ) {}

  /**
   * @param audio a window for each stream, −1…1
   * @param state of the whole batch; null: all streams begin
   * @throws ServerError MODEL_UNSUPPORTED with the runtime's own message
   */
  async run(audio: readonly Float32Array[], state: Float32Array | null): Promise<StepAnswer> {
    const { windowSamples, stateFloats, hotwordEdges, prompts } = this.step;
    const size = audio.length;
    const pcm = new Float32Array(size * windowSamples);
    audio.forEach((it, row) => {
      pcm.set(it.subarray(0, windowSamples), row * windowSamples);
    });
    const feeds: Record<string, GraphTensor> = {
      [NAMES.audio]: { type: 'float32', dims: [size, windowSamples], data: pcm },
      [NAMES.state]: {
        type: 'float32',
        dims: [size, stateFloats],
        data: state ?? new Float32Array(size * stateFloats),
      },
    };
    if (hotwordEdges !== undefined) {
      const data = new Int32Array(size * hotwordEdges * EDGE_INTS);
      feeds[NAMES.hotwords] = { type: 'int32', dims: [size, hotwordEdges, EDGE_INTS], data };
    }
    if (prompts !== undefined) {
      feeds[NAMES.prompt] = { type: 'int32', dims: [size], data: new Int32Array(size).fill(prompts.auto) };
    }
    const { outputs, runMs } = await this.runner.run(this.graph, feeds).catch((cause: unknown) => {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw unsupported(`ONNX Runtime cannot run it: ${words}`, 'Export it with another opset_version.');
    });
    return {
      tokens: outputs[NAMES.tokens]?.data as Int32Array,
      logp: outputs[NAMES.logp]?.data as Float32Array,
      state: outputs[NAMES.next]?.data as Float32Array,
      ms: runMs,
    };
  }
}

const NOISE_STEPS = 2;
const NOISE_LEVEL = 0.1;
/** Batches of three streams: each stream alone, two together, and all three in reverse order. */
const BATCHES: readonly (readonly number[])[] = [[0], [1], [2], [0, 1], [2, 1, 0]];

/** Seeded noise (a linear congruential generator, Numerical Recipes). */
export function noise(samples: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: samples }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return NOISE_LEVEL * (state / 2 ** 31 - 1);
  });
}

export interface BatchCheck {
  /** Fastest time of a step in milliseconds, by batch size. */
  readonly stepMs: ReadonlyMap<number, number>;
  /** The first difference between a stream alone and in a batch; null: none. */
  readonly dependence: string | null;
}

/** Runs streams of noise alone and in batches of two and three. Every row should be bit-identical. */
export async function checkBatches(runner: StepRunner): Promise<BatchCheck> {
  const { windowSamples, chunkSamples } = runner.step;
  const streams = [1, 2, 3].map((seed) => noise(windowSamples + NOISE_STEPS * chunkSamples, seed));
  const alone = new Map(streams.map((_, row): [number, StepAnswer[]] => [row, []]));
  const fastest = new Map<number, number>();
  for (const rows of BATCHES) {
    let state: Float32Array | null = null;
    for (let k = 0; k < NOISE_STEPS; k++) {
      const audio = rows.map((row) => (streams[row] as Float32Array).subarray(k * chunkSamples));
      const answer = await runner.run(audio, state);
      state = answer.state;
      fastest.set(rows.length, Math.min(answer.ms, fastest.get(rows.length) ?? Number.POSITIVE_INFINITY));
      const [only = 0] = rows;
      if (rows.length === 1) alone.get(only)?.push(answer);
      const single = rows.map((row) => alone.get(row)?.[k] as StepAnswer);
      const where = rows.length === 1 ? null : differenceIn(answer, single);
      if (where !== null) return { stepMs: fastest, dependence: `${where}, step ${k}` };
    }
  }
  return { stepMs: fastest, dependence: null };
}

/** Names the output and row of a batch that differ from the same stream alone. */
function differenceIn(batch: StepAnswer, alone: readonly StepAnswer[]): string | null {
  for (const [row, one] of alone.entries()) {
    for (const part of ['tokens', 'logp', 'state'] as const) {
      const width = one[part].length;
      if (sameBits(one[part], batch[part].subarray(row * width, (row + 1) * width))) continue;
      return `${part} of row ${row} of ${alone.length}`;
    }
  }
  return null;
}

const sameBits = (a: Float32Array | Int32Array, b: Float32Array | Int32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

/** 0.8 s of silence, in which the last tokens come out. sherpa-onnx gets the same. */
export const CLIP_PAD_SAMPLES = 12_800;

/**
 * Runs a clip of speech followed by silence through the graph.
 * @returns ids of the emitted tokens
 * @throws ServerError MODEL_UNSUPPORTED if a log-probability or a token of the output is not valid
 */
export async function runClip(runner: StepRunner, clip: Float32Array, vocabulary: number): Promise<number[]> {
  const { windowSamples, chunkSamples } = runner.step;
  const audio = new Float32Array(Math.max(clip.length + CLIP_PAD_SAMPLES, windowSamples));
  audio.set(clip);
  const said: number[] = [];
  let state: Float32Array | null = null;
  for (let at = 0; at + windowSamples <= audio.length; at += chunkSamples) {
    const answer = await runner.run([audio.subarray(at)], state);
    state = answer.state;
    answer.tokens.forEach((token, i) => {
      const logp = answer.logp[i] ?? Number.NaN;
      if (!(logp <= 1e-3) || token >= vocabulary) {
        throw unsupported(
          `On a spoken clip it gives token ${token} with the log-probability ${logp}.`,
          'Its weights are damaged or belong to another model: download or export it again.',
        );
      }
      if (token >= 0) said.push(token);
    });
    if (!state.every(Number.isFinite)) {
      throw unsupported(
        'On a spoken clip its state overflows.',
        'Use another --precision, or export it again.',
      );
    }
  }
  return said;
}
