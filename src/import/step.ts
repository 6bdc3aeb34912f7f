/**
 * Parts common to the step graphs of all kinds: audio input; features; packed state, which includes the samples before
 * the chunk and a flag that the stream has begun; output of tokens and the next state.
 */
import type { Manifest } from '../models/manifest.js';
import { GraphBuilder, type Value } from './builder.js';
import { type FeatureOptions, FRAME_SHIFT, features, LOOKBACK, windowOf, withLookback } from './features.js';
import {
  elementOf,
  type GraphProto,
  graphInputs,
  type ModelProto,
  type OpsetProto,
  TYPE,
  type ValueProto,
  value,
} from './onnx.js';
import { PackedState, rowPart, type StatePart } from './state.js';

export type Model = ModelProto & { readonly graph: GraphProto };

/** The files of a transducer, read. */
export interface Source {
  readonly encoder: Model;
  readonly decoder: Model;
  readonly joiner: Model;
  /** Text of each token id. */
  readonly tokens: readonly string[];
}

/** A step graph and the facts for its manifest. */
export interface Composition {
  readonly model: Model;
  readonly kind: string;
  /** Samples by which a step advances. */
  readonly chunkSamples: number;
  /** Samples that a step reads, from its chunk's first on. */
  readonly windowSamples: number;
  readonly framesPerChunk: number;
  readonly symbolsPerFrame: number;
  readonly blank: number;
  /** Number of token ids, including the blank. */
  readonly vocabulary: number;
  /** Floats of a stream's state. */
  readonly stateFloats: number;
  /** The parts of that state, in order: caches of the encoder first. */
  readonly state: readonly StatePart[];
  /** Languages that the model can be told to use, each with its number. */
  readonly prompts?: Prompts;
  readonly hotwordEdges?: number;
  readonly previewTokens?: number;
  /** Frames for which the search may hold a token before emitting it. */
  readonly holdsFrames?: number;
}

/** Numbers by which a multilingual model is told a stream's language. */
export type Prompts = NonNullable<Manifest['prompts']>;

/** Names of the graph's inputs and outputs. */
export const NAMES = {
  audio: 'audio',
  state: 'state',
  hotwords: 'hotwords',
  prompt: 'prompt',
  tokens: 'tokens',
  logp: 'logp',
  next: 'state_next',
  preview: 'preview',
  previewLogp: 'preview_logp',
  times: 'times',
} as const;

export interface Window {
  /** Feature frames of 10 ms that the encoder takes, and frames by which it advances. */
  readonly frames: number;
  readonly shift: number;
  readonly features: FeatureOptions;
}

const TAIL = 'tail';
const STARTED = 'started';

/** A step graph under construction. */
export class StepGraph {
  readonly g: GraphBuilder;
  /** (B, frames, bands) float32 */
  readonly features: Value;
  /** (B, 1) bool: the stream begins with this step. */
  readonly first: Value;
  /** How many streams: int64 (1). */
  readonly rows: Value;
  readonly chunkSamples: number;
  readonly windowSamples: number;
  private readonly state: PackedState;
  private readonly old: ReadonlyMap<string, Value>;
  private readonly next = new Map<string, Value>();
  private readonly inputs: ValueProto[];
  private readonly outputs: ValueProto[] = [];

  /** @param parts of the state, in addition to those of every kind */
  constructor(opset: number, window: Window, parts: readonly StatePart[]) {
    const g = new GraphBuilder(opset);
    this.g = g;
    this.chunkSamples = FRAME_SHIFT * window.shift;
    this.windowSamples = windowOf(window.frames);
    this.state = new PackedState([...parts, rowPart(TAIL, LOOKBACK), rowPart(STARTED, 1)]);
    this.inputs = [
      value(NAMES.audio, TYPE.float, ['B', this.windowSamples]),
      value(NAMES.state, TYPE.float, ['B', this.state.size]),
    ];
    this.old = this.state.unpack(g, NAMES.state);
    this.first = g.less(this.before(STARTED), g.scalar(TYPE.float, 0.5));
    this.rows = g.rowsOf(NAMES.audio);
    const pcm = withLookback(g, NAMES.audio, this.first, this.before(TAIL));
    this.features = features(g, pcm, window.frames, window.features);
    this.after(TAIL, g.slice(NAMES.audio, this.chunkSamples - LOOKBACK, this.chunkSamples, 1));
    this.after(STARTED, g.repeat(g.floats([1, 1], [1]), this.rows, [1]));
  }

  /** A part of the state as the last step left it; zeros at a stream's start. */
  before(part: string): Value {
    const known = this.old.get(part);
    if (known === undefined) throw new Error(`the state has no ${part}`);
    return known;
  }

  /** Sets a part of the state for the next step. */
  after(part: string, x: Value): void {
    this.next.set(part, x);
  }

  /** Adds an input to the graph; the batch axis comes first. */
  input(name: string, element: number, ...dims: number[]): Value {
    this.inputs.push(value(name, element, ['B', ...dims]));
    return name;
  }

  output(x: Value, name: string, element: number, ...dims: number[]): void {
    this.g.output(x, name);
    this.outputs.push(value(name, element, ['B', ...dims]));
  }

  /** @param sources models whose operators the graph uses */
  finish(sources: readonly Model[]): { model: Model; stateFloats: number; state: readonly StatePart[] } {
    const { size, parts } = this.state;
    this.output(this.state.pack(this.g, this.next), NAMES.next, TYPE.float, size);
    const graph = this.g.finish('step', this.inputs, this.outputs, { outermost: true });
    const ir = Math.max(LEAST_IR, ...sources.map((it) => it.ir ?? 0));
    return {
      model: { ir, opsets: unionOfOpsets(sources), meta: [], graph },
      stateFloats: size,
      state: parts,
    };
  }
}

/** The first IR version that supports operator version 13. */
const LEAST_IR = 7;

function unionOfOpsets(models: readonly Model[]): OpsetProto[] {
  const versions = new Map<string, number>();
  for (const { domain = '', version = 0 } of models.flatMap((it) => it.opsets)) {
    versions.set(domain, Math.max(version, versions.get(domain) ?? 0));
  }
  return [...versions].map(([domain, version]) => ({ domain, version }));
}

/** A value and its element type. */
export interface Typed {
  readonly value: Value;
  readonly element: number;
}

export const float = (x: Value): Typed => ({ value: x, element: TYPE.float });

/**
 * Inserts a model's nodes into a graph. Inputs are cast to the types that it declares, and float16 outputs back to
 * float32, since half-precision exports may have either type at their edges.
 * @param weights prefix of its initialisers, which are added once however often the model is called
 */
export function call(
  g: GraphBuilder,
  { graph }: Model,
  prefix: string,
  inputs: readonly Typed[],
  weights = prefix,
): Value[] {
  const bound = graphInputs(graph).map((it, i) => {
    const given = inputs[i];
    if (given === undefined) throw new Error(`input ${i} of ${prefix} is missing`);
    return given.element === elementOf(it) ? given.value : g.cast(given.value, elementOf(it));
  });
  const outputs = g.inline(graph, prefix, bound, weights);
  return outputs.map((made, i) => {
    const declared = graph.outputs[i];
    return declared !== undefined && elementOf(declared) === TYPE.float16 ? g.cast(made, TYPE.float) : made;
  });
}
