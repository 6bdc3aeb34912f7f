/**
 * Hotwords in the beam search: continuations along the edges of a stream's trie (src/inference/hotwords.ts). A
 * hypothesis gains score along a phrase and repays it if it leaves the trie before the end of the phrase. A phrase may
 * start anywhere.
 */

import { ALIVE_ABOVE, type Beam, type Candidates, DEAD, HYPOTHESES } from './beam.js';
import type { GraphBuilder, Value } from './builder.js';
import { attr, TYPE } from './onnx.js';

const K = HYPOTHESES;
/** Gains and debts are thousandths of a nat. */
const NATS = 1e-3;

/** A stream's edges, (B, edges) float32 each unless noted. */
export interface HotwordTable {
  readonly edges: number;
  readonly from: Value;
  readonly symbol: Value;
  /** int64 */
  readonly symbolId: Value;
  readonly to: Value;
  readonly gain: Value;
  readonly debt: Value;
  /** (B, edges, edges): 1 where two edges have the same symbol. */
  readonly sameSymbol: Value;
}

/** @param input (B, edges, 5) int32: from, symbol, to, gain, debt; unused ones are all zero */
export function hotwordTable(g: GraphBuilder, input: Value, edges: number): HotwordTable {
  const columns = g.split(g.cast(input, TYPE.float), [1, 1, 1, 1, 1], 2).map((it) => g.squeeze(it, 2));
  const [from = '', symbol = '', to = '', gain = '', debt = ''] = columns;
  const sameSymbol = g.cast(g.equal(g.unsqueeze(symbol, 2), g.unsqueeze(symbol, 1)), TYPE.float);
  return { edges, from, symbol, symbolId: g.cast(symbol, TYPE.int64), to, gain, debt, sameSymbol };
}

/**
 * Continuations along edges, and the plain continuations that are not along an edge.
 * @param all (B, K, vocabulary): log-probabilities
 * @param plain the best ones, as if there were no edges. As many as there are hypotheses suffice: if one is along an
 * edge, the edge itself scores at least as high.
 */
export function edgeCandidates(
  b: GraphBuilder,
  all: Value,
  beam: Beam,
  plain: Candidates,
  table: HotwordTable,
): { onEdges: Candidates; others: Candidates } {
  const { edges } = table;
  const dead = b.scalar(TYPE.float, DEAD);
  const row = (x: Value) => b.unsqueeze(x, 1);
  const [node, owed] = [b.unsqueeze(beam.node, 2), b.unsqueeze(beam.owed, 2)];
  const used = b.greater(row(table.symbol), b.scalar(TYPE.float, 0));
  const onward = b.and(used, b.equal(row(table.from), node));
  const away = b.greater(node, b.scalar(TYPE.float, 0.5));
  const afresh = b.and(b.and(used, b.equal(row(table.from), b.scalar(TYPE.float, 0))), away);
  const gainAfresh = b.op('Sub', [row(table.gain), owed]);
  // When an edge onward and an edge from the root have the same symbol, the better counts; at a tie, the one onward.
  const there = (mask: Value, gain: Value) => better(b, mask, gain, table.sameSymbol);
  const stays = b.and(onward, b.not(b.greater(there(afresh, gainAfresh), row(table.gain))));
  const leaves = b.and(
    afresh,
    b.greater(gainAfresh, there(onward, b.op('Expand', [row(table.gain), b.int64(1, K, 1)]))),
  );
  const open = b.and(
    b.or(stays, leaves),
    b.greater(b.unsqueeze(beam.score, 2), b.scalar(TYPE.float, ALIVE_ABOVE)),
  );
  const symbols = b.op('Expand', [row(table.symbolId), b.int64(1, K, 1)]);
  const logp = b.op('GatherElements', [all, symbols], [attr.int('axis', 2)]);
  const gain = b.mul(b.where(stays, row(table.gain), gainAfresh), b.scalar(TYPE.float, NATS));
  const score = b.add(b.add(logp, b.unsqueeze(beam.score, 2)), gain);
  const flat = (x: Value) => b.reshape(x, -1, K * edges);
  const wide = (x: Value) => flat(b.op('Expand', [row(x), b.int64(1, K, 1)]));
  const whose = b.constant(TYPE.int64, [1, K, 1], [...new Array(K).keys()]);
  const onEdges: Candidates = {
    score: flat(b.where(open, score, dead)),
    hypothesis: flat(b.add(b.mul(symbols, b.int64(0)), whose)),
    symbol: flat(symbols),
    logp: flat(logp),
    node: wide(table.to),
    owed: wide(table.debt),
  };
  return {
    onEdges,
    others: { ...plain, score: b.where(alongEdges(b, plain, open, table), dead, plain.score) },
  };
}

/**
 * (B, K, edges): the gain of the edge in `mask` with the same symbol, of which there is at most one; otherwise a value
 * below every gain.
 */
function better(b: GraphBuilder, mask: Value, gain: Value, sameSymbol: Value): Value {
  const marked = b.cast(mask, TYPE.float);
  const count = b.op('MatMul', [marked, sameSymbol]);
  const sum = b.op('MatMul', [b.mul(marked, gain), sameSymbol]);
  return b.where(b.greater(count, b.scalar(TYPE.float, 0.5)), sum, b.scalar(TYPE.float, DEAD));
}

/** (B, K): whether a plain continuation is along an edge. */
function alongEdges(b: GraphBuilder, plain: Candidates, open: Value, table: HotwordTable): Value {
  const ofItsHypothesis = b.op(
    'GatherElements',
    [
      b.cast(open, TYPE.float),
      b.op('Expand', [b.unsqueeze(plain.hypothesis, 2), b.int64(1, 1, table.edges)]),
    ],
    [attr.int('axis', 1)],
  );
  const same = b.cast(b.equal(b.unsqueeze(plain.symbol, 2), b.unsqueeze(table.symbolId, 1)), TYPE.float);
  return b.greater(b.reduce('ReduceMax', b.mul(ofItsHypothesis, same), 2), b.scalar(TYPE.float, 0.5));
}
