/**
 * What a beam search emits after a chunk: the tokens that all its hypotheses share. Where hypotheses disagree, the best
 * one's tokens are emitted once they are DELAY_FRAMES old, and the hypotheses that disagree are dropped, since emitted
 * tokens are final. The rest is shown as a preview.
 */

import { ALIVE_ABOVE, type Beam, DEAD, HYPOTHESES, pickRows } from './beam.js';
import type { GraphBuilder, Value } from './builder.js';
import { attr, TYPE } from './onnx.js';

/**
 * 1 s in frames of 40 ms. With 0.8 s, one of eight test recordings got another first word than with sherpa-onnx, which
 * decides at the end of the recording.
 */
export const DELAY_FRAMES = 25;
/** Places for emitted tokens per frame: waiting tokens come in addition to new ones. */
export const SYMBOLS_PER_FRAME = 2;

const K = HYPOTHESES;

/** Most tokens that a hypothesis holds: those older than the delay are emitted before a chunk's new ones arrive. */
export const queueLength = (frames: number): number => DELAY_FRAMES + frames;

export interface Said {
  readonly beam: Beam;
  /** (B, 1) float32: log-probability of the best hypothesis since the stream's start, and number of tokens emitted. */
  readonly total: Value;
  readonly said: Value;
  /** (B, frames × symbols) int64, float32, and (…, 2) int64: age and span. */
  readonly tokens: Value;
  readonly logp: Value;
  readonly times: Value;
  /** (B, queue, 3) int64: token or −1, age, span; (B, queue) float32. */
  readonly preview: Value;
  readonly previewLogp: Value;
}

interface Shape {
  readonly frames: number;
  readonly queue: number;
  readonly context: number;
}

/** @param total, said (B, 1): as returned for the last chunk */
export function say(g: GraphBuilder, beam: Beam, total: Value, said: Value, shape: Shape): Said {
  const { frames, queue } = shape;
  const zero = g.scalar(TYPE.float, 0);
  const alive = g.greater(beam.score, g.scalar(TYPE.float, ALIVE_ABOVE));
  const best = bestOf(g, beam, alive, total, said, shape);
  const one = (x: Value) => g.squeeze(pickRows(g, x, best, queue), 1);
  const [tokens, when, logp] = [one(beam.tokens), one(beam.when), one(beam.logp)];
  const differs = g.and(g.not(g.equal(beam.tokens, g.unsqueeze(tokens, 1))), g.unsqueeze(alive, 2));
  const marks = g.cast(differs, TYPE.float);
  const held = g.greater(tokens, zero);
  const count = dueCount(g, marks, held, when, shape);
  const places = g.floats(
    [1, queue],
    Array.from({ length: queue }, (_, i) => i),
  );
  const gone = g.cast(g.less(places, count), TYPE.float);
  const lost = g.greater(
    g.reduce('ReduceMax', g.mul(marks, g.unsqueeze(gone, 1)), 2),
    g.scalar(TYPE.float, 0.5),
  );
  const top = g.op('GatherElements', [beam.score, best], [attr.int('axis', 1)]);
  const relative = g.op('Sub', [beam.score, top]);
  const left = g.op('Sub', [g.cast(alive, TYPE.float), g.cast(lost, TYPE.float)]);
  const score = g.where(g.greater(left, g.scalar(TYPE.float, 0.5)), relative, g.scalar(TYPE.float, DEAD));
  const moved = (x: Value) => shifted(g, x, count, queue);
  const after: Beam = {
    ...beam,
    score,
    tokens: moved(beam.tokens),
    // Relative to the next chunk's first frame.
    when: moved(g.op('Sub', [beam.when, g.scalar(TYPE.float, frames)])),
    logp: moved(beam.logp),
  };
  return {
    beam: after,
    total: g.add(total, top),
    said: g.add(said, count),
    ...toldTokens(g, { tokens, when, logp }, count, shape),
    ...preview(g, { tokens, when, logp }, count, shape),
  };
}

/** (B, 1) int64: the best hypothesis by length-normalised probability, as in sherpa-onnx. */
function bestOf(g: GraphBuilder, beam: Beam, alive: Value, total: Value, said: Value, shape: Shape): Value {
  const held = g.cast(g.greater(beam.tokens, g.scalar(TYPE.float, 0)), TYPE.float);
  const length = g.add(g.add(g.reduce('ReduceSum', held, 2), said), g.scalar(TYPE.float, shape.context));
  const mean = g.op('Div', [g.add(total, beam.score), length]);
  const among = g.where(alive, mean, g.scalar(TYPE.float, DEAD));
  return g.op('ArgMax', [among], [attr.int('axis', 1), attr.int('keepdims', 1)]);
}

/** (B, 1) float32: number of the best hypothesis's tokens to emit now. */
function dueCount(g: GraphBuilder, marks: Value, held: Value, when: Value, { frames, queue }: Shape): Value {
  const anyDiffers = g.reduce('ReduceMax', marks, 1);
  const differing = g.op('CumSum', [anyDiffers, g.scalar(TYPE.int64, 1)]);
  const shared = g.less(differing, g.scalar(TYPE.float, 0.5));
  const age = g.op('Sub', [g.scalar(TYPE.float, frames - 1), when]);
  const overdue = g.not(g.less(age, g.scalar(TYPE.float, DELAY_FRAMES)));
  const due = g.and(held, g.or(shared, overdue));
  const count = g.reduce('ReduceSum', g.cast(due, TYPE.float), 1, { keep: true });
  return g.op('Min', [count, g.scalar(TYPE.float, Math.min(queue, frames * SYMBOLS_PER_FRAME))]);
}

/** (B, K, queue) with the first `count` removed and empty places appended. */
function shifted(g: GraphBuilder, x: Value, count: Value, queue: number): Value {
  const empty = g.mul(x, g.scalar(TYPE.float, 0));
  const places = g.floats(
    [1, 1, queue],
    Array.from({ length: queue }, (_, i) => i),
  );
  const index = g.cast(g.add(g.unsqueeze(count, 2), places), TYPE.int64);
  const wide = g.op('Expand', [index, g.int64(1, K, 1)]);
  return g.op('GatherElements', [g.concat([x, empty], 2), wide], [attr.int('axis', 2)]);
}

interface Best {
  readonly tokens: Value;
  readonly when: Value;
  readonly logp: Value;
}

/** The emitted tokens, in the last places of the chunk, so that none is emitted before its frame. */
function toldTokens(
  g: GraphBuilder,
  best: Best,
  count: Value,
  { frames }: Shape,
): Pick<Said, 'tokens' | 'logp' | 'times'> {
  const slots = frames * SYMBOLS_PER_FRAME;
  const places = g.floats(
    [1, slots],
    Array.from({ length: slots }, (_, i) => i - slots),
  );
  const place = g.add(places, count);
  const told = g.not(g.less(place, g.scalar(TYPE.float, 0)));
  const index = g.cast(g.op('Max', [place, g.scalar(TYPE.float, 0)]), TYPE.int64);
  const at = (x: Value) => g.op('GatherElements', [x, index], [attr.int('axis', 1)]);
  const frame = g.floats(
    [1, slots],
    Array.from({ length: slots }, (_, i) => Math.floor(i / SYMBOLS_PER_FRAME)),
  );
  const zero = g.scalar(TYPE.float, 0);
  const age = g.where(told, g.op('Sub', [frame, at(best.when)]), zero);
  return {
    tokens: g.cast(g.where(told, at(best.tokens), g.scalar(TYPE.float, -1)), TYPE.int64),
    logp: g.where(told, at(best.logp), zero),
    times: g.cast(g.concat([g.unsqueeze(age, 2), g.unsqueeze(g.mul(age, zero), 2)], 2), TYPE.int64),
  };
}

function preview(
  g: GraphBuilder,
  best: Best,
  count: Value,
  { frames, queue }: Shape,
): Pick<Said, 'preview' | 'previewLogp'> {
  const places = g.floats(
    [1, queue],
    Array.from({ length: queue }, (_, i) => i),
  );
  const index = g.cast(g.add(places, count), TYPE.int64);
  const zero = g.scalar(TYPE.float, 0);
  const at = (x: Value) => {
    const padded = g.concat([x, g.mul(x, zero)], 1);
    return g.op('GatherElements', [padded, index], [attr.int('axis', 1)]);
  };
  const token = at(best.tokens);
  const held = g.greater(token, zero);
  const age = g.where(held, g.op('Sub', [g.scalar(TYPE.float, frames - 1), at(best.when)]), zero);
  const shown = g.where(held, token, g.scalar(TYPE.float, -1));
  const columns = [shown, age, g.mul(age, zero)].map((it) => g.unsqueeze(it, 2));
  return { preview: g.cast(g.concat(columns, 2), TYPE.int64), previewLogp: at(best.logp) };
}
