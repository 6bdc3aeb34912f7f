/** More comes than the server is rated for: who is in loses nothing, who is not is told why, and gets in when there is room. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { refusedUpgrade, TestClient } from '../helpers/ws-client.js';

const RATED = 8;
const CHUNKS = 12;

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer({ maxUploads: 2 }, { slots: 2 * RATED, capacity: RATED });
});
after(() => running.stop());

/** A word per chunk, different words for each stream. */
const words = (stream: number) =>
  Array.from({ length: CHUNKS }, (_, i) => (i % 3 === stream % 3 ? 'two' : 'one'));
const speech = (stream: number) =>
  bytesOf(
    spoken(
      CHUNK * CHUNKS,
      words(stream).map((word, i): [number, string] => [i * CHUNK, word]),
    ),
  );

/** Asks for a recording; null if it was refused, which must be for want of room and leave the connection open. */
async function begin(client: TestClient): Promise<TestClient | null> {
  client.say({ type: 'start_recording' });
  while (!client.received.some(({ type }) => type === 'recording_started' || type === 'error')) {
    await new Promise(setImmediate);
  }
  const [error] = client.all('error');
  if (error === undefined) return client;
  assert.deepEqual([error.code, error.retryable], ['AT_CAPACITY', true]);
  return null;
}

async function transcript(client: TestClient, stream: number): Promise<string> {
  await client.audio(speech(stream));
  client.say({ type: 'stop_recording' });
  return (await client.until('recording_stopped')).final_transcript;
}

test('of twice the rated number of streams the rated number gets in and loses no word', async () => {
  const clients = await Promise.all(Array.from({ length: 2 * RATED }, () => TestClient.open(running.ws)));
  const admitted = (await Promise.all(clients.map(begin))).filter((client) => client !== null);
  assert.equal(admitted.length, RATED);
  const refused = await Promise.all(Array.from({ length: 2 * RATED }, () => refusedUpgrade(running.ws)));
  for (const { status, body, headers } of refused) {
    assert.deepEqual([status, body.code, Number(headers['retry-after']) > 0], [503, 'AT_CAPACITY', true]);
  }
  const texts = await Promise.all(admitted.map(transcript));
  assert.deepEqual(
    texts,
    admitted.map((_, stream) => words(stream).join(' ')),
  );

  // Those that were told to wait find the room that is free now.
  const waited = clients.filter((client) => !admitted.includes(client));
  const later = await Promise.all(
    waited.map(async (client, stream) => {
      client.say({ type: 'start_recording' });
      await client.until('recording_started');
      return transcript(client, stream);
    }),
  );
  assert.deepEqual(
    later,
    waited.map((_, stream) => words(stream).join(' ')),
  );
  for (const client of clients) await client.close();
});

test('a storm of uploads is refused beyond its places, and live streams beside it lose no word', async () => {
  const wav = await readFile(sampleWavPath);
  const live = await Promise.all(Array.from({ length: RATED }, () => TestClient.recording(running.ws)));
  const storm = Promise.all(
    Array.from({ length: 40 }, async () => {
      const answer = await fetch(`${running.http}/transcribe/file`, { method: 'POST', body: wav });
      const { code } = (await answer.json()) as { code?: string };
      return code ?? answer.status;
    }),
  );
  const texts = await Promise.all(live.map(transcript));
  assert.deepEqual(
    texts,
    live.map((_, stream) => words(stream).join(' ')),
  );
  const outcomes = await storm;
  assert.ok(outcomes.includes('TOO_MANY_UPLOADS'));
  assert.ok(
    outcomes.every((outcome) => outcome === 200 || outcome === 'TOO_MANY_UPLOADS'),
    String(outcomes),
  );
  assert.equal(running.server.context.recogniser?.uploads.counts().active, 0);
  for (const client of live) await client.close();
  assert.equal(running.engine.table.leased, 0);
});

test('clients that read nothing cost those beside them no word', async () => {
  const deaf = await Promise.all(Array.from({ length: RATED / 2 }, () => TestClient.recording(running.ws)));
  for (const client of deaf) client.socket.pause();
  const live = await Promise.all(Array.from({ length: RATED / 2 }, () => TestClient.recording(running.ws)));
  for (const [stream, client] of deaf.entries()) await client.audio(speech(stream));
  const texts = await Promise.all(live.map(transcript));
  assert.deepEqual(
    texts,
    live.map((_, stream) => words(stream).join(' ')),
  );
  for (const client of [...deaf, ...live]) client.socket.terminate();
  while (running.engine.table.leased > 0) await new Promise(setImmediate);
});
