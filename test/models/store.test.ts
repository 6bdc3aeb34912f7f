import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ServerError } from '../../src/errors.js';
import { listModels, loadModel, modelFolder, parseTokens, readManifest } from '../../src/models/store.js';
import { inPackage } from '../../src/paths.js';
import { fakeManifest } from '../helpers/fake-model.js';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const entry = (path: string, content: string) => ({
  path,
  bytes: Buffer.byteLength(content),
  sha256: createHash('sha256').update(content).digest('hex'),
});

const GRAPH = 'not really a graph';
const TOKENS = '<blk> 0\n▁a 1\nb c 2\n';

/** A model folder on disk, whole unless changed. */
function modelOnDisk(changes: object = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'rnnt-model-'));
  folders.push(folder);
  const files = [entry('fake.onnx', GRAPH), entry('tokens.txt', TOKENS)];
  writeFileSync(join(folder, 'fake.onnx'), GRAPH);
  writeFileSync(join(folder, 'tokens.txt'), TOKENS);
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...fakeManifest({ files }), ...changes }));
  return folder;
}

async function refusal(folder: string): Promise<ServerError> {
  try {
    await loadModel(folder);
  } catch (error) {
    assert.ok(error instanceof ServerError, String(error));
    return error;
  }
  return assert.fail('the model was loaded');
}

test('a whole model is loaded with its tokens by id', async () => {
  const folder = modelOnDisk();
  const model = await loadModel(folder);
  assert.deepEqual(model.tokens, ['<blk>', '▁a', 'b c']);
  assert.equal(model.graphPath, join(folder, 'fake.onnx'));
});

test('a missing file is named', async () => {
  const folder = modelOnDisk();
  unlinkSync(join(folder, 'fake.onnx'));
  const { code, message } = await refusal(folder);
  assert.equal(code, 'MODEL_MISSING');
  assert.ok(message.includes(join(folder, 'fake.onnx')));
});

test('a file that was cut short is named, with both lengths', async () => {
  const folder = modelOnDisk();
  truncateSync(join(folder, 'fake.onnx'), 5);
  const { code, message } = await refusal(folder);
  assert.equal(code, 'MODEL_CORRUPT');
  assert.match(message, /fake\.onnx has 5 bytes, the manifest says 18/);
});

test('a file with a flipped letter fails its checksum', async () => {
  const folder = modelOnDisk();
  writeFileSync(join(folder, 'fake.onnx'), GRAPH.replace('not', 'Not'));
  const { code, message } = await refusal(folder);
  assert.equal(code, 'MODEL_CORRUPT');
  assert.match(message, /fake\.onnx fails its SHA-256/);
});

test('a folder without a manifest, one that is no JSON and one with a wrong field are told apart', async () => {
  const folder = modelOnDisk();
  writeFileSync(join(folder, 'manifest.json'), '{');
  assert.equal((await refusal(folder)).code, 'MODEL_CORRUPT');
  unlinkSync(join(folder, 'manifest.json'));
  assert.equal((await refusal(folder)).code, 'MODEL_MISSING');
  const wrong = await refusal(modelOnDisk({ sampleRate: 8_000 }));
  assert.equal(wrong.code, 'MODEL_INVALID');
  assert.match(wrong.message, /sampleRate/);
});

test('a manifest must list the graph and the tokens among its files', async () => {
  const { code, message } = await refusal(modelOnDisk({ files: [entry('fake.onnx', GRAPH)] }));
  assert.equal(code, 'MODEL_INVALID');
  assert.match(message, /tokens\.txt/);
});

test('a state that is larger than a stream may have is refused', () => {
  const state = (floats: number) => [{ input: 'a', output: 'b', type: 'float32', shape: [floats] }];
  assert.throws(() => readManifest(modelOnDisk({ state: state(4_200_000) })), { code: 'MODEL_INVALID' });
  assert.equal(readManifest(modelOnDisk({ state: state(4_190_000) })).state.length, 1, '16 MiB are allowed');
});

test('tokens are read by id, in any order, pieces with spaces and gaps too', () => {
  assert.deepEqual(parseTokens('b 2\r\na 0\n\nc d 4\n', 'x'), ['a', '', 'b', '', 'c d']);
});

test('a line that is no token is quoted', () => {
  for (const line of ['a b', 'a -1', 'a 1.5', 'a 99999999', 'alone'])
    assert.throws(() => parseTokens(line, 'tokens.txt'), { code: 'MODEL_CORRUPT' }, line);
});

test('a reference is a name in the package, a folder, or the default', () => {
  assert.equal(modelFolder('tiny'), inPackage('models', 'tiny'));
  assert.equal(modelFolder('/some/where'), '/some/where');
  assert.equal(modelFolder('./x').endsWith('/x'), true);
  assert.ok(listModels().some((name) => modelFolder('default') === inPackage('models', name)));
});

test('a model that does not exist is missing', async () => {
  assert.equal((await refusal('no-such-model')).code, 'MODEL_MISSING');
});
