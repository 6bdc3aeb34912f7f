/** Sources that cannot be imported: each refusal names the reason and what to do, and leaves nothing behind. */
import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ErrorCode, ServerError } from '../../src/errors.js';
import { GraphBuilder, type Value } from '../../src/import/builder.js';
import { importModel } from '../../src/import/importer.js';
import { attr, type ModelProto, nameOf, readModel, TYPE, writeModel } from '../../src/import/onnx.js';
import type { Precision } from '../../src/import/options.js';
import { LIMITS } from '../../src/limits.js';
import { loadModel } from '../../src/models/store.js';
import {
  type TinyOptions,
  tinyDecoder,
  tinyEncoder,
  tinyJoiner,
  tinyTransducer,
} from '../helpers/tiny-transducer.js';

const base = mkdtempSync(join(tmpdir(), 'rnnt-refusals-'));
after(() => rmSync(base, { recursive: true }));

type Files = Record<string, Uint8Array | string>;
const GOOD = tinyTransducer('lstm');

let sources = 0;
function folderOf(files: Files): string {
  const folder = join(base, `source-${sources++}`);
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

async function refused(
  source: string,
  code: ErrorCode,
  reason: RegExp,
  precision: Precision = 'auto',
  name = 'tiny',
): Promise<void> {
  const out = join(base, 'models');
  const options = {
    source,
    out,
    name,
    precision,
    search: 'greedy',
    language: null,
    clip: { path: '', samples: new Float32Array(16_000) },
    sherpa: null,
  } as const;
  await assert.rejects(importModel({ ...options, onProgress: () => {} }), (error: unknown) => {
    assert.ok(error instanceof ServerError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, reason);
    return true;
  });
  assert.deepEqual(existsSync(out) ? readdirSync(out) : [], []);
}

const without = (...names: string[]): Files =>
  Object.fromEntries(Object.entries(GOOD).filter(([name]) => !names.includes(name)));
const encoder = (options: TinyOptions): Files => ({
  ...GOOD,
  'encoder.onnx': writeModel(tinyEncoder('lstm', options)),
});
/** The joiner with its first weight in another file. */
function externalJoiner(location: string, more: Record<string, string> = {}): Files {
  const model: ModelProto = tinyJoiner();
  const [weight] = model.graph?.initializers ?? [];
  assert.ok(weight?.raw);
  const entries = Object.entries({ location, ...more }).map(([key, value]) => ({ key, value }));
  Object.assign(weight, { raw: undefined, location: 1, external: entries });
  return { ...GOOD, 'joiner.onnx': writeModel(model) };
}
const weightBytes = (): number => tinyJoiner().graph?.initializers[0]?.raw?.length ?? 0;

const CASES: [string, () => Files, ErrorCode, RegExp][] = [
  ['an empty folder', () => ({}), 'MODEL_MISSING', /no ONNX file/],
  ['no encoder', () => without('encoder.onnx'), 'MODEL_UNSUPPORTED', /not the encoder.*Use a streaming transducer/],
  ['no decoder', () => without('decoder.onnx'), 'MODEL_MISSING', /no decoder next to encoder\.onnx/],
  ['no joiner', () => without('joiner.onnx'), 'MODEL_UNSUPPORTED', /no joiner.*Whisper.*Use a streaming transducer/],
  ['no tokens', () => without('tokens.txt'), 'MODEL_MISSING', /tokens\.txt/],
  ['two encoders', () => ({ ...GOOD, 'encoder-epoch-9.onnx': '' }), 'MODEL_UNSUPPORTED', /several encoders.*folder of their own/],
  ['a truncated encoder', () => ({ ...GOOD, 'encoder.onnx': GOOD['encoder.onnx']?.subarray(0, 5_000) ?? '' }), 'MODEL_CORRUPT', /encoder\.onnx.*cut short.*Download/],
  ['an encoder that is a page of HTML', () => ({ ...GOOD, 'encoder.onnx': '<html>' }), 'MODEL_CORRUPT', /encoder\.onnx.*Download/],
  ['a pointer of Git LFS', () => ({ ...GOOD, 'encoder.onnx': 'version https://git-lfs.github.com/spec/v1' }), 'MODEL_CORRUPT', /encoder\.onnx/],
  ['another opset in the decoder', () => ({ ...GOOD, 'decoder.onnx': writeModel(tinyDecoder({ opset: 17 })) }), 'MODEL_UNSUPPORTED', /13, 17, 13.*same opset_version/],
  ['opset 9', () => ({ ...GOOD, ...tinyTransducer('lstm', { opset: 9 }) }), 'MODEL_UNSUPPORTED', /version 9.*opset_version from 11/],
  ['a batch of one only', () => encoder({ batch: 1 }), 'MODEL_UNSUPPORTED', /batches of exactly 1.*--dynamic-batch/],
  ['an offline model', () => encoder({ meta: { decode_chunk_len: undefined, T: undefined, comment: 'non-streaming zipformer2' } }), 'MODEL_UNSUPPORTED', /not a streaming model.*non-streaming/],
  ['features of Whisper', () => encoder({ meta: { feature: 'whisper' } }), 'MODEL_UNSUPPORTED', /Whisper features.*Kaldi/],
  ['a CTC model beside a joiner', () => encoder({ meta: { model_type: 'zipformer2_ctc' } }), 'MODEL_UNSUPPORTED', /CTC model.*transducer/],
  ['a CTC model in one file', () => ({ 'ctc-epoch-20.onnx': writeModel(tinyEncoder('lstm', { meta: { model_type: 'zipformer2_ctc' } })) }), 'MODEL_UNSUPPORTED', /CTC model/],
  ['a kind that nobody knows', () => encoder({ meta: { model_type: 'ebranchformer' } }), 'MODEL_UNSUPPORTED', /kind ebranchformer.*Use a model of one of the kinds zipformer2, zipformer/],
  ['a kind that is not named', () => encoder({ meta: { model_type: '' } }), 'MODEL_UNSUPPORTED', /does not name its kind.*export-onnx-streaming\.py/],
  ['an encoder that does not say its kind', () => encoder({ meta: { model_type: undefined } }), 'MODEL_UNSUPPORTED', /model_type.*zipformer2/],
  ['metadata without T', () => encoder({ meta: { T: undefined } }), 'MODEL_UNSUPPORTED', /no T.*export-onnx-streaming/],
  ['metadata that is no number', () => encoder({ meta: { d_model: 'many' } }), 'MODEL_UNSUPPORTED', /d_model=many/],
  ['metadata of another size', () => encoder({ meta: { d_model: '7' } }), 'MODEL_UNSUPPORTED', /state0 is \(3,N,6\).*\(3,N,7\)/],
  ['metadata of another T', () => encoder({ meta: { T: '13' } }), 'MODEL_UNSUPPORTED', /T=13/],
  ['a chunk longer than what is seen', () => encoder({ meta: { decode_chunk_len: '12' } }), 'MODEL_UNSUPPORTED', /9 frames per window and a shift of 12/],
  ['an absurd chunk', () => encoder({ meta: { T: '999999', decode_chunk_len: '999996' } }), 'MODEL_UNSUPPORTED', /shift of 999996/],
  ['metadata of another kind', () => encoder({ meta: { model_type: 'conformer', encoder_dim: '6', left_context: '5', cnn_module_kernel: '7' } }), 'MODEL_UNSUPPORTED', /state tensors.*another model/],
  ['the joiner of another model', () => ({ ...GOOD, 'encoder.onnx': writeModel(otherWidth()) }), 'MODEL_UNSUPPORTED', /different models/],
  ['too few tokens', () => ({ ...GOOD, 'tokens.txt': '<blk> 0\na 1\n' }), 'MODEL_UNSUPPORTED', /2 tokens, but the model has 12/],
  ['a token table that is none', () => ({ ...GOOD, 'tokens.txt': 'hello\n' }), 'MODEL_CORRUPT', /line 1 is not "piece id"/],
  ['an id given twice', () => ({ ...GOOD, 'tokens.txt': 'a 0\nb 0\n' }), 'MODEL_CORRUPT', /line 2 repeats the id 0/],
  ['a graph that ONNX Runtime refuses', () => ({ ...GOOD, 'joiner.onnx': writeModel(unknownOperator()) }), 'MODEL_UNSUPPORTED', /ONNX Runtime cannot run it/],
  ['weights outside the folder', () => externalJoiner('../../etc/passwd'), 'MODEL_UNSUPPORTED', /\.\.\/\.\.\/etc\/passwd.*Do not use/],
  ['weights at an absolute path', () => externalJoiner('/etc/passwd'), 'MODEL_UNSUPPORTED', /\/etc\/passwd.*Do not use/],
  ['weights outside, as Windows writes it', () => externalJoiner('..\\..\\weights'), 'MODEL_UNSUPPORTED', /Do not use/],
  ['weights without a place', () => externalJoiner(''), 'MODEL_UNSUPPORTED', /Do not use/],
  ['weights in a file that is not there', () => externalJoiner('weights.data'), 'MODEL_MISSING', /weights\.data/],
  ['weights cut short', () => ({ ...externalJoiner('weights.data'), 'weights.data': 'short' }), 'MODEL_CORRUPT', /incomplete in weights\.data/],
  ['weights of another length', () => ({ ...externalJoiner('weights.data', { length: '8' }), 'weights.data': Buffer.alloc(weightBytes()) }), 'MODEL_CORRUPT', /incomplete/],
  ['weights behind the end', () => ({ ...externalJoiner('weights.data', { offset: '4' }), 'weights.data': Buffer.alloc(weightBytes()) }), 'MODEL_CORRUPT', /incomplete/],
  ['weights at a place that is no number', () => ({ ...externalJoiner('weights.data', { offset: '-1' }), 'weights.data': Buffer.alloc(weightBytes()) }), 'MODEL_CORRUPT', /not a number/],
]; // biome-ignore format: a case a line

function otherWidth(): ModelProto {
  const model = tinyEncoder('lstm');
  const shape = model.graph?.outputs[0]?.type?.tensor?.shape;
  if (shape?.dims[2]) shape.dims[2] = { value: 512 };
  return model;
}

function unknownOperator(): ModelProto {
  const model = tinyJoiner();
  const [first] = model.graph?.nodes ?? [];
  if (first) first.op = 'NoSuchOperator';
  return model;
}

for (const [name, files, code, reason] of CASES) {
  test(`${name} is refused with the reason`, () => refused(folderOf(files()), code, reason));
}

test('a link to weights outside the folder is refused, wherever it leads', async () => {
  const secret = join(base, 'secret');
  writeFileSync(secret, Buffer.alloc(weightBytes()));
  const folder = folderOf(externalJoiner('weights.data'));
  symlinkSync(secret, join(folder, 'weights.data'));
  await refused(folder, 'MODEL_UNSUPPORTED', /not a file in the model's folder/);
});

test('a file beyond 2 GB is refused without being read', async () => {
  const folder = folderOf(GOOD);
  const file = openSync(join(folder, 'encoder.onnx'), 'r+');
  ftruncateSync(file, LIMITS.maxOnnxBytes + 1);
  closeSync(file);
  await refused(folder, 'MODEL_UNSUPPORTED', /2 GB.*save_as_external_data/);
});

test('a file in place of a folder, and a place where nothing is, are refused', async () => {
  const folder = folderOf(GOOD);
  await refused(join(folder, 'encoder.onnx'), 'MODEL_UNSUPPORTED', /not a folder.*unpack/);
  await refused(join(folder, 'nowhere'), 'MODEL_MISSING', /no folder/);
});

test('a precision that is not there is refused, and the others are hinted at', () =>
  refused(folderOf(GOOD), 'MODEL_MISSING', /no int8 encoder, only one of another --precision/, 'int8'));

/** The encoder's result changed by what `make` gives, from its input x (N, 9, 80). */
function disturbed(make: (g: GraphBuilder) => Value): Files {
  const model = tinyEncoder('lstm');
  const graph = model.graph;
  const last = graph?.nodes.find((it) => it.outputs[0] === 'encoder_out');
  assert.ok(graph && last);
  last.outputs = ['quiet_out'];
  const g = new GraphBuilder(13);
  const nothing = g.mul(make(g), g.scalar(TYPE.float, 1e-3));
  g.output(g.add('quiet_out', nothing), 'encoder_out');
  // Both builders number their values from nought.
  const late = (name = '') => (name.startsWith('f/') ? `late/${name}` : name);
  const renamed = g.nodes.map((it) => ({
    ...it,
    name: `late/${it.name}`,
    inputs: it.inputs.map(late),
    outputs: it.outputs.map(late),
  }));
  graph.nodes.push(...renamed);
  graph.initializers.push(...g.initializers.map((it) => ({ ...it, name: late(it.name) })));
  return { ...GOOD, 'encoder.onnx': writeModel(model) };
}

test('a model in which streams depend on their neighbours is refused', async () => {
  const loudest = (g: GraphBuilder) => g.op('ReduceMax', ['x'], [attr.int('keepdims', 0)]);
  await refused(
    folderOf(disturbed(loudest)),
    'MODEL_UNSUPPORTED',
    /depends on the other streams.*row \d of \d.*--precision/,
  );
});

test('a model that computes a lone stream otherwise gets one row more, and is imported', async () => {
  const alone = (g: GraphBuilder) => g.cast(g.equal(g.rowsOf('x'), g.int64(1)), TYPE.float);
  const clip = { path: '', samples: new Float32Array(16_000) };
  const options = {
    source: folderOf(disturbed(alone)),
    out: join(base, 'guarded'),
    name: 'tiny',
    precision: 'auto',
  } as const;
  const rest = { search: 'greedy', language: null, clip, sherpa: null, onProgress: () => {} } as const;
  const { folder } = await importModel({ ...options, ...rest });
  const { manifest } = await loadModel(folder);
  assert.equal(manifest.graph, 'step-guarded.onnx');
  assert.ok(!existsSync(join(folder, 'step.onnx')));
});

test('a place that cannot be written to is told, with what to do', async () => {
  const file = join(base, 'file');
  writeFileSync(file, '');
  const options = {
    source: folderOf(GOOD),
    out: join(file, 'models'),
    name: 'tiny',
    precision: 'auto',
  } as const;
  const clip = { path: '', samples: new Float32Array(16_000) };
  const rest = { search: 'greedy', language: null, clip, sherpa: null, onProgress: () => {} } as const;
  await assert.rejects(importModel({ ...options, ...rest }), {
    code: 'MODEL_UNSUPPORTED',
    message: /ENOTDIR.*choose another --out/,
  });
});

test('a state beyond the bound is refused, and metadata that would make one is not believed', async () => {
  const model = tinyEncoder('lstm', { meta: { d_model: '1000000', rnn_hidden_size: '1000000' } });
  for (const { type, name } of [...(model.graph?.inputs ?? []), ...(model.graph?.outputs ?? [])]) {
    const dims = type?.tensor?.shape?.dims;
    if (name?.includes('state') && dims) dims[2] = { value: 1_000_000 };
  }
  const huge = { ...GOOD, 'encoder.onnx': writeModel(model) };
  await refused(
    folderOf(huge),
    'MODEL_UNSUPPORTED',
    /24\d{6} bytes; the server accepts at most \d+.*left context/,
  );
  const layers = encoder({ meta: { num_encoder_layers: '1000000' } });
  await refused(folderOf(layers), 'MODEL_UNSUPPORTED', /num_encoder_layers=1000000/);
});

test('a name that leaves the folder of models is refused', () =>
  refused(folderOf(GOOD), 'MODEL_UNSUPPORTED', /cannot be a model’s name.*--name/, 'auto', '../evil'));

test('weights whose numbers overflow are refused after the clip', async () => {
  const model = readModel(GOOD['joiner.onnx'] ?? new Uint8Array());
  const bias = model.graph.initializers.find((it) => it.dims.length === 1);
  assert.ok(bias?.raw, nameOf(bias ?? {}));
  bias.raw = new Uint8Array(Float32Array.from({ length: bias.raw.length / 4 }, () => Number.NaN).buffer);
  await refused(
    folderOf({ ...GOOD, 'joiner.onnx': writeModel(model) }),
    'MODEL_UNSUPPORTED',
    /log-probability NaN/,
  );
});
