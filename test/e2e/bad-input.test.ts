/** What is wrong is told with a stable code; the connection, the other streams and the process survive it. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { bytesOf, cut, refusedUpgrade, TestClient } from '../helpers/ws-client.js';

let live: LiveServer;
let speech: Int16Array;
before(async () => {
  live = await startLiveServer({ maxStreams: 4, maxUploadMb: 1, maxUploadSeconds: 20 });
  speech = await loadClip(clips[1]!.file);
});
after(() => live.stop());

const WRONG: [name: string, message: string, code: string][] = [
  ['invalid JSON', '{"type":', 'INVALID_JSON'],
  ['text that is no object', '[1,2]', 'INVALID_JSON'],
  ['text where audio belongs', 'UklGRiQAAABXQVZF', 'INVALID_JSON'],
  ['a message without a type', '{}', 'INVALID_MESSAGE'],
  ['a field of the wrong type', '{"type":"configure","silence_duration":"long"}', 'INVALID_MESSAGE'],
  ['a value out of bounds', '{"type":"configure","silence_duration":-1}', 'INVALID_MESSAGE'],
  [
    'an unsupported rate',
    '{"type":"start_recording","config":{"sample_rate":4000}}',
    'UNSUPPORTED_SAMPLE_RATE',
  ],
  [
    'an unsupported encoding',
    '{"type":"start_recording","config":{"encoding":"mp3"}}',
    'UNSUPPORTED_ENCODING',
  ],
  ['too many channels', '{"type":"start_recording","config":{"channels":6}}', 'UNSUPPORTED_CHANNELS'],
  ['stop while idle', '{"type":"stop_recording"}', 'NOT_RECORDING'],
  ['finalize while idle', '{"type":"finalize"}', 'NOT_RECORDING'],
];

for (const [name, message, code] of WRONG) {
  test(`${name} is answered with ${code}, and the connection still transcribes`, async () => {
    const client = await TestClient.open(live.ws);
    client.say(message);
    const error = await client.until('error');
    assert.equal(error.code, code);
    assert.equal(typeof error.error, 'string');
    assert.equal(error.retryable, false);
    const stopped = await client.transcribe(cut(bytesOf(speech), 3_200));
    assert.ok(stopped.total_duration > 1);
    await client.close();
  });
}

test('an unknown message and an unknown setting are warned of by name, not refused', async () => {
  const client = await TestClient.open(live.ws);
  client.say('{"type":"dance"}');
  const message = await client.until('warning');
  assert.deepEqual([message.code, message.detail], ['UNKNOWN_MESSAGE', 'type: "dance"']);
  client.say('{"type":"start_recording","smooth":true,"language":"EN"}');
  const setting = await client.until('warning');
  assert.deepEqual([setting.code, setting.detail], ['UNKNOWN_SETTING', '"smooth"']);
  assert.equal(client.all('error').length, 0);
  await client.close();
});

test('an open connection that finds no slot at its start is told so, and may try again', async () => {
  const waiting = await TestClient.open(live.ws);
  const clients = await Promise.all(Array.from({ length: 4 }, () => TestClient.recording(live.ws)));
  waiting.say({ type: 'start_recording' });
  const error = await waiting.until('error');
  assert.deepEqual([error.code, error.retryable], ['AT_CAPACITY', true]);
  clients[0]!.say({ type: 'stop_recording' });
  await clients[0]!.until('recording_stopped');
  const stopped = await waiting.transcribe(cut(bytesOf(speech), 3_200));
  assert.ok(stopped.total_duration > 1);
  await Promise.all([waiting, ...clients].map((client) => client.close()));
});

test('start while recording is refused, and the recording goes on', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  client.say({ type: 'start_recording' });
  assert.equal((await client.until('error')).code, 'ALREADY_RECORDING');
  await client.audio(bytesOf(speech));
  client.say({ type: 'stop_recording' });
  assert.ok((await client.until('recording_stopped')).total_duration > 1);
  await client.close();
});

test('audio before start is ignored with one warning', async () => {
  const client = await TestClient.open(live.ws);
  for (let i = 0; i < 5; i++) await client.audio(new Uint8Array(3_200));
  client.say({ type: 'ping' });
  await client.until('pong');
  const warnings = client.all('warning');
  assert.equal(warnings.length, 1);
  assert.equal(warnings[0]!.code, 'AUDIO_IGNORED');
  await client.close();
});

test('what the model cannot do is a warning, not silence and not an end', async () => {
  const client = await TestClient.open(live.ws);
  client.say({
    type: 'start_recording',
    config: { language: 'fi', hotwords: [{ phrase: 'mämmi', boost: 3 }] },
  });
  const first = await client.until('warning');
  const second = await client.until('warning');
  assert.deepEqual([first.code, second.code], ['NOT_SUPPORTED', 'NOT_SUPPORTED']);
  assert.match(first.detail, /^language/);
  assert.match(second.detail, /^hotwords/);
  client.say({ type: 'stop_recording' });
  await client.until('recording_stopped');
  await client.close();
});

test('an oversized frame is answered, closes its connection with 1009 and hurts nobody else', async () => {
  const [victim, other] = [await TestClient.open(live.ws), await TestClient.open(live.ws)];
  victim.socket.send(new Uint8Array(2 << 20));
  assert.equal((await victim.until('error')).code, 'MESSAGE_TOO_LARGE');
  assert.equal(await victim.closed(), 1009);
  const stopped = await other.transcribe(cut(bytesOf(speech), 3_200));
  assert.ok(stopped.total_duration > 1);
  await other.close();
});

test('a client that vanishes in mid-word frees its slot', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  await client.audio(bytesOf(speech));
  const gone = new Promise<void>((resolve) => {
    const off = live.server.context.registry.onClosed(() => {
      off();
      resolve();
    });
  });
  client.socket.terminate();
  await gone;
  assert.equal(live.server.context.registry.size, 0);
});

test('the stream past the last slot is refused with 503, Retry-After and a reason', async () => {
  const clients = await Promise.all(Array.from({ length: 4 }, () => TestClient.recording(live.ws)));
  const refused = await refusedUpgrade(live.ws);
  assert.equal(refused.status, 503);
  assert.equal(refused.body.code, 'AT_CAPACITY');
  assert.equal(refused.body.retryable, true);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  const asked = await fetch(live.ws.replace('ws:', 'http:'));
  assert.equal(asked.status, 503, 'a browser can ask why by plain HTTP');
  assert.ok(Number(asked.headers.get('retry-after')) > 0);
  await asked.arrayBuffer();
  await Promise.all(clients.map((client) => client.close()));
});

test('a second connection with the same client_id is closed with 4409', async () => {
  const first = await TestClient.open(`${live.ws}?client_id=twin`);
  const second = new TestClient(`${live.ws}?client_id=twin`);
  assert.equal(await second.closed(), 4409);
  assert.equal(second.received[0]!.code, 'CLIENT_ID_IN_USE');
  await first.close();
});

test('a client_id is free again soon after its client went silent', async () => {
  const silent = await TestClient.open(`${live.ws}?client_id=phone`, { autoPong: false });
  const early = new TestClient(`${live.ws}?client_id=phone`);
  assert.equal(await early.closed(), 4409);
  await silent.closed();
  const back = await TestClient.open(`${live.ws}?client_id=phone`);
  await back.close();
});

test('plain HTTP on the WebSocket address is told to upgrade', async () => {
  const response = await fetch(live.ws.replace('ws:', 'http:'));
  assert.equal(response.status, 426);
  assert.equal(((await response.json()) as { code: string }).code, 'UPGRADE_REQUIRED');
});

test('an unknown WebSocket path is refused with 404', async () => {
  const refused = await refusedUpgrade(live.ws.replace('transcribe', 'nothing'));
  assert.equal(refused.status, 404);
  assert.equal(refused.body.code, 'NOT_FOUND');
});

test('a flood of control messages is answered with RATE_LIMITED and ends with 4429', async () => {
  const client = await TestClient.open(live.ws);
  for (let i = 0; i < 200; i++) client.say({ type: 'ping' });
  assert.equal(await client.closed(), 4429);
  assert.ok(client.all('error').some((error) => error.code === 'RATE_LIMITED'));
});

test('garbage instead of an HTTP request does not end the server', async () => {
  const { port } = live.server;
  const socket = connect(port, '127.0.0.1');
  socket.end('\u0000\u0001\u0002 nonsense\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve).resume());
  assert.equal((await fetch(`${live.http}/health`)).status, 200);
});

const post = async (body: Uint8Array | string, type = 'audio/wav') => {
  const response = await fetch(`${live.http}/transcribe/file`, {
    method: 'POST',
    body,
    headers: { 'content-type': type },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

test('uploads that are empty, too large or no audio get clear errors', async () => {
  assert.deepEqual(pick(await post('')), { status: 400, code: 'UPLOAD_MISSING' });
  assert.deepEqual(pick(await post(new Uint8Array(2 << 20))), { status: 413, code: 'UPLOAD_TOO_LARGE' });
  assert.deepEqual(pick(await post('this is not audio at all')), { status: 415, code: 'UNSUPPORTED_MEDIA' });
});

const pick = (answer: { status: number; body: Record<string, unknown> }) => ({
  status: answer.status,
  code: answer.body.code,
});
