/** An imported model behind the server: the determinism that the embedded one has, over the wire, with greedy search and a beam, and a recurrent decoder. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { importModel } from '../../src/import/importer.js';
import { SEARCHES } from '../../src/import/options.js';
import { fixture, recording } from '../helpers/foreign.js';
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
