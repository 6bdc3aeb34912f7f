/** NeMo's own `model.export()`: two files without metadata. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compose } from '../../src/import/compose.js';
import { type ImportOptions, importModel } from '../../src/import/importer.js';
import { type ModelProto, readModel, writeModel } from '../../src/import/onnx.js';
import { findSource, loadSource } from '../../src/import/sources.js';
import { loadModel } from '../../src/models/store.js';
import {
  expected,
  fixture,
  hear,
  nemoDigits,
  openStep,
  recording,
  SHERPA_WAITS,
} from '../helpers/foreign.js';
import { nemoExport } from '../helpers/nemo-export.js';

const base = mkdtempSync(join(tmpdir(), 'rnnt-nemo-'));
after(() => rmSync(base, { recursive: true }));

let folders = 0;
function folderOf(files: Record<string, Uint8Array | string>): string {
  const folder = join(base, `source-${folders++}`);
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}
const loaded = (files: Record<string, Uint8Array | string>) =>
  loadSource(findSource(folderOf(files), 'auto'));
const greedy = { search: 'greedy' } as const;

const optionsOf = (source: string, changes: Partial<ImportOptions> = {}): ImportOptions => ({
  source,
  out: join(base, 'models'),
  name: `nemo-${folders++}`,
  precision: 'auto',
  search: 'greedy',
  language: 'en',
  clip: { path: fixture('wavs', 'digits-0.wav'), samples: recording('digits-0.wav').subarray(0, 24_000) },
  sherpa: null,
  onProgress: () => {},
  ...changes,
});

for (const chunkMs of [80, 560] as const) {
  const session = openStep(compose(loaded(nemoExport(chunkMs)), greedy));
  for (const { f, tokens, frames, logp } of expected(`nemo-${chunkMs}`).slice(0, 4)) {
    test(`the pair for ${chunkMs} ms gives of ${f} what sherpa-onnx gives with its three files`, async () => {
      const [said = []] = (await hear(await session, [recording(f)], { waits: SHERPA_WAITS })).said;
      assert.deepEqual(
        said.map((it) => it.token),
        tokens,
      );
      assert.deepEqual(
        said.map((it) => it.frame),
        frames,
      );
      const worst = Math.max(...said.map((it, i) => Math.abs(it.logp - (logp[i] ?? Number.NaN))));
      assert.ok(worst < 1e-3, `log-probabilities differ by ${worst}`);
    });
  }

  test(`chunk and caches of the pair for ${chunkMs} ms are those that the metadata tells`, () => {
    const facts = ({ state, chunkSamples, windowSamples }: ReturnType<typeof compose>) => [
      ...state.slice(0, 3).map(({ dims }) => dims),
      chunkSamples,
      windowSamples,
    ];
    assert.deepEqual(
      facts(compose(loaded(nemoExport(chunkMs)), greedy)),
      facts(compose(nemoDigits(chunkMs), greedy)),
    );
  });
}

test('the pair is imported whole, with the blank behind its tokens', async () => {
  const { folder, heard } = await importModel(optionsOf(folderOf(nemoExport(560))));
  assert.ok(heard.length > 0);
  const { tokens, manifest } = await loadModel(folder);
  assert.deepEqual([tokens.length, tokens[15], manifest.blank], [16, '<blk>', 15]);
  assert.match(
    readFileSync(join(folder, 'MODEL_CARD.md'), 'utf8'),
    /decoder_joint-model\.onnx \| [0-9a-f]{64}/,
  );
});

/** The encoder with its graph changed. */
function encoderWith(change: (model: ModelProto) => void): Record<string, Uint8Array> {
  const files = nemoExport(560);
  const model = readModel(files['encoder-model.onnx'] ?? new Uint8Array());
  change(model);
  return { ...files, 'encoder-model.onnx': writeModel(model) };
}
const hideMask = (model: ModelProto): void => {
  for (const node of model.graph?.nodes ?? []) {
    if (node.op === 'LessOrEqual') node.inputs[1] = 'somewhere';
  }
};

test('a left context that the graph does not show is asked for, and taken', () => {
  const files = loaded(encoderWith(hideMask));
  assert.throws(() => compose(files, greedy), {
    code: 'MODEL_UNSUPPORTED',
    message: /--left-frames.*att_context_size/,
  });
  const { state } = compose(files, { ...greedy, streaming: { chunkMs: null, leftFrames: 42 } });
  assert.deepEqual(state[0]?.dims, [2, 42, 64]);
});

test('a chunk that the graph does not show is asked for, and taken', () => {
  const files = loaded(
    encoderWith(({ graph }) => {
      const name = graph?.outputs[0]?.name ?? '';
      const slice = graph?.nodes.find((it) => it.outputs.includes(name));
      if (slice) slice.inputs[2] = 'somewhere';
    }),
  );
  assert.throws(() => compose(files, greedy), {
    code: 'MODEL_UNSUPPORTED',
    message: /--chunk-ms.*multiple of 80/,
  });
  const streaming = { chunkMs: 560, leftFrames: null };
  assert.equal(compose(files, { ...greedy, streaming }).chunkSamples, 8_960);
});

test('an encoder that does not cut its output is asked for its chunk', () => {
  const files = encoderWith(({ graph }) => {
    const name = graph?.outputs[0]?.name ?? '';
    const slice = graph?.nodes.find((it) => it.outputs.includes(name));
    if (slice) Object.assign(slice, { op: 'Identity', inputs: slice.inputs.slice(0, 1) });
  });
  assert.throws(() => compose(loaded(files), greedy), {
    code: 'MODEL_UNSUPPORTED',
    message: /--chunk-ms.*multiple of 80/,
  });
});

test('a chunk other than the one that was exported is refused', () => {
  const streaming = { chunkMs: 80, leftFrames: null };
  assert.throws(() => compose(loaded(nemoExport(560)), { ...greedy, streaming }), {
    code: 'MODEL_UNSUPPORTED',
    message: /chunks of 560 ms, not 80/,
  });
});

test('a decoder and joiner in one file that are built otherwise are refused', () => {
  const model = readModel(nemoExport(80)['decoder_joint-model.onnx'] ?? new Uint8Array());
  for (const node of model.graph.nodes) {
    if (node.op === 'MatMul') node.op = 'Gemm';
    if (node.op === 'Add') node.op = 'Sum';
  }
  const files = { ...nemoExport(80), 'decoder_joint-model.onnx': writeModel(model) };
  assert.throws(() => loaded(files), {
    code: 'MODEL_UNSUPPORTED',
    message: /cannot be split.*model\.export\(\)/,
  });
});
