/** Hypotheses of a beam search inside the graph: their data, their layout in the state, and operations on them. */
import type { GraphBuilder, Value } from './builder.js';
import { attr, TYPE } from './onnx.js';
import { rowPart, type StatePart } from './state.js';

/** Four, as in sherpa-onnx by default. The 4 × 4 numbers of a row fill whole vectors, so all are rounded alike. */
export const HYPOTHESES = 4;
const K = HYPOTHESES;
/** Score of an empty hypothesis; a lower score marks a hypothesis as dropped. */
export const DEAD = -1e30;
export const ALIVE_ABOVE = -1e29;

/** Data of each hypothesis, (B, K, …). */
export interface Beam {
  /** Log-probability, relative to the best at the chunk's start. */
  readonly score: Value;
  /** (B, K, queue): tokens not emitted yet, oldest first. */
  readonly tokens: Value;
  /** (B, K, queue): frame of each, from the chunk's first. */
  readonly when: Value;
  /** (B, K, queue): log-probability of each. */
  readonly logp: Value;
  /** (B, K, context): the last tokens. */
  readonly context: Value;
  /** Node of the hotword trie, and the nats/1000 to be deducted on leaving it. */
  readonly node: Value;
  readonly owed: Value;
}
export type BeamKey = keyof Beam;
export const BEAM_KEYS: readonly BeamKey[] = ['score', 'tokens', 'when', 'logp', 'context', 'node', 'owed'];

/** Shapes (K, …) of each. */
export function beamDims(queue: number, context: number): Record<BeamKey, number[]> {
  const list = [K, queue];
  return { score: [K], tokens: list, when: list, logp: list, context: [K, context], node: [K], owed: [K] };
}

const partOf = (key: BeamKey): string => `beam/${key}`;

export function beamParts(queue: number, context: number): StatePart[] {
  const dims = beamDims(queue, context);
  return BEAM_KEYS.map((key) => rowPart(partOf(key), ...dims[key]));
}

/** The hypotheses left by the last step; at a stream's start, a single one without tokens. */
export function beamBefore(
  g: GraphBuilder,
  first: Value,
  context: number,
  before: (part: string) => Value,
): Beam {
  const read = Object.fromEntries(BEAM_KEYS.map((key) => [key, before(partOf(key))])) as Record<
    BeamKey,
    Value
  >;
  const score = g.floats([1, K], [0, ...new Array<number>(K - 1).fill(DEAD)]);
  const tokens = Array.from({ length: K * context }, (_, i) => ((i + 1) % context === 0 ? 0 : -1));
  return {
    ...read,
    score: g.where(first, score, read.score),
    context: g.where(g.unsqueeze(first, 2), g.floats([1, K, context], tokens), read.context),
  };
}

export function beamAfter(beam: Beam, after: (part: string, x: Value) => void): void {
  for (const key of BEAM_KEYS) after(partOf(key), beam[key]);
}

/** Continuations of hypotheses, (B, n) each: the hypothesis, the symbol and the score. */
export interface Candidates {
  readonly score: Value;
  /** int64 */
  readonly hypothesis: Value;
  readonly symbol: Value;
  readonly logp: Value;
  readonly node: Value;
  readonly owed: Value;
}
export const CANDIDATE_KEYS = ['score', 'hypothesis', 'symbol', 'logp', 'node', 'owed'] as const;

/** (B, K, n) by (B, K) int64 → (B, K, n) */
export function pickRows(b: GraphBuilder, x: Value, index: Value, n: number): Value {
  const wide = b.op('Expand', [b.unsqueeze(index, 2), b.int64(1, 1, n)]);
  return b.op('GatherElements', [x, wide], [attr.int('axis', 1)]);
}

/**
 * log Σ exp over the last axis of (B, K, K), as (B, K). The terms are added one by one, since the order of a reduction
 * depends on where a row begins in memory. Logarithms are taken of whole vectors, since the rest of a vector is
 * computed differently.
 */
export function logSumOfRows(b: GraphBuilder, x: Value): Value {
  const highest = b.reduce('ReduceMax', x, 2, { keep: true });
  const columns = b.split(b.op('Exp', [b.op('Sub', [x, highest])]), new Array<number>(K).fill(1), 2);
  const sum = columns.reduce((a, column) => b.add(a, column));
  const whole = b.add(
    highest,
    b.op('Log', [b.op('Max', [b.op('Expand', [sum, b.int64(1, 1, K)]), b.scalar(TYPE.float, 1e-30)])]),
  );
  return b.squeeze(b.slice(whole, 0, 1, 2), 2);
}
