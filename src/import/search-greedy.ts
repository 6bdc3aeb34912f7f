/** Greedy search of a stateless transducer inside the graph: the most likely symbol of each frame, one per frame. */
import type { GraphBuilder, Value } from './builder.js';
import { attr, TYPE, value } from './onnx.js';
import { call, float, type Model } from './step.js';

/** A decoder that depends only on the last few tokens, and its joiner. */
export interface Stateless {
  readonly decoder: Model;
  readonly joiner: Model;
  /** Number of tokens that the decoder takes. */
  readonly context: number;
  readonly vocabulary: number;
  readonly joinerWidth: number;
  /** Id that is treated as a blank besides 0, as in icefall; −1: none. */
  readonly unk: number;
}

export interface Searched {
  /** (B, frames) int64; −1: no token. */
  readonly tokens: Value;
  /** (B, frames) float32: log-probability of each frame's symbol. */
  readonly logp: Value;
  /** (B, context) float32 */
  readonly context: Value;
}

/**
 * A separate dimension name for the rows. ONNX Runtime assumes that dimensions of one name are equal, and a search may
 * have an extra row.
 */
export const ROWS = 'rows';

/** (…) bool: the symbol emits nothing. */
export function isQuiet(g: GraphBuilder, symbol: Value, unk: number): Value {
  const blank = g.equal(symbol, g.int64(0));
  return unk < 0 ? blank : g.or(blank, g.equal(symbol, g.int64(unk)));
}

/**
 * @param encoded (B, frames, joiner width) float32
 * @param context (B, context) float32: the last emitted tokens, oldest first
 */
export function greedySearch(g: GraphBuilder, search: Stateless, encoded: Value, context: Value): Searched {
  const { decoder, joiner, unk, joinerWidth } = search;
  const b = g.body();
  const [row, before] = [b.fresh('frame'), b.fresh('context')];
  const [decoded = ''] = call(b, decoder, b.fresh('decoder'), [float(before)], 'decoder');
  const [logits = ''] = call(b, joiner, b.fresh('joiner'), [float(row), float(decoded)], 'joiner');
  const symbol = b.op('ArgMax', [logits], [attr.int('axis', 1), attr.int('keepdims', 1)]);
  const quiet = isQuiet(b, symbol, unk);
  const all = b.op('LogSoftmax', [logits], [attr.int('axis', 1)]);
  const logp = b.op('GatherElements', [all, symbol], [attr.int('axis', 1)]);
  const shifted = pushed(b, before, b.cast(symbol, TYPE.float), search.context);
  const outputs = [b.where(quiet, before, shifted), b.where(quiet, b.int64(-1), symbol), logp];
  const types = [TYPE.float, TYPE.int64, TYPE.float];
  const widths = [search.context, 1, 1];
  const body = b.finish(
    'frame',
    [value(before, TYPE.float, [ROWS, search.context]), value(row, TYPE.float, [ROWS, joinerWidth])],
    outputs.map((it, i) => value(it, types[i] ?? 0, [ROWS, widths[i] ?? 0])),
  );
  const attributes = [
    attr.graph('body', body),
    attr.int('num_scan_inputs', 1),
    attr.ints('scan_input_axes', [1]),
    attr.ints('scan_output_axes', [1, 1]),
  ];
  const [after = '', symbols = '', logps = ''] = g.ops('Scan', [context, encoded], attributes, 3);
  return { tokens: g.reshape(symbols, 0, -1), logp: g.reshape(logps, 0, -1), context: after };
}

/** (B, n) with the first removed and one appended. */
function pushed(g: GraphBuilder, list: Value, last: Value, n: number): Value {
  return n === 1 ? last : g.concat([g.slice(list, 1, n, 1), last], 1);
}
