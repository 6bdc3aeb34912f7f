/** NeMo's transducers, imported and served: words come out of the lanes. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CodecPool } from '../../src/codec/pool.js';
import { loadConfig } from '../../src/config.js';
import { importModel } from '../../src/import/importer.js';
import { startEngine } from '../../src/inference/engine.js';
import { loadModel, type Model } from '../../src/models/store.js';
import type { UploadConfig } from '../../src/protocol/parse.js';
import { recordingDefaults } from '../../src/session/defaults.js';
import { recogniseFile } from '../../src/session/file-job.js';
import { pieceTable } from '../../src/transcript/pieces.js';
import { silentLog } from '../helpers/fake-session.js';
import { expected, fixture, recording } from '../helpers/foreign.js';
import { startLiveServer } from '../helpers/live-server.js';
import { nemoMultilingual } from '../helpers/nemo-export.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';

const base = mkdtempSync(join(tmpdir(), 'rnnt-nemo-served-'));
after(() => rmSync(base, { recursive: true }));

async function imported(source: string, name: string): Promise<Model> {
  const samples = recording('digits-0.wav').subarray(0, 24_000);
  const { folder } = await importModel({
    source,
    out: join(base, 'models'),
    name,
    precision: 'fp32',
    search: 'greedy',
    language: null,
    clip: { path: fixture('wavs', 'digits-0.wav'), samples },
    sherpa: null,
    onProgress: () => {},
  });
  return loadModel(folder);
}

/** What is recognised of a recording under each of several configurations, at once and in one batch. */
async function recognise(model: Model, file: string, wanted: readonly UploadConfig[]) {
  const n = wanted.length;
  const config = loadConfig({ lanes: 1, maxBatch: n, maxStreams: n, provider: 'cpu' }, {});
  const engine = await startEngine(model, config, silentLog);
  const codecPool = new CodecPool();
  const parts = {
    engine,
    codecPool,
    pieces: pieceTable(model.tokens, model.manifest),
    defaults: recordingDefaults(config, model.manifest.language),
    maxSeconds: 60,
  };
  // Bytes are handed over to whoever decodes them.
  const read = () => readFileSync(fixture('wavs', file));
  const files = await Promise.all(wanted.map((it) => recogniseFile(parts, { bytes: read(), wanted: it })));
  await codecPool.close();
  await engine.close();
  return files.map(({ channels }) => channels[0]);
}

for (const chunkMs of [80, 560]) {
  test(`chunks of ${chunkMs} ms: the words of a recording come out, each after the one before`, async () => {
    const model = await imported(fixture(`nemo-digits-${chunkMs}`), `digits-${chunkMs}`);
    const [wanted] = expected(`nemo-${chunkMs}`);
    const [channel] = await recognise(model, wanted?.f ?? '', [{}]);
    const said = wanted?.tokens.map((id) => model.tokens[id]).join('') ?? '';
    assert.equal(channel?.text, said.replaceAll('▁', ' ').trim().toLowerCase());
    const words = channel?.segments.flatMap((it) => it.words) ?? [];
    assert.equal(words.length, said.split('▁').length - 1);
    words.forEach(({ startSamples, endSamples }, i) => {
      assert.ok(endSamples >= startSamples && startSamples >= (words[i - 1]?.startSamples ?? 0), `word ${i}`);
    });
  });
}

let made: Promise<Model> | null = null;
function multilingual(): Promise<Model> {
  const source = join(base, 'multilingual');
  mkdirSync(source, { recursive: true });
  for (const [name, bytes] of Object.entries(nemoMultilingual())) writeFileSync(join(source, name), bytes);
  made ??= imported(source, 'multilingual');
  return made;
}

test('a recording is recognised in the language that it is said to be in; without one the model finds out', async () => {
  const model = await multilingual();
  const wanted = [{}, { language: 'en' }, { language: 'de' }, { language: 'fi' }];
  const [found, english, german, unknown] = await recognise(model, 'digits-0.wav', wanted);
  assert.match(english?.text ?? '', /^nine five/);
  assert.equal(found?.text, english?.text);
  assert.equal(unknown?.text, english?.text, 'a language that the model does not have is as none');
  assert.notEqual(german?.text, english?.text);
});

test('live recordings beside each other are heard each in its own language, and an unknown one is warned of', async (t) => {
  const live = await startLiveServer({ model: (await multilingual()).folder });
  t.after(() => live.stop());
  const samples = Int16Array.from(recording('digits-0.wav'), (x) => Math.round(x * 32_768));
  const run = async (language: string) => {
    const client = await TestClient.open(live.ws);
    const { final_transcript: text } = await client.transcribe(cut(bytesOf(samples), 3_200), { language });
    const warnings = client.all('warning').map(({ detail }) => String(detail));
    await client.close();
    return { text: String(text), warnings };
  };
  const [english, german, unknown] = await Promise.all(['en-US', 'de', 'fi'].map(run));
  assert.match(english?.text ?? '', /^nine five/);
  assert.notEqual(german?.text, english?.text);
  assert.deepEqual([english?.warnings, german?.warnings], [[], []]);
  assert.equal(unknown?.text, english?.text);
  assert.match(unknown?.warnings.join() ?? '', /en-US, de-DE/);
});
