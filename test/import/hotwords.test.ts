/** Hotwords in the beam search of imported models: the semantics of training/search.py, with the table of src/inference/hotwords.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEAM_KEYS, type BeamKey, beamBefore, beamDims } from '../../src/import/beam.js';
import { GraphBuilder } from '../../src/import/builder.js';
import { noise } from '../../src/import/check.js';
import { compose } from '../../src/import/compose.js';
import { hotwordTable } from '../../src/import/hotword-edges.js';
import { readModel, TYPE } from '../../src/import/onnx.js';
import { beamSearch } from '../../src/import/search-beam.js';
import type { Stateless } from '../../src/import/search-greedy.js';
import { HotwordCompiler, type Phrase } from '../../src/inference/hotwords.js';
import { digits, hear, openStep, recording } from '../helpers/foreign.js';
import { type Hypothesis, referenceBeam } from '../helpers/reference-beam.js';
import { bytesOfGraph, graphOf, openSession, runGraph } from '../helpers/run-graph.js';
import { tinyTransducer } from '../helpers/tiny-transducer.js';

const FRAMES = 16;
const QUEUE = FRAMES;
const EDGES = 16;
const WIDTH = 24;
const files = tinyTransducer('lstm');
const [decoder, joiner] = ['decoder.onnx', 'joiner.onnx'].map((it) =>
  readModel(files[it] ?? new Uint8Array()),
);
assert.ok(decoder && joiner);
const search: Stateless = { decoder, joiner, context: 2, vocabulary: 12, joinerWidth: WIDTH, unk: 1 };
/** Words of one piece each: ▁a … ▁j are the tokens 2 to 11. */
const TOKENS = ['<blk>', '<unk>', ...'abcdefghij'].map((it, id) => (id < 2 ? it : `▁${it}`));

/** One chunk of a stream that begins. */
async function inGraph(encoded: Float32Array, table: Int32Array): Promise<Hypothesis[]> {
  const g = new GraphBuilder(13);
  const dims = beamDims(QUEUE, search.context);
  const yes = g.constant(TYPE.bool, [1, 1], [1]);
  const zeros = (part: string) => {
    const of = dims[part.replace('beam/', '') as BeamKey];
    return g.floats([1, ...of], new Float32Array(of.reduce((a, b) => a * b, 1)));
  };
  const before = beamBefore(g, yes, search.context, zeros);
  const hotwords = hotwordTable(g, g.constant(TYPE.int32, [1, EDGES, 5], table), EDGES);
  const rows = g.reshape('x', -1, FRAMES, WIDTH);
  const after = beamSearch(g, search, rows, before, { frames: FRAMES, queue: QUEUE, hotwords });
  const graph = graphOf(g, Object.fromEntries(BEAM_KEYS.map((key) => [`out_${key}`, after[key]])));
  const answer = await runGraph(bytesOfGraph(graph, 13), { x: { dims: [1, encoded.length], data: encoded } });
  const get = (key: BeamKey) => answer[`out_${key}`]?.data ?? [];
  const found = get('score').map((score, k) => ({
    score,
    tokens: get('tokens').slice(k * QUEUE, (k + 1) * QUEUE).filter((it) => it > 0),
    node: get('node')[k] ?? -1,
    owed: get('owed')[k] ?? -1,
  })); // biome-ignore format: short
  return found.filter((it) => it.score > -1e29).sort((a, b) => b.score - a.score);
}

const PHRASES: Record<string, readonly Phrase[]> = {
  'no hotwords': [],
  'a phrase': [{ phrase: 'c d e', boost: 2 }],
  'phrases with a common beginning': [{ phrase: 'c d e', boost: 1.5 }, { phrase: 'c f', boost: 2.5 }, { phrase: 'c', boost: 0.5 }],
  'a phrase that begins within another': [{ phrase: 'g g h', boost: 1 }, { phrase: 'g h', boost: 3 }],
  'boosts that outweigh everything': [{ phrase: 'b b', boost: 9 }, { phrase: 'j', boost: 8 }],
}; // biome-ignore format: a list a line

for (const [name, phrases] of Object.entries(PHRASES)) {
  test(`with ${name} the graph keeps the hypotheses that a plain search keeps`, async () => {
    const parts = { ...search, decoder: await openSession(files['decoder.onnx'] ?? new Uint8Array()), joiner: await openSession(files['joiner.onnx'] ?? new Uint8Array()) }; // biome-ignore format: short
    const { edges: table, left } = new HotwordCompiler(TOKENS, EDGES).compile(phrases);
    assert.deepEqual(left, []);
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const encoded = noise(FRAMES * WIDTH, seed).map((it) => 10 * it);
      const wanted = await referenceBeam(parts, encoded, table);
      const found = await inGraph(encoded, table);
      assert.deepEqual(found.map(({ tokens, node, owed }) => ({ tokens, node, owed })), wanted.map(({ tokens, node, owed }) => ({ tokens: [...tokens], node, owed }))); // biome-ignore format: short
      found.forEach((it, k) => {
        assert.ok(
          Math.abs(it.score - (wanted[k]?.score ?? 0)) < 1e-3,
          `${seed}: ${it.score}, ${wanted[k]?.score}`,
        );
      });
    }
  });
}

const source = digits();
const opened = openStep(compose(source, { search: 'beam' }));
const edges = (...list: number[][]): Int32Array => {
  const table = new Int32Array(128 * 5);
  table.set(list.flat());
  return table;
};
const words = (said: readonly { token: number }[] = []) =>
  said.map((it) => source.tokens[it.token]).join('').replaceAll('▁', ' ').trim(); // biome-ignore format: short
const EIGHT = edges([0, 15, 0, 2_000, 0]);

test('a hotword is heard where it fits, and only in the stream that asked for it', async () => {
  const audio = recording('digits-6.wav');
  const hotwords = [null, EIGHT, null];
  const { said } = await hear(await opened, [audio, audio, audio], { padSamples: 32_000, hotwords });
  assert.match(words(said[1]), / EIGHT /);
  assert.doesNotMatch(words(said[0]), / EIGHT /);
  assert.deepEqual(said[2], said[0]);
  const [alone] = (await hear(await opened, [audio], { padSamples: 32_000 })).said;
  assert.deepEqual(said[0], alone);
});

test('the beginning of a phrase that does not go on wins nothing', async () => {
  const audio = recording('digits-6.wav');
  const begun = edges([0, 15, 1, 2_000, 2_000], [1, 3, 2, 2_000, 4_000], [2, 4, 0, 2_000, 0]);
  const run = async (table: Int32Array | null) =>
    words((await hear(await opened, [audio], { padSamples: 32_000, hotwords: [table] })).said[0]);
  const [plain, half, whole] = [await run(null), await run(begun), await run(EIGHT)];
  const inside = (text: string) => text.split(' ').slice(0, -1).join(' ');
  assert.equal(inside(half), inside(plain));
  assert.notEqual(inside(whole), inside(plain));
});
