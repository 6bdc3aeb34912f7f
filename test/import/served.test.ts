/** An imported model behind the server: the determinism that the embedded one has, over the wire, with greedy search and a beam, and a recurrent decoder. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { importModel } from '../../src/import/importer.js';
import { SEARCHES } from '../../src/import/options.js';
import { parseTokens } from '../../src/models/store.js';
import { expected, fixture, recording } from '../helpers/foreign.js';
import { startLiveServer } from '../helpers/live-server.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';

const base = mkdtempSync(join(tmpdir(), 'rnnt-served-'));
after(() => rmSync(base, { recursive: true }));

const samplesOf = (name: string): Int16Array =>
  Int16Array.from(recording(name), (x) => Math.round(x * 32_768));
const SPEECH = ['digits-0.wav', 'digits-1.wav', 'digits-4.wav'].map(samplesOf);

/** What a client sees that depends on the audio alone. */
async function transcriptOf(
  url: string,
  samples: Int16Array,
  frameBytes: number,
  config = {},
): Promise<string> {
  const client = await TestClient.open(url);
  const stopped = await client.transcribe(cut(bytesOf(samples), frameBytes), config);
  const finals = client
    .all('transcription')
    .map(({ segment_id, text, words, reason }) => ({ segment_id, text, words, reason }));
  await client.close();
  return JSON.stringify({ text: stopped.final_transcript, finals });
}

const KINDS = [
  ...SEARCHES.map((search) => ({ name: search, source: 'zipformer2-digits', search })),
  ...[80, 560].map((ms) => ({ name: `nemo-${ms}`, source: `nemo-digits-${ms}`, search: 'greedy' }) as const),
];

for (const { name, source, search } of KINDS) {
  test(`${name}: alone or together, whole or in frames of any size, the same words at the same times`, async (t) => {
    const { folder } = await importModel({
      source: fixture(source), out: base, name, precision: 'auto', search, language: 'en',
      clip: { path: '', samples: recording('digits-0.wav').subarray(0, 16_000) }, sherpa: null, onProgress: () => {},
    }); // biome-ignore format: a plain list
    const live = await startLiveServer({ model: folder, lanes: 2 });
    t.after(() => live.stop());
    const alone: string[] = [];
    for (const samples of SPEECH) alone.push(await transcriptOf(live.ws, samples, samples.byteLength));
    assert.match(alone[0] ?? '', /"text":"nine five seven five one five/);
    assert.match(alone[0] ?? '', /"start":/);
    const together = SPEECH.map((samples, i) => transcriptOf(live.ws, samples, [640, 3_201, 9_999][i] ?? 0));
    assert.deepEqual(await Promise.all(together), alone);
  });
}

const ORACLES = [
  { name: 'greedy', source: 'zipformer2-digits', oracle: 'zip2-greedy' },
  { name: 'beam', source: 'zipformer2-digits', oracle: 'zip2-beam4' },
  { name: 'nemo-80', source: 'nemo-digits-80', oracle: 'nemo-80' },
  { name: 'nemo-560', source: 'nemo-digits-560', oracle: 'nemo-560' },
];

for (const { name, source, oracle } of ORACLES) {
  test(`${name}: the flush brings every word that sherpa-onnx hears, the last ones too`, async (t) => {
    const live = await startLiveServer({ model: join(base, name) });
    t.after(() => live.stop());
    const path = fixture(source, 'tokens.txt');
    const pieces = parseTokens(readFileSync(path, 'utf8'), path);
    for (const { f, tokens } of expected(oracle)) {
      const wanted = tokens.map((token) => pieces[token] ?? '').join('').replaceAll('▁', ' ').trim().toLowerCase(); // biome-ignore format: short
      const { text } = JSON.parse(await transcriptOf(live.ws, samplesOf(f), 3_200)) as { text: string };
      // A beam is flushed for longer, until its hypotheses agree, and may hear something in that silence.
      assert.equal(name === 'beam' ? text.slice(0, wanted.length) : text, wanted, f);
    }
  });
}

test('a beam hears a hotword of a recording’s own, and nobody else does', async (t) => {
  const live = await startLiveServer({ model: join(base, 'beam') });
  t.after(() => live.stop());
  const samples = samplesOf('digits-6.wav');
  const hotwords = [{ phrase: 'eight', boost: 2 }];
  const [without, asked] = await Promise.all([
    transcriptOf(live.ws, samples, 3_200),
    transcriptOf(live.ws, samples, 3_200, { hotwords }),
  ]);
  assert.match(asked, /"text":"[a-z ]*one eight three/);
  assert.doesNotMatch(without, /"text":"[a-z ]*one eight three/);
});

test('a finalize in the middle flushes what a step has not seen, and changes nothing that depends on frames', async (t) => {
  const live = await startLiveServer({ model: join(base, 'greedy') });
  t.after(() => live.stop());
  const bytes = bytesOf(SPEECH[0] ?? new Int16Array());
  // Behind the third word, not at the end of a chunk.
  const at = 2 * 2.2 * 16_000;
  const run = async (frameBytes: number): Promise<string[]> => {
    const client = await TestClient.open(live.ws);
    client.say({ type: 'start_recording' });
    await client.until('recording_started');
    for (const piece of cut(bytes.subarray(0, at), frameBytes)) await client.audio(piece);
    client.say({ type: 'finalize' });
    while ((await client.until('transcription')).reason !== 'finalize');
    const before = client.all('transcription').map(({ text }) => String(text));
    for (const piece of cut(bytes.subarray(at), frameBytes)) await client.audio(piece);
    client.say({ type: 'stop_recording' });
    const { final_transcript: whole } = await client.until('recording_stopped');
    await client.close();
    return [...before, String(whole)];
  };
  const whole = await run(bytes.length);
  assert.match(whole[0] ?? '', /^nine five/);
  assert.deepEqual(await run(1_234), whole);
});
