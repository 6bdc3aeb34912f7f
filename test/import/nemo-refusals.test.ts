/** NeMo's sources that cannot be imported: each refusal names the reason and what to do, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ErrorCode, ServerError } from '../../src/errors.js';
import { importModel } from '../../src/import/importer.js';
import { type ModelProto, readModel, TYPE, value, writeModel } from '../../src/import/onnx.js';
import { nemoExport } from '../helpers/nemo-export.js';
import { fixtureFiles } from '../helpers/sherpa.js';

const base = mkdtempSync(join(tmpdir(), 'rnnt-nemo-refusals-'));
after(() => rmSync(base, { recursive: true }));

type Files = Record<string, Uint8Array | string>;
const GOOD = fixtureFiles('nemo-digits-80', ['encoder.onnx', 'decoder.onnx', 'joiner.onnx', 'tokens.txt']);
const PAIR = nemoExport(80);
type Graph = NonNullable<ModelProto['graph']>;

/** Good files, of which one is changed. */
function changed(file: string, change: (graph: Graph, model: ModelProto) => void, files = GOOD): Files {
  const model = readModel(files[file] ?? new Uint8Array());
  change(model.graph, model);
  return { ...files, [file]: writeModel(model) };
}
const encoderMeta = (key: string, text: string | null): Files =>
  changed('encoder.onnx', (_graph, model) => {
    model.meta = model.meta.filter((it) => it.key !== key);
    if (text !== null) model.meta.push({ key, value: text });
  });
function dims(
  graph: Graph,
  which: 'inputs' | 'outputs',
  place: number,
): { value?: number; param?: string }[] {
  return graph[which][place]?.type?.tensor?.shape?.dims ?? [];
}

const CASES: [string, () => Files, ErrorCode, RegExp][] = [
  [
    'an encoder without caches, as offline Parakeet has it,',
    () => changed('encoder.onnx', (graph) => graph.inputs.splice(2)),
    'MODEL_UNSUPPORTED',
    /whole recordings.*cache_support/,
  ],
  [
    'Parakeet in buffers',
    () =>
      changed('decoder.onnx', (_graph, model) => {
        model.meta.push({ key: 'streaming_model_type', value: 'nemo_parakeet_unified_streaming' });
      }),
    'MODEL_UNSUPPORTED',
    /no caches.*nemo_parakeet_unified_streaming.*Use a cache-aware/,
  ],
  [
    'a batch fixed at one, as parakeet-rs has it,',
    () =>
      changed('encoder.onnx', (graph) => {
        for (let i = 2; i <= 3; i++) {
          const shape = dims(graph, 'inputs', i);
          shape.splice(0, shape.length, { value: 2 }, { value: 1 }, { value: 70 }, { value: 64 });
        }
      }),
    'MODEL_UNSUPPORTED',
    /fixed batch.*cache_last_channel.*parakeet-rs/,
  ],
  [
    'files for onnxruntime-genai',
    () => ({ ...GOOD, 'genai_config.json': '{}' }),
    'MODEL_UNSUPPORTED',
    /genai_config\.json.*onnxruntime-genai.*sherpa-onnx/,
  ],
  [
    'a joiner that predicts durations, too,',
    () =>
      changed('joiner.onnx', (graph) => {
        const shape = dims(graph, 'outputs', 0);
        shape.splice(3, 1, { value: 21 });
      }),
    'MODEL_UNSUPPORTED',
    /has 21 outputs, but there are 16.*TDT/,
  ],
  [
    'the joiner of another model',
    () =>
      changed('joiner.onnx', (graph) => {
        const shape = dims(graph, 'inputs', 0);
        shape.splice(1, 1, { value: 640 });
      }),
    'MODEL_UNSUPPORTED',
    /frames of 64, but the joiner takes 640.*same export/,
  ],
  [
    'metadata without the shift of a chunk',
    () => encoderMeta('chunk_shift', null),
    'MODEL_UNSUPPORTED',
    /no chunk_shift.*sherpa-onnx’s script/,
  ],
  [
    'a chunk that is no whole number of frames',
    () => encoderMeta('chunk_shift', '12'),
    'MODEL_UNSUPPORTED',
    /17 frames per window and a shift of 12/,
  ],
  ['an absurd chunk', () => encoderMeta('chunk_shift', '800000'), 'MODEL_UNSUPPORTED', /shift of 800000/],
  [
    'metadata of another encoder',
    () => encoderMeta('cache_last_channel_dim3', '512'),
    'MODEL_UNSUPPORTED',
    /cache_last_channel is .*should be \(N,2,70,512\)/,
  ],
  [
    'metadata with more tokens than the joiner has',
    () => encoderMeta('vocab_size', '1024'),
    'MODEL_UNSUPPORTED',
    /has 16 outputs, but there are 1025/,
  ],
  [
    'an encoder that takes a language and does not say which',
    () => changed('encoder.onnx', (graph) => graph.inputs.push(value('prompt_index', TYPE.int64, ['B']))),
    'MODEL_UNSUPPORTED',
    /takes a language.*prompt_dictionary/,
  ],
  [
    'a decoder with an input too many',
    () => changed('decoder.onnx', (graph) => graph.inputs.push(value('more', TYPE.float, ['B']))),
    'MODEL_UNSUPPORTED',
    /takes 5 inputs/,
  ],
  [
    'a table without most tokens',
    () => ({ ...GOOD, 'tokens.txt': '<unk> 0\n▁ZE 1\n' }),
    'MODEL_UNSUPPORTED',
    /2 tokens, but the model has 16/,
  ],
  [
    'a pair of which the second is cut short',
    () => ({
      ...PAIR,
      'decoder_joint-model.onnx': PAIR['decoder_joint-model.onnx']?.subarray(0, 5_000) ?? '',
    }),
    'MODEL_CORRUPT',
    /decoder_joint-model\.onnx.*Download/,
  ],
  ['a pair without tokens', () => ({ ...PAIR, 'tokens.txt': '' }), 'MODEL_CORRUPT', /tokens\.txt.*empty/],
  [
    'a pair whose second file has another shape',
    () => changed('decoder_joint-model.onnx', (graph) => graph.inputs.pop(), PAIR),
    'MODEL_UNSUPPORTED',
    /cannot be split: it has 4 inputs/,
  ],
];

let folders = 0;
for (const [name, files, code, reason] of CASES) {
  test(`${name} is refused with the reason, and nothing is left behind`, async () => {
    const source = join(base, `source-${folders++}`);
    mkdirSync(source);
    for (const [file, content] of Object.entries(files())) writeFileSync(join(source, file), content);
    const out = join(base, 'models');
    const clip = { path: '', samples: new Float32Array(16_000) };
    const options = {
      source,
      out,
      name: 'tiny',
      precision: 'auto',
      search: 'greedy',
      language: null,
      clip,
      sherpa: null,
    } as const;
    await assert.rejects(importModel({ ...options, onProgress: () => {} }), (error: unknown) => {
      assert.ok(error instanceof ServerError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, reason);
      return true;
    });
    assert.deepEqual(existsSync(out) ? readdirSync(out) : [], []);
  });
}
