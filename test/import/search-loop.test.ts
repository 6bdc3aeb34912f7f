/** The loop of a recurrent transducer against a plain search, one stream and one symbol at a time, with two LSTM layers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphBuilder, type Value } from '../../src/import/builder.js';
import { noise } from '../../src/import/check.js';
import { nemoFeatures } from '../../src/import/features.js';
import { attr, type GraphProto, TYPE, value, writeModel } from '../../src/import/onnx.js';
import { addLoopSearch, loopParts, type Recurrent, SYMBOLS_PER_FRAME } from '../../src/import/search-loop.js';
import { type Model, NAMES, StepGraph } from '../../src/import/step.js';
import { openSession } from '../helpers/run-graph.js';

const [OPSET, LAYERS, HIDDEN, WIDTH, TOKENS, FRAMES] = [17, 2, 8, 6, 12, 4] as const;
const BLANK = TOKENS - 1;

const modelOf = (graph: GraphProto): Model => ({
  ir: 8,
  opsets: [{ domain: '', version: OPSET }],
  meta: [],
  graph,
});
let seed = 0;
/** A weight from a seed, −scale…scale. */
const weight = (g: GraphBuilder, scale: number, ...dims: number[]): Value =>
  g.floats(
    dims,
    noise(
      dims.reduce((a, b) => a * b),
      ++seed,
    ).map((x) => 10 * scale * x),
  );

function decoder(): Model {
  const g = new GraphBuilder(OPSET);
  let x = g.transpose(g.gather(weight(g, 1, TOKENS, HIDDEN), g.cast('targets', TYPE.int64), 0), 1, 0, 2);
  const [hs, cs]: [Value[], Value[]] = [[], []];
  for (let layer = 0; layer < LAYERS; layer++) {
    const of = (name: string) => g.slice(name, layer, layer + 1, 0);
    const weights = [
      weight(g, 1.5, 1, 4 * HIDDEN, HIDDEN),
      weight(g, 1.5, 1, 4 * HIDDEN, HIDDEN),
      weight(g, 1, 1, 8 * HIDDEN),
    ];
    const [y = '', h = '', c = ''] = g.ops(
      'LSTM',
      [x, ...weights, '', of('h'), of('c')],
      [attr.int('hidden_size', HIDDEN)],
      3,
    );
    x = g.squeeze(y, 1);
    hs.push(h);
    cs.push(c);
  }
  g.output(g.transpose(x, 1, 2, 0), 'decoded');
  g.output('target_length', 'lengths');
  g.output(g.concat(hs, 0), 'h_next');
  g.output(g.concat(cs, 0), 'c_next');
  const state = (name: string) => value(name, TYPE.float, [LAYERS, 'B', HIDDEN]);
  const inputs = [
    value('targets', TYPE.int32, ['B', 1]),
    value('target_length', TYPE.int32, ['B']),
    state('h'),
    state('c'),
  ];
  const outputs = [
    value('decoded', TYPE.float, ['B', HIDDEN, 1]),
    value('lengths', TYPE.int32, ['B']),
    state('h_next'),
    state('c_next'),
  ];
  return modelOf(g.finish('decoder', inputs, outputs, { outermost: true }));
}

function joiner(): Model {
  const g = new GraphBuilder(OPSET);
  const heard = g.op('MatMul', [g.transpose('encoded', 0, 2, 1), weight(g, 2, WIDTH, TOKENS)]);
  const said = g.op('MatMul', [g.transpose('decoded', 0, 2, 1), weight(g, 4, HIDDEN, TOKENS)]);
  g.output(g.unsqueeze(g.add(heard, said), 1), 'logits');
  const inputs = [
    value('encoded', TYPE.float, ['B', WIDTH, 1]),
    value('decoded', TYPE.float, ['B', HIDDEN, 1]),
  ];
  const outputs = [value('logits', TYPE.float, ['B', 1, 1, TOKENS])];
  return modelOf(g.finish('joiner', inputs, outputs, { outermost: true }));
}

const search: Recurrent = {
  decoder: decoder(),
  joiner: joiner(),
  layers: LAYERS,
  hidden: HIDDEN,
  decoded: [HIDDEN, 1],
  width: WIDTH,
  blank: BLANK,
};

/** A step whose encoder is a sine of some features, which it shows. */
function stepOf() {
  const window = { frames: FRAMES, shift: FRAMES, features: nemoFeatures(128) };
  const step = new StepGraph(OPSET, window, loopParts(search));
  const { g } = step;
  const encoded = g.op('Sin', [g.slice(step.features, 40, 40 + WIDTH, 2)]);
  step.output(encoded, 'encoded', TYPE.float, FRAMES, WIDTH);
  addLoopSearch(step, search, encoded, FRAMES);
  return { step, ...step.finish([search.decoder, search.joiner]) };
}

interface Said {
  readonly tokens: number[];
  readonly logp: number[];
}

/** The search as one would write it for one stream. */
class Plain {
  private memory: { decoded: Tensor; h: Tensor; c: Tensor } | null = null;

  constructor(
    private readonly decoder: InferenceSession,
    private readonly joiner: InferenceSession,
  ) {}

  private async hear(token: number): Promise<{ decoded: Tensor; h: Tensor; c: Tensor }> {
    const zeros = new Tensor('float32', new Float32Array(LAYERS * HIDDEN), [LAYERS, 1, HIDDEN]);
    const { h, c } = this.memory ?? { h: zeros, c: zeros };
    const targets = new Tensor('int32', Int32Array.of(token), [1, 1]);
    const length = new Tensor('int32', Int32Array.of(1), [1]);
    const answer = await this.decoder.run({ targets, target_length: length, h, c });
    this.memory = {
      decoded: answer.decoded as Tensor,
      h: answer.h_next as Tensor,
      c: answer.c_next as Tensor,
    };
    return this.memory;
  }

  async step(encoded: Float32Array): Promise<Said> {
    const slots = FRAMES * SYMBOLS_PER_FRAME;
    const said: Said = { tokens: new Array(slots).fill(-1), logp: new Array(slots).fill(0) };
    let { decoded } = this.memory ?? (await this.hear(BLANK));
    for (let frame = 0; frame < FRAMES; frame++) {
      const heard = new Tensor('float32', encoded.slice(frame * WIDTH, (frame + 1) * WIDTH), [1, WIDTH, 1]);
      for (let n = 0; n < SYMBOLS_PER_FRAME; n++) {
        const { logits } = await this.joiner.run({ encoded: heard, decoded });
        const scores = Array.from(logits?.data as Float32Array);
        const token = scores.indexOf(Math.max(...scores));
        if (token === BLANK) break;
        said.tokens[frame * SYMBOLS_PER_FRAME + n] = token;
        const total = Math.log(scores.reduce((sum, it) => sum + Math.exp(it), 0));
        said.logp[frame * SYMBOLS_PER_FRAME + n] = (scores[token] ?? 0) - total;
        ({ decoded } = await this.hear(token));
      }
    }
    return said;
  }
}

test('every stream of a batch says what a plain search says, frames with no token and with ten among them', async () => {
  const { step, model, stateFloats } = stepOf();
  const session = await openSession(writeModel(model));
  const [decoderSession, joinerSession] = [
    await openSession(writeModel(search.decoder)),
    await openSession(writeModel(search.joiner)),
  ];
  const streams = [1, 2, 3, 4, 5].map((it) => noise(20_000, it).map((x, i) => x * Math.sin(i / 900) ** 2));
  const plain = streams.map(() => new Plain(decoderSession, joinerSession));
  let state = new Float32Array(streams.length * stateFloats);
  const perFrame = new Set<number>();
  for (let k = 0; k < 6; k++) {
    const { chunkSamples, windowSamples } = step;
    const audio = new Float32Array(streams.length * windowSamples);
    streams.forEach((it, row) => {
      audio.set(it.subarray(k * chunkSamples, k * chunkSamples + windowSamples), row * windowSamples);
    });
    const answer = await session.run({
      [NAMES.audio]: new Tensor('float32', audio, [streams.length, windowSamples]),
      [NAMES.state]: new Tensor('float32', state, [streams.length, stateFloats]),
    });
    state = Float32Array.from(answer[NAMES.next]?.data as Float32Array);
    const slots = FRAMES * SYMBOLS_PER_FRAME;
    for (const [row, stream] of plain.entries()) {
      const rowOf = (name: string, width: number) =>
        (answer[name]?.data as Float32Array).subarray(row * width, (row + 1) * width);
      const wanted = await stream.step(rowOf('encoded', FRAMES * WIDTH));
      const tokens = Array.from(rowOf(NAMES.tokens, slots), Number);
      assert.deepEqual(tokens, wanted.tokens, `step ${k}, stream ${row}`);
      const logp = rowOf(NAMES.logp, slots);
      tokens.forEach((token, i) => {
        if (token >= 0)
          assert.ok(Math.abs((logp[i] ?? 0) - (wanted.logp[i] ?? 0)) < 1e-4, `step ${k}, slot ${i}`);
      });
      for (let frame = 0; frame < FRAMES; frame++) {
        const own = tokens.slice(frame * SYMBOLS_PER_FRAME, (frame + 1) * SYMBOLS_PER_FRAME);
        perFrame.add(own.filter((it) => it >= 0).length);
      }
    }
  }
  assert.ok(perFrame.has(0) && perFrame.has(SYMBOLS_PER_FRAME) && perFrame.size > 3, [...perFrame].join());
});
