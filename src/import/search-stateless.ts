/** Adds the search of a stateless transducer to a step: greedy or beam. */
import { EDGE_INTS } from '../inference/hotwords.js';
import { beamAfter, beamBefore, beamParts } from './beam.js';
import type { GraphBuilder, Value } from './builder.js';
import { hotwordTable } from './hotword-edges.js';
import { TYPE } from './onnx.js';
import type { Search } from './options.js';
import { beamSearch } from './search-beam.js';
import { greedySearch, type Stateless } from './search-greedy.js';
import { DELAY_FRAMES, queueLength, SYMBOLS_PER_FRAME, say } from './search-say.js';
import { rowPart, type StatePart } from './state.js';
import { type Composition, NAMES, type StepGraph } from './step.js';

/** Number of hotword edges per stream, the same as in the embedded model. */
const HOTWORD_EDGES = 128;
/** The manifest's limit on preview tokens. */
const MOST_PREVIEW = 64;
const CONTEXT = 'context';
const TOTAL = 'beam/total';
const SAID = 'beam/said';

/** State of the search per stream. */
export function searchParts(search: Stateless, kind: Search, frames: number): StatePart[] {
  if (kind === 'greedy') return [rowPart(CONTEXT, search.context)];
  return [...beamParts(queueLength(frames), search.context), rowPart(TOTAL, 1), rowPart(SAID, 1)];
}

type Told = Pick<Composition, 'symbolsPerFrame' | 'hotwordEdges' | 'previewTokens' | 'holdsFrames'>;

/** @param encoded (B, frames, joiner width) float32 */
export function addSearch(
  step: StepGraph,
  search: Stateless,
  kind: Search,
  encoded: Value,
  frames: number,
): Told {
  return kind === 'greedy'
    ? addGreedy(step, search, encoded, frames)
    : addBeam(step, search, encoded, frames);
}

function addGreedy(step: StepGraph, search: Stateless, encoded: Value, frames: number): Told {
  const { g } = step;
  const begin = Array.from({ length: search.context }, (_, i) => (i === search.context - 1 ? 0 : -1));
  const context = g.where(step.first, g.floats([1, search.context], begin), step.before(CONTEXT));
  // A product of one row may use another kernel than one of many, with other rounding.
  const found = greedySearch(g, search, withGuardRow(g, encoded), withGuardRow(g, context));
  step.after(CONTEXT, withoutGuardRow(g, found.context));
  step.output(g.cast(withoutGuardRow(g, found.tokens), TYPE.int32), NAMES.tokens, TYPE.int32, frames);
  step.output(withoutGuardRow(g, found.logp), NAMES.logp, TYPE.float, frames);
  return { symbolsPerFrame: 1 };
}

const withGuardRow = (g: GraphBuilder, x: Value): Value => g.concat([x, g.slice(x, 0, 1, 0)], 0);
const withoutGuardRow = (g: GraphBuilder, x: Value): Value => g.slice(x, 0, -1, 0);

function addBeam(step: StepGraph, search: Stateless, encoded: Value, frames: number): Told {
  const { g } = step;
  const queue = queueLength(frames);
  const hotwords = hotwordTable(
    g,
    step.input(NAMES.hotwords, TYPE.int32, HOTWORD_EDGES, EDGE_INTS),
    HOTWORD_EDGES,
  );
  const before = beamBefore(g, step.first, search.context, (part) => step.before(part));
  const found = beamSearch(g, search, encoded, before, { frames, queue, hotwords });
  const told = say(g, found, step.before(TOTAL), step.before(SAID), {
    frames,
    queue,
    context: search.context,
  });
  beamAfter(told.beam, (part, x) => step.after(part, x));
  step.after(TOTAL, told.total);
  step.after(SAID, told.said);
  const slots = frames * SYMBOLS_PER_FRAME;
  const shown = Math.min(queue, MOST_PREVIEW);
  const whole = (x: Value) => g.cast(x, TYPE.int32);
  step.output(whole(told.tokens), NAMES.tokens, TYPE.int32, slots);
  step.output(told.logp, NAMES.logp, TYPE.float, slots);
  step.output(whole(told.times), NAMES.times, TYPE.int32, slots, 2);
  step.output(whole(g.slice(told.preview, 0, shown, 1)), NAMES.preview, TYPE.int32, shown, 3);
  step.output(g.slice(told.previewLogp, 0, shown, 1), NAMES.previewLogp, TYPE.float, shown);
  return {
    symbolsPerFrame: SYMBOLS_PER_FRAME,
    hotwordEdges: HOTWORD_EDGES,
    previewTokens: shown,
    holdsFrames: DELAY_FRAMES,
  };
}
