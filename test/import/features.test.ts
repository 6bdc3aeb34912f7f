/** Features in the graph against recorded output of kaldi-native-fbank (PyPI, the version stands in the fixture). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { GraphBuilder } from '../../src/import/builder.js';
import {
  type FeatureOptions,
  features,
  icefallFeatures,
  LOOKBACK,
  windowOf,
  withLookback,
} from '../../src/import/features.js';
import { TYPE } from '../../src/import/onnx.js';
import { fixture, recording } from '../helpers/foreign.js';
import { bytesOfGraph, graphOf, runGraph } from '../helpers/run-graph.js';

const BANDS = 80;
type Signal = 'speech' | 'quiet' | 'offset';
const recorded = JSON.parse(readFileSync(fixture('expected', 'fbank.json'), 'utf8')) as {
  recording: string;
  from: number;
  frames: number;
  /** Every how many frames one is recorded. */
  every: number;
  features: Record<'icefall' | 'nemo', Record<Signal, number[][]>>;
};
const speech = recording(recorded.recording).subarray(
  recorded.from,
  recorded.from + windowOf(recorded.frames),
);

const SIGNALS: Record<Signal, Float32Array> = {
  speech,
  quiet: speech.map((x) => Math.trunc((x * 32_768) / 500) / 32_768),
  offset: speech.map((x) => x / 2 + 0.2),
};
const OPTIONS: Record<'icefall' | 'nemo', FeatureOptions> = {
  icefall: icefallFeatures(BANDS),
  nemo: { bands: BANDS, window: 'hann', removeMean: false, low: 0, high: 8_000, mel: 'slaney' },
};

/** Features of a stream's first window. */
async function compute(signal: Float32Array, options: FeatureOptions): Promise<number[]> {
  const g = new GraphBuilder(13);
  const yes = g.constant(TYPE.bool, [1, 1], [1]);
  const nothing = g.floats([1, LOOKBACK], new Float32Array(LOOKBACK));
  const made = features(g, withLookback(g, 'x', yes, nothing), recorded.frames, options);
  const graph = graphOf(g, { made });
  const { made: answer } = await runGraph(bytesOfGraph(graph, 13), {
    x: { dims: [1, signal.length], data: signal },
  });
  assert.deepEqual(answer?.dims, [1, recorded.frames, BANDS]);
  return answer?.data ?? [];
}

for (const kind of ['icefall', 'nemo'] as const) {
  for (const signal of Object.keys(SIGNALS) as Signal[]) {
    test(`${kind}'s features of ${signal} are those of kaldi-native-fbank within 1e-3`, async () => {
      const made = await compute(SIGNALS[signal], OPTIONS[kind]);
      recorded.features[kind][signal].forEach((wanted, i) => {
        const at = i * recorded.every * BANDS;
        const worst = Math.max(...wanted.map((it, band) => Math.abs(it - (made[at + band] ?? 0))));
        assert.ok(worst < 1e-3, `frame ${i * recorded.every}: ${worst}`);
      });
    });
  }
}

test('a stream of digital silence has the least energy in every band', async () => {
  const made = await compute(new Float32Array(speech.length), OPTIONS.icefall);
  assert.ok(made.every((it) => Math.abs(it - Math.log(2 ** -23)) < 1e-5));
});
