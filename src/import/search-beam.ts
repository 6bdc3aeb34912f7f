/**
 * Beam search of a stateless transducer inside the graph, like icefall's modified_beam_search. Each stream has
 * HYPOTHESES hypotheses, with at most one symbol per frame; those with the same tokens are merged. Tokens that all
 * share are emitted (search-say.ts).
 *
 *   per frame: every hypothesis × every symbol ─▶ the best HYPOTHESES ─▶ merge those with the same tokens
 *
 * Tokens are float32 in the state; 0, the blank, marks an empty place.
 */
import {
  BEAM_KEYS,
  type Beam,
  beamDims,
  CANDIDATE_KEYS,
  type Candidates,
  DEAD,
  HYPOTHESES,
  logSumOfRows,
  pickRows,
} from './beam.js';
import type { GraphBuilder, Value } from './builder.js';
import { edgeCandidates, type HotwordTable } from './hotword-edges.js';
import { attr, TYPE, value } from './onnx.js';
import { isQuiet, ROWS, type Stateless } from './search-greedy.js';
import { call, float } from './step.js';

const K = HYPOTHESES;

/**
 * Processes all frames of a chunk.
 * @param encoded (B, frames, joiner width)
 */
export function beamSearch(
  g: GraphBuilder,
  search: Stateless,
  encoded: Value,
  beam: Beam,
  shape: { readonly frames: number; readonly queue: number; readonly hotwords: HotwordTable | null },
): Beam {
  const dims = beamDims(shape.queue, search.context);
  const b = g.body();
  const names = Object.fromEntries(BEAM_KEYS.map((key) => [key, b.fresh(key)])) as unknown as Beam;
  const [row, frame] = [b.fresh('encoded'), b.fresh('frame')];
  const after = oneFrame(b, search, row, frame, names, shape);
  const body = b.finish(
    'frame',
    [
      ...BEAM_KEYS.map((key) => value(names[key], TYPE.float, [ROWS, ...dims[key]])),
      value(row, TYPE.float, [ROWS, search.joinerWidth]),
      value(frame, TYPE.float, []),
    ],
    BEAM_KEYS.map((key) => value(after[key], TYPE.float, [ROWS, ...dims[key]])),
  );
  const numbers = g.floats(
    [shape.frames],
    Array.from({ length: shape.frames }, (_, i) => i),
  );
  const made = g.ops(
    'Scan',
    [...BEAM_KEYS.map((key) => beam[key]), encoded, numbers],
    [attr.graph('body', body), attr.int('num_scan_inputs', 2), attr.ints('scan_input_axes', [1, 0])],
    BEAM_KEYS.length,
  );
  return Object.fromEntries(BEAM_KEYS.map((key, i) => [key, made[i] ?? ''])) as unknown as Beam;
}

function oneFrame(
  b: GraphBuilder,
  search: Stateless,
  row: Value,
  frame: Value,
  beam: Beam,
  { queue, hotwords }: { readonly queue: number; readonly hotwords: HotwordTable | null },
): Beam {
  const { context, vocabulary, joinerWidth } = search;
  const decoded = call(
    b,
    search.decoder,
    b.fresh('decoder'),
    [float(b.reshape(beam.context, -1, context))],
    'decoder',
  );
  const rows = b.rowsOf(beam.score);
  const wide = b.op('Expand', [b.unsqueeze(row, 1), b.concat([rows, b.int64(K, joinerWidth)], 0)]);
  const encoded = b.reshape(wide, -1, joinerWidth);
  const joined = call(
    b,
    search.joiner,
    b.fresh('joiner'),
    [float(encoded), float(decoded[0] ?? '')],
    'joiner',
  );
  const logp = b.op('LogSoftmax', [joined[0] ?? ''], [attr.int('axis', 1)]);
  const all = b.reshape(logp, -1, K, vocabulary);
  const plain = plainCandidates(b, search, all, beam, hotwords !== null);
  const candidates = hotwords === null ? plain : joinedWithEdges(b, all, beam, plain, hotwords);
  const [, best = ''] = b.ops('TopK', [candidates.score, b.int64(K)], [attr.int('axis', 1)], 2);
  const kept = Object.fromEntries(
    CANDIDATE_KEYS.map((key) => [key, pick(b, candidates[key], best)]),
  ) as unknown as Candidates;
  return merged(b, continued(b, search, frame, beam, kept, queue));
}

function joinedWithEdges(
  b: GraphBuilder,
  all: Value,
  beam: Beam,
  plain: Candidates,
  table: HotwordTable,
): Candidates {
  const { onEdges, others } = edgeCandidates(b, all, beam, plain, table);
  return Object.fromEntries(
    CANDIDATE_KEYS.map((key) => [key, b.concat([others[key], onEdges[key]], 1)]),
  ) as unknown as Candidates;
}

/** (B, n) by (B, m) int64 → (B, m) */
const pick = (b: GraphBuilder, x: Value, index: Value): Value =>
  b.op('GatherElements', [x, index], [attr.int('axis', 1)]);

/**
 * The best continuations as if there were no hotwords: a hypothesis inside a phrase repays its debt and leaves the
 * phrase.
 */
function plainCandidates(
  b: GraphBuilder,
  { vocabulary, unk }: Stateless,
  all: Value,
  beam: Beam,
  pays: boolean,
): Candidates {
  const score = b.unsqueeze(beam.score, 2);
  const quietOnes = Array.from({ length: vocabulary }, (_, id) => (id === 0 || id === unk ? 0 : 1e-3));
  const paid = pays
    ? [b.op('Sub', [score, b.mul(b.unsqueeze(beam.owed, 2), b.floats([1, 1, vocabulary], quietOnes))])]
    : [score];
  const scores = b.reshape(b.add(all, paid[0] ?? score), -1, K * vocabulary);
  const [best = '', index = ''] = b.ops('TopK', [scores, b.int64(K)], [attr.int('axis', 1)], 2);
  const hypothesis = b.op('Div', [index, b.int64(vocabulary)]);
  const symbol = b.op('Mod', [index, b.int64(vocabulary)]);
  const quiet = isQuiet(b, symbol, unk);
  const zero = b.scalar(TYPE.float, 0);
  return {
    score: best,
    hypothesis,
    symbol,
    logp: pick(b, b.reshape(all, -1, K * vocabulary), index),
    node: b.where(quiet, pick(b, beam.node, hypothesis), zero),
    owed: b.where(quiet, pick(b, beam.owed, hypothesis), zero),
  };
}

/** The hypotheses with their symbols appended. */
function continued(
  b: GraphBuilder,
  { context, unk }: Stateless,
  frame: Value,
  beam: Beam,
  kept: Candidates,
  queue: number,
): Beam {
  const quiet = b.unsqueeze(isQuiet(b, kept.symbol, unk), 2);
  const old = (key: 'tokens' | 'when' | 'logp' | 'context', n: number) =>
    pickRows(b, beam[key], kept.hypothesis, n);
  const tokens = old('tokens', queue);
  const held = b.reduce('ReduceSum', b.cast(b.greater(tokens, b.scalar(TYPE.float, 0)), TYPE.float), 2, {
    keep: true,
  });
  const places = b.floats(
    [1, 1, queue],
    Array.from({ length: queue }, (_, i) => i),
  );
  const here = b.and(b.equal(places, held), b.not(quiet));
  const symbol = b.unsqueeze(b.cast(kept.symbol, TYPE.float), 2);
  const last = old('context', context);
  const shifted = context === 1 ? symbol : b.concat([b.slice(last, 1, context, 2), symbol], 2);
  return {
    score: kept.score,
    tokens: b.where(here, symbol, tokens),
    when: b.where(here, frame, old('when', queue)),
    logp: b.where(here, b.unsqueeze(kept.logp, 2), old('logp', queue)),
    context: b.where(quiet, last, shifted),
    node: kept.node,
    owed: kept.owed,
  };
}

/** Merges hypotheses with the same tokens: the first gets the probability of all, the others are dropped. */
function merged(b: GraphBuilder, beam: Beam): Beam {
  const difference = b.op('Abs', [b.op('Sub', [b.unsqueeze(beam.tokens, 2), b.unsqueeze(beam.tokens, 1)])]);
  const same = b.less(b.reduce('ReduceMax', difference, 3), b.scalar(TYPE.float, 0.5));
  const before = Array.from({ length: K * K }, (_, i) => (i % K < Math.floor(i / K) ? 1 : 0));
  const again = b.and(same, b.constant(TYPE.bool, [1, K, K], before));
  const repeated = b.greater(b.reduce('ReduceMax', b.cast(again, TYPE.float), 2), b.scalar(TYPE.float, 0.5));
  const dead = b.scalar(TYPE.float, DEAD);
  const total = logSumOfRows(b, b.where(same, b.unsqueeze(beam.score, 1), dead));
  return { ...beam, score: b.op('Max', [b.where(repeated, dead, total), dead]) };
}
