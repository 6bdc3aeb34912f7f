/** OpenAI's Realtime interface over WebSockets, with a scripted model. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bytesOf, spoken } from '../helpers/fake-model.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { refusedUpgrade, TestClient } from '../helpers/ws-client.js';

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer({ authToken: 'secret' }, { slots: 1 });
});
after(() => running.stop());

const at = (query = '?intent=transcription&token=secret') =>
  `${running.ws.replace('/ws/transcribe', '/v1/realtime')}${query}`;
const COMPLETED = 'conversation.item.input_audio_transcription.completed';

async function open(input: object = {}): Promise<TestClient> {
  const client = new TestClient(at());
  await client.until('session.created');
  const session = { type: 'transcription', audio: { input } };
  client.say({ type: 'session.update', session });
  await client.until('session.updated');
  return client;
}

function append(client: TestClient, pcm: Int16Array): void {
  client.say({ type: 'input_audio_buffer.append', audio: Buffer.from(bytesOf(pcm)).toString('base64') });
}

const WIDE = { format: { type: 'audio/pcm', rate: 16_000 } };
const speech = (...words: string[]) =>
  spoken(
    16_000,
    words.map((word, i) => [2_000 + 3_000 * i, word] as const),
  );

test('two turns are two items, in the order of their commits', async () => {
  const client = await open(WIDE);
  for (const word of ['hello', 'one']) {
    append(client, speech(word));
    append(client, new Int16Array(32_000));
  }
  const first = await client.until(COMPLETED);
  const second = await client.until(COMPLETED);
  assert.deepEqual([first.transcript, second.transcript], ['hello', 'one']);
  const commits = client.all('input_audio_buffer.committed');
  assert.deepEqual(
    commits.map(({ item_id, previous_item_id }) => [item_id, previous_item_id]),
    [
      [first.item_id, null],
      [second.item_id, first.item_id],
    ],
  );
  const starts = client.all('input_audio_buffer.speech_started').map(({ audio_start_ms }) => audio_start_ms);
  assert.deepEqual(starts, [0, 3_000]);
  assert.equal(client.all('error').length, 0);
  await client.close();
});

test('another format in the middle of a session begins a recording of its own', async () => {
  const client = await open({ ...WIDE, turn_detection: null });
  append(client, speech('hello'));
  const input = { format: { type: 'audio/pcm', rate: 8_000 } };
  client.say({ type: 'session.update', session: { type: 'transcription', audio: { input } } });
  await client.until('session.updated');
  append(client, new Int16Array(8_000));
  client.say({ type: 'input_audio_buffer.commit' });
  assert.equal((await client.until(COMPLETED)).transcript, 'hello');
  assert.equal(client.all('error').length, 0);
  await client.close();
});

test('audio may come in megabytes at once, faster than it is recognised', async () => {
  const client = await open({ turn_detection: null });
  const seconds = 28;
  for (let i = 0; i < 4; i++) append(client, new Int16Array(24_000 * seconds));
  client.say({ type: 'input_audio_buffer.commit' });
  const { usage } = await client.until(COMPLETED);
  assert.equal(Math.round(usage.seconds), 4 * seconds);
  assert.equal(client.all('error').length, 0);
  await client.close();
});

test('many small appends are no flood', async () => {
  const client = await open({ ...WIDE, turn_detection: null });
  for (let i = 0; i < 2_000; i++) append(client, new Int16Array(160));
  client.say({ type: 'input_audio_buffer.commit' });
  assert.equal(Math.round((await client.until(COMPLETED)).usage.seconds), 20);
  await client.close();
});

test('what cannot be read is told, and the session goes on', async () => {
  const client = await open(WIDE);
  client.say('no JSON');
  assert.equal((await client.until('error')).error.code, 'invalid_json');
  client.say({ type: 'input_audio_buffer.append', audio: 7 });
  assert.equal((await client.until('error')).error.code, 'invalid_message');
  client.say({ type: 'input_audio_buffer.clear' });
  await client.until('input_audio_buffer.cleared');
  await client.close();
});

test('where there is no place left, the session is told and closed', async () => {
  const first = await open(WIDE);
  const second = await open(WIDE);
  append(first, speech('one'));
  await first.until('input_audio_buffer.speech_started');
  append(second, speech('two'));
  assert.equal((await second.until('error')).error.code, 'at_capacity');
  assert.equal(await second.closed(), 1013);
  await first.close();
});

test('who may not connect is told in the form that these clients read', async () => {
  const refused = await refusedUpgrade(at('?intent=transcription&token=wrong'));
  assert.deepEqual([refused.status, refused.body.error.code], [401, 'invalid_api_key']);
  const plain = await fetch(at().replace('ws:', 'http:'));
  assert.equal(plain.status, 426);
  assert.equal(((await plain.json()) as { error: { code: string } }).error.code, 'upgrade_required');
});
