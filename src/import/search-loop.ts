/**
 * Greedy search of a transducer with a recurrent decoder. Each stream emits symbols in a frame until it emits the blank
 * or reaches the limit, then moves to its next frame. Streams need different numbers of turns, so each has its own
 * frame pointer, and the loop ends when the last stream is done. In each turn the decoder runs only for the streams
 * that emitted a symbol.
 */
import type { GraphBuilder, Value } from './builder.js';
import { attr, TYPE, value } from './onnx.js';
import { ROWS } from './search-greedy.js';
import { rowPart, type StatePart } from './state.js';
import { call, float, type Model, NAMES, type StepGraph } from './step.js';

/** As in sherpa-onnx (also NeMo's default). */
export const SYMBOLS_PER_FRAME = 10;

/** A decoder with LSTM states, and its joiner. */
export interface Recurrent {
  /** (B, 1) int32 symbols, (B) int32 lengths, (layers, B, hidden) twice → what the joiner takes, lengths, both states. */
  readonly decoder: Model;
  /** (B, width, 1) of the encoder, the decoder's output → (B, 1, 1, vocabulary) */
  readonly joiner: Model;
  readonly layers: number;
  readonly hidden: number;
  /** Dimensions of the decoder's output for the joiner, without the leading batch axis. */
  readonly decoded: readonly number[];
  /** Width of an encoder frame. */
  readonly width: number;
  readonly blank: number;
}

/** State of the decoder: (B, layers, hidden) twice, and its last output. */
type Memory = readonly [h: Value, c: Value, decoded: Value];

const PARTS = ['decoder/h', 'decoder/c', 'decoder/out'] as const;

const dimsOfMemory = ({ layers, hidden, decoded }: Recurrent): readonly (readonly number[])[] => [
  [layers, hidden],
  [layers, hidden],
  decoded,
];

export const loopParts = (search: Recurrent): StatePart[] =>
  dimsOfMemory(search).map((dims, i) => rowPart(PARTS[i] ?? '', ...dims));

/**
 * Adds the search to a step.
 * @param encoded (B, frames, width) float32
 */
export function addLoopSearch(step: StepGraph, search: Recurrent, encoded: Value, frames: number): void {
  const { g } = step;
  const begin = beginning(g, search);
  const before = dimsOfMemory(search).map((dims, i) => {
    const first = g.reshape(step.first, -1, ...dims.map(() => 1));
    return withGuardRow(g, g.where(first, begin[i] ?? '', step.before(PARTS[i] ?? '')));
  });
  const found = loop(g, search, withGuardRow(g, encoded), before as unknown as Memory, frames);
  PARTS.forEach((part, i) => {
    step.after(part, withoutGuardRow(g, found.memory[i] ?? ''));
  });
  const slots = frames * SYMBOLS_PER_FRAME;
  const said = (x: Value) => withoutGuardRow(g, g.slice(x, 0, slots, 1));
  step.output(g.cast(said(found.tokens), TYPE.int32), NAMES.tokens, TYPE.int32, slots);
  step.output(said(found.logp), NAMES.logp, TYPE.float, slots);
}

// A product of one row may use another kernel than one of many, with other rounding.
const withGuardRow = (g: GraphBuilder, x: Value): Value => g.concat([x, g.slice(x, 0, 1, 0)], 0);
const withoutGuardRow = (g: GraphBuilder, x: Value): Value => g.slice(x, 0, -1, 0);

/**
 * Initial memory: the decoder's output for the blank from zero states. Computed with two rows, as above; one is used.
 */
function beginning(g: GraphBuilder, search: Recurrent): Memory {
  const { layers, hidden, blank } = search;
  const zeros = g.floats([2, layers, hidden], new Float32Array(2 * layers * hidden));
  const symbols = g.constant(TYPE.int32, [2, 1], [blank, blank]);
  const [h, c, decoded] = decode(g, search, 'decoder/begin', symbols, zeros, zeros);
  return [g.slice(h, 0, 1, 0), g.slice(c, 0, 1, 0), g.slice(decoded, 0, 1, 0)];
}

/** @param symbols (B, 1) int32 */
function decode(
  g: GraphBuilder,
  { decoder }: Recurrent,
  prefix: string,
  symbols: Value,
  h: Value,
  c: Value,
): Memory {
  const none = g.mul(symbols, g.scalar(TYPE.int32, 0));
  const lengths = g.reshape(g.add(none, g.scalar(TYPE.int32, 1)), -1);
  const int32 = (x: Value) => ({ value: x, element: TYPE.int32 });
  // The decoder's states have the layers before the batch.
  const turned = (x: Value) => g.transpose(x, 1, 0, 2);
  const inputs = [int32(symbols), int32(lengths), float(turned(h)), float(turned(c))];
  const [decoded = '', , nextH = '', nextC = ''] = call(g, decoder, prefix, inputs, 'decoder');
  return [turned(nextH), turned(nextC), decoded];
}

interface Found {
  readonly memory: Memory;
  /** (B, frames × symbols + 1) int64; −1: no token. Values that are not emitted go to the last place. */
  readonly tokens: Value;
  /** The same, float32. */
  readonly logp: Value;
}

function loop(g: GraphBuilder, search: Recurrent, encoded: Value, before: Memory, frames: number): Found {
  const slots = frames * SYMBOLS_PER_FRAME;
  const rows = g.rowsOf(encoded);
  const zero = g.repeat(g.constant(TYPE.int64, [1, 1], [0]), rows, [1]);
  const start: readonly [Value, number, readonly number[]][] = [
    [zero, TYPE.int64, [1]],
    [zero, TYPE.int64, [1]],
    [g.repeat(g.constant(TYPE.int64, [1, 1], [-1]), rows, [slots + 1]), TYPE.int64, [slots + 1]],
    [g.repeat(g.floats([1, 1], [0]), rows, [slots + 1]), TYPE.float, [slots + 1]],
    ...dimsOfMemory(search).map((dims, i): [Value, number, readonly number[]] => [
      before[i] ?? '',
      TYPE.float,
      dims,
    ]),
  ];
  const b = g.body();
  const names = start.map((_, i) => b.fresh(`turn${i}`));
  const [frame = '', count = '', tokens = '', logp = '', h = '', c = '', decoded = ''] = names;
  const turn = sayOne(b, search, encoded, { frame, count, tokens, logp, memory: [h, c, decoded] }, frames);
  const after = [turn.frame, turn.count, turn.tokens, turn.logp, ...turn.memory];
  const outputs = [turn.goesOn, ...after].map((it) => b.op('Identity', [it]));
  const typed = (list: readonly Value[]) =>
    list.map((it, i) => value(it, start[i]?.[1] ?? 0, [ROWS, ...(start[i]?.[2] ?? [])]));
  const body = b.finish(
    'turn',
    [value(b.fresh('i'), TYPE.int64, []), value(b.fresh('condition'), TYPE.bool, []), ...typed(names)],
    [value(outputs[0] ?? '', TYPE.bool, []), ...typed(outputs.slice(1))],
  );
  const inputs = [g.scalar(TYPE.int64, slots), g.scalar(TYPE.bool, 1), ...start.map(([it]) => it)];
  const [, , saidTokens = '', saidLogp = '', ...memory] = g.ops(
    'Loop',
    inputs,
    [attr.graph('body', body)],
    start.length,
  );
  return { memory: memory as unknown as Memory, tokens: saidTokens, logp: saidLogp };
}

/** One turn of all streams. (B, 1) int64: each stream's frame, and its symbols emitted in that frame. */
interface Turn extends Found {
  readonly frame: Value;
  readonly count: Value;
}

function sayOne(
  b: GraphBuilder,
  search: Recurrent,
  encoded: Value,
  turn: Turn,
  frames: number,
): Turn & { readonly goesOn: Value } {
  const { frame, count, memory } = turn;
  const { symbol, logp } = likeliest(b, search, encoded, frame, memory[2], frames);
  const speaks = b.and(b.less(frame, b.int64(frames)), b.not(b.equal(symbol, b.int64(search.blank))));
  const slot = b.add(b.mul(frame, b.int64(SYMBOLS_PER_FRAME)), count);
  const place = b.where(speaks, slot, b.int64(frames * SYMBOLS_PER_FRAME));
  const put = (list: Value, x: Value) => b.op('ScatterElements', [list, place, x], [attr.int('axis', 1)]);
  const counted = b.add(count, b.int64(1));
  const stays = b.and(speaks, b.less(counted, b.int64(SYMBOLS_PER_FRAME)));
  const nextFrame = b.where(stays, frame, b.add(frame, b.int64(1)));
  const least = b.reduce('ReduceMin', b.reshape(b.cast(nextFrame, TYPE.float), -1), 0);
  return {
    frame: nextFrame,
    count: b.where(stays, counted, b.mul(count, b.int64(0))),
    tokens: put(turn.tokens, b.where(speaks, symbol, b.int64(-1))),
    logp: put(turn.logp, logp),
    memory: remember(b, search, symbol, speaks, memory),
    goesOn: b.less(least, b.scalar(TYPE.float, frames)),
  };
}

/** (B, 1) int64 and float32: the most likely symbol at each stream's current frame. */
function likeliest(
  b: GraphBuilder,
  { joiner, width }: Recurrent,
  encoded: Value,
  frame: Value,
  decoded: Value,
  frames: number,
): { symbol: Value; logp: Value } {
  const last = b.int64(frames - 1);
  // The pointer of a finished stream is past the last frame.
  const at = b.where(b.less(frame, last), frame, last);
  const heard = b.op('GatherND', [encoded, at], [attr.int('batch_dims', 1)]);
  const inputs = [float(b.reshape(heard, 0, width, 1)), float(decoded)];
  const [joined = ''] = call(b, joiner, b.fresh('joiner'), inputs, 'joiner');
  const logits = b.reshape(joined, 0, -1);
  const symbol = b.op('ArgMax', [logits], [attr.int('axis', 1), attr.int('keepdims', 1)]);
  const all = b.op('LogSoftmax', [logits], [attr.int('axis', 1)]);
  return { symbol, logp: b.op('GatherElements', [all, symbol], [attr.int('axis', 1)]) };
}

/** Runs the decoder for the streams that emitted a symbol; skipped if there are none. */
function remember(b: GraphBuilder, search: Recurrent, symbol: Value, speaks: Value, old: Memory): Memory {
  const spoke = b.reduce('ReduceMax', b.reshape(b.cast(speaks, TYPE.float), -1), 0);
  const y = b.body();
  const rows = y.reshape(y.op('NonZero', [y.reshape(speaks, -1)]), -1);
  // One extra row, like the guard row: a single stream may have emitted a symbol.
  const chosen = withGuardRow(y, rows);
  const of = (x: Value) => y.gather(x, chosen, 0);
  const symbols = y.cast(of(symbol), TYPE.int32);
  const made = decode(y, search, b.fresh('decoder'), symbols, of(old[0]), of(old[1]));
  const index = y.reshape(chosen, -1, 1);
  const put = made.map((it, i) => y.op('ScatterND', [old[i] ?? '', index, it]));
  const n = b.body();
  const kept = old.map((it) => n.op('Identity', [it]));
  const typed = (list: readonly Value[]) =>
    dimsOfMemory(search).map((dims, i) => value(list[i] ?? '', TYPE.float, [ROWS, ...dims]));
  const branches = [
    attr.graph('then_branch', y.finish('spoke', [], typed(put))),
    attr.graph('else_branch', n.finish('silent', [], typed(kept))),
  ];
  return b.ops('If', [b.greater(spoke, b.scalar(TYPE.float, 0.5))], branches, 3) as unknown as Memory;
}
