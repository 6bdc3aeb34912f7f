import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CodecPool } from '../../src/codec/pool.js';
import { loadConfig } from '../../src/config.js';
import { type ImportOptions, importModel } from '../../src/import/importer.js';
import { type ModelProto, writeModel } from '../../src/import/onnx.js';
import { startEngine } from '../../src/inference/engine.js';
import { loadModel } from '../../src/models/store.js';
import { packageRoot } from '../../src/paths.js';
import { recordingDefaults } from '../../src/session/defaults.js';
import { recogniseFile } from '../../src/session/file-job.js';
import { pieceTable } from '../../src/transcript/pieces.js';
import { silentLog } from '../helpers/fake-session.js';
import { expected, fixture, recording } from '../helpers/foreign.js';
import { tinyJoiner, tinyTransducer } from '../helpers/tiny-transducer.js';

const PROGRAM = join(packageRoot, 'scripts', 'bin.mjs');
const base = mkdtempSync(join(tmpdir(), 'rnnt-import-'));
after(() => rmSync(base, { recursive: true }));

let outs = 0;
const newOut = (): string => join(base, `models-${outs++}`);

function optionsOf(source: string, changes: Partial<ImportOptions> = {}): ImportOptions {
  const clip = {
    path: fixture('wavs', 'digits-0.wav'),
    samples: recording('digits-0.wav').subarray(0, 24_000),
  };
  return {
    source, out: newOut(), name: null, precision: 'auto', search: 'greedy', language: null, clip, sherpa: null,
    onProgress: () => {}, ...changes,
  }; // biome-ignore format: a plain list
}

function folderOf(name: string, files: Record<string, Uint8Array | string>): string {
  const folder = join(base, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  return folder;
}

const DIGITS = fixture('zipformer2-digits');

test('an imported recogniser is served: the words of a recording come out of the lanes', async () => {
  const { folder, heard } = await importModel(optionsOf(DIGITS));
  assert.ok(heard.length > 0);
  const config = loadConfig({ lanes: 1, maxBatch: 2, maxStreams: 2, provider: 'cpu' }, {});
  const model = await loadModel(folder);
  const engine = await startEngine(model, config, silentLog);
  const codecPool = new CodecPool();
  const parts = {
    engine, codecPool, pieces: pieceTable(model.tokens, model.manifest), defaults: recordingDefaults(config, 'en'), maxSeconds: 60,
  }; // biome-ignore format: a plain list
  const [first] = expected('zip2-greedy');
  const bytes = readFileSync(fixture('wavs', first?.f ?? ''));
  const { channels } = await recogniseFile(parts, { bytes, wanted: {} });
  await codecPool.close();
  await engine.close();
  const said = first?.tokens.map((id) => model.tokens[id]).join('');
  // A vocabulary of capitals is read in small letters.
  assert.equal(channels[0]?.text, said?.replaceAll('▁', ' ').trim().toLowerCase());
});

test('a model’s folder holds graph, tokens, manifest, card and the licence that lay beside it', async () => {
  const source = folderOf('sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023', {
    ...tinyTransducer('zipformer'),
    LICENSE: 'Apache License\nVersion 2.0, January 2004\n',
    'README.md': '---\nlicense: apache-2.0\n---\nA model.',
  });
  const options = optionsOf(source);
  const { folder, name } = await importModel(options);
  assert.equal(name, 'sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023');
  assert.deepEqual(readdirSync(options.out), [name]);
  const wanted = ['LICENSE', 'MODEL_CARD.md', 'SOURCE_README.md', 'manifest.json', 'step.onnx', 'tokens.txt'];
  assert.deepEqual(readdirSync(folder).sort(), wanted);
  const { manifest, tokens } = await loadModel(folder);
  assert.equal(manifest.language, 'zh,en');
  assert.equal(manifest.licence, 'apache-2.0');
  assert.equal(manifest.kind, 'zipformer');
  assert.deepEqual(
    [manifest.chunkSamples, manifest.windowSamples, manifest.framesPerChunk],
    [5_120, 6_360, 8],
  );
  assert.equal(tokens[2], '▁a');
  const card = readFileSync(join(folder, 'MODEL_CARD.md'), 'utf8');
  assert.match(card, /encoder\.onnx \| [0-9a-f]{64}/);
  assert.match(card, /decode_chunk_len \| 32/);
  assert.ok(!card.includes(base), 'no path of this machine');
  assert.ok(!readFileSync(join(folder, 'manifest.json'), 'utf8').includes(base));
});

test('two imports of one source are the same, file by file', async () => {
  const source = folderOf('twice', tinyTransducer('conformer'));
  const [one, two] = [await importModel(optionsOf(source)), await importModel(optionsOf(source))];
  for (const file of readdirSync(one.folder)) {
    assert.ok(readFileSync(join(one.folder, file)).equals(readFileSync(join(two.folder, file))), file);
  }
});

const NAMES: [string, (part: string) => string][] = [
  ['epochs and chunks', (part) => `${part}-epoch-99-avg-1-chunk-16-left-128.onnx`],
  ['a prefix', (part) => `tiny-en-${part}.onnx`],
  ['an underscore', (part) => `${part}_jit.onnx`],
];
for (const [what, named] of NAMES) {
  test(`files are found by names with ${what}`, async () => {
    const { 'tokens.txt': tokens = '', ...parts } = tinyTransducer('lstm');
    const renamed = Object.entries(parts).map(([file, bytes]) => [named(file.replace('.onnx', '')), bytes]);
    const source = folderOf(`named ${what}`, { ...Object.fromEntries(renamed), 'tokens.txt': tokens });
    const { step } = await importModel(optionsOf(source, { name: 'tiny' }));
    assert.equal(step.kind, 'lstm');
  });
}

test('int8 is taken when asked for, with the decoder in float; fp32 otherwise', async () => {
  const int8 = await importModel(optionsOf(DIGITS, { precision: 'int8' }));
  assert.equal(int8.precision, 'int8');
  const fp32 = await importModel(optionsOf(DIGITS));
  assert.equal(fp32.precision, 'fp32');
  const size = ({ folder }: { folder: string }) => statSync(join(folder, 'step.onnx')).size;
  assert.ok(size(int8) < size(fp32));
  const only = join(base, 'only-int8');
  cpSync(DIGITS, only, { recursive: true });
  renameSync(join(only, 'encoder.onnx'), join(only, 'encoder.onnx.away'));
  assert.equal((await importModel(optionsOf(only))).precision, 'int8');
});

test('symbols of a decoding graph behind the vocabulary are left out', async () => {
  const files = tinyTransducer('lstm');
  const source = folderOf('disambiguated', {
    ...files,
    'tokens.txt': `${Buffer.from(files['tokens.txt'] ?? [])}#0 12\n#1 13\n`,
  });
  const { folder } = await importModel(optionsOf(source));
  assert.equal((await loadModel(folder)).tokens.length, 12);
});

test('weights in a file of their own are copied, and nothing done to the source reaches the model', async () => {
  const model: ModelProto = tinyJoiner();
  const [weight] = model.graph?.initializers ?? [];
  assert.ok(weight?.raw);
  const bytes = weight.raw;
  const place = { location: 'big.data', offset: '64', length: String(bytes.length) };
  const external = Object.entries(place).map(([key, value]) => ({ key, value }));
  Object.assign(weight, { raw: undefined, location: 1, external });
  const plain = await importModel(optionsOf(folderOf('inside', tinyTransducer('lstm'))));
  const source = folderOf('outside', {
    ...tinyTransducer('lstm'),
    'joiner.onnx': writeModel(model),
    'big.data': Buffer.concat([Buffer.alloc(64, 1), bytes]),
  });
  const big = join(source, 'big.data');
  chmodSync(big, 0o600);
  const { folder, heard } = await importModel(optionsOf(source));
  assert.deepEqual(heard, plain.heard);
  const modeOf = (name: string) => statSync(join(folder, name)).mode;
  assert.equal(
    modeOf('weights-0.data'),
    modeOf('manifest.json'),
    'whoever reads the model reads its weights',
  );
  assert.equal(statSync(big).nlink, 1, 'Python’s onnx opens no weights that have a second link');
  writeFileSync(big, Buffer.alloc(64), { flag: 'r+' });
  appendFileSync(big, 'another export');
  await loadModel(folder);
});

test('a name that is taken is refused, and what was there stays', async () => {
  const options = optionsOf(DIGITS, { name: 'digits' });
  const { folder } = await importModel(options);
  const before = statSync(join(folder, 'manifest.json')).mtimeMs;
  await assert.rejects(importModel(options), {
    code: 'MODEL_UNSUPPORTED',
    message: /exists already.*--name/,
  });
  assert.deepEqual(readdirSync(options.out), ['digits']);
  assert.equal(statSync(join(folder, 'manifest.json')).mtimeMs, before);
});

test('an import can be taken back while it runs: nothing is left', async () => {
  let undo: (() => void) | null = null;
  const options = optionsOf(DIGITS, {
    onUndo: (how) => {
      undo ??= how;
    },
    onProgress: (what) => {
      if (what === 'describing') undo?.();
    },
  });
  await assert.rejects(importModel(options));
  assert.deepEqual(readdirSync(options.out), []);
});

test('the command imports, says what it heard, and how to serve the model', () => {
  const out = newOut();
  const run = (...args: string[]) => rnnt('import', ...args);
  const told = run(DIGITS, '--out', out, '--name', 'digits', '--language', 'en');
  assert.match(told, /zipformer2, fp32, greedy search; imported in [\d.]+ s/);
  assert.match(told, /chunk 320 ms, look-ahead 137\.5 ms, 104176 bytes of state/);
  assert.match(told, /not compared with sherpa-onnx|sherpa-onnx gives the same text/);
  assert.match(told, new RegExp(`npm start -- --model ${join(out, 'digits')}`));
  assert.throws(() => run(join(base, 'nowhere'), '--out', out), /MODEL_MISSING/);
  assert.ok(existsSync(join(out, 'digits', 'manifest.json')));
});

/** Loaded before the program: sends it the signal when it tells of this moment, not when somebody has read of it. */
const interruptedAt = (moment: string) =>
  `data:text/javascript,${encodeURIComponent(`
    const { stderr } = process;
    const write = stderr.write.bind(stderr);
    stderr.write = (text, ...more) => {
      if (String(text).includes(${JSON.stringify(moment)})) process.kill(process.pid, 'SIGTERM');
      return write(text, ...more);
    };`)}`;

// The thread of the runner is loading at the first of these, and in native code at the second.
for (const moment of ['writing', 'checking batches'])
  test(`the command ends by the signal that interrupts it when it is ${moment}, and leaves nothing`, async () => {
    const out = newOut();
    const args = ['--import', interruptedAt(moment), PROGRAM, 'import', DIGITS, '--out', out];
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    assert.deepEqual(await once(child, 'close'), [null, 'SIGTERM']);
    assert.deepEqual(readdirSync(out), []);
  });

function rnnt(...args: string[]): string {
  return execFileSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', stdio: 'pipe' });
}

test('models show tells kind, chunk, look-ahead, state and languages, and measures steps and streams', async () => {
  const { folder } = await importModel(optionsOf(DIGITS, { search: 'beam', language: 'en' }));
  const told = rnnt('models', 'show', folder, '--lanes', '1', '--max-batch', '2', '--provider', 'cpu');
  assert.match(told, /^kind +zipformer2$/m);
  assert.match(told, /^languages +en$/m);
  assert.match(told, /^chunk +320 ms: 8 frames/m);
  assert.match(told, /^look-ahead +137\.5 ms$/m);
  assert.match(told, /^state +10\d{4} bytes per stream$/m);
  assert.match(told, /^can do +hotwords, preview$/m);
  assert.match(told, /^here +1 lanes? on cpu; .*1: [\d.]+ ms, 2: [\d.]+ ms$/m);
  assert.match(told, /^memory +[1-9]\d* MB per lane/m);
  assert.match(told, /^streams +[1-9]\d*, in batches of up to [12]$/m);
});
