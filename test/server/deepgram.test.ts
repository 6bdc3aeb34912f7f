/** Deepgram's path over real sockets and HTTP: refusals, subprotocols, files. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { type Message, refusedUpgrade } from '../helpers/ws-client.js';

let server: ScriptedServer;
let at: string;
before(async () => {
  server = await startScriptedServer({ authToken: 'secret' }, { slots: 2 });
  at = server.ws.replace('/ws/transcribe', '/v1/listen');
});
after(() => server.stop());

test('a wrong key is refused at the upgrade with the error that SDKs look for', async () => {
  const { status, headers, body } = await refusedUpgrade(`${at}?token=wrong`);
  assert.equal(status, 401);
  assert.equal(body.err_code, 'INVALID_AUTH');
  assert.equal(headers['dg-error'], body.err_msg);
  assert.equal(headers['dg-request-id'], body.request_id);
});

test('settings that cannot be served are refused at the upgrade, by name', async () => {
  const { status, headers } = await refusedUpgrade(`${at}?token=secret&encoding=speex`);
  assert.equal(status, 415);
  assert.match(String(headers['dg-error']), /speex/);
});

test('an accepted upgrade names its request and the subprotocol that was offered first', async () => {
  const socket = new WebSocket(at, ['token', 'secret']);
  const [[response]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  assert.match(String(response.headers['dg-request-id']), /^[0-9a-f-]{36}$/);
  assert.equal(socket.protocol, 'token');
  socket.send(JSON.stringify({ type: 'CloseStream' }));
  const [code] = await once(socket, 'close');
  assert.equal(code, 1000);
});

async function post(
  body: Buffer | Uint8Array<ArrayBuffer> | string,
  query = '',
  headers: Record<string, string> = {},
) {
  const answer = await fetch(`${server.http}/v1/listen${query}`, {
    method: 'POST',
    headers: { authorization: 'Token secret', 'content-type': 'audio/wav', ...headers },
    body,
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Message };
}

const RAW = '?encoding=linear16&sample_rate=16000';
const speech = () => bytesOf(spoken(CHUNK * 3, [[0, 'hello'], [CHUNK, 'world']])).slice(); // biome-ignore format: pairs

test('a file is answered with its metadata and one alternative per channel', async () => {
  const { status, body } = await post(speech(), RAW);
  assert.equal(status, 200);
  const { metadata, results } = body;
  const [model] = metadata.models;
  assert.deepEqual([metadata.duration, metadata.channels, metadata.transaction_key], [0.3, 1, 'deprecated']);
  assert.match(metadata.sha256, /^[0-9a-f]{64}$/);
  assert.equal(metadata.model_info[model].name, 'fake');
  const [{ transcript, confidence, words }] = results.channels[0].alternatives;
  assert.equal(transcript, 'hello world');
  assert.ok(confidence > 0 && confidence <= 1);
  assert.deepEqual(words[1], {
    word: 'world',
    start: 0.1,
    end: 0.15,
    confidence: words[1].confidence,
    punctuated_word: 'world',
  });
});

test('channels that are kept apart are told apart', async () => {
  const [left, right] = [spoken(CHUNK, [[0, 'one']]), spoken(CHUNK, [[0, 'two']])];
  const both = Int16Array.from({ length: 2 * CHUNK }, (_, i) => (i % 2 === 0 ? left : right)[i >> 1]!);
  const { body } = await post(bytesOf(both).slice(), `${RAW}&channels=2&multichannel=true`);
  assert.equal(body.metadata.channels, 2);
  assert.deepEqual(body.results.channels.map((it: Message) => it.alternatives[0].transcript), ['one', 'two']); // biome-ignore format: short
});

test('a real file is read whatever its content type says, with parameters that mean nothing here', async () => {
  const wav = await readFile(sampleWavPath);
  const query = '?model=nova-3&smart_format=true&punctuate=true&keyterm=etcd&keywords=x:2';
  const { status, body } = await post(wav, query, { 'content-type': 'application/json' });
  assert.equal(status, 200);
  assert.ok(body.metadata.duration > 1);
});

test('an address is not fetched: 400', async () => {
  const { status, body } = await post(JSON.stringify({ url: 'https://example.com/a.wav' }), '', {
    'content-type': 'application/json',
  });
  assert.equal(status, 400);
  assert.equal(body.err_code, 'Bad Request');
  assert.match(body.err_msg, /does not fetch/);
});

test('failures over HTTP are told in the same form', async () => {
  const unauthorised = await post(speech(), RAW, { authorization: 'Token wrong' });
  assert.deepEqual([unauthorised.status, unauthorised.body.err_code], [401, 'INVALID_AUTH']);
  const unreadable = await post('no audio at all, only text of some length, again and again and again');
  assert.equal(unreadable.status, 415);
  assert.match(unreadable.body.err_msg, /not recognised/);
  assert.equal(unreadable.headers.get('dg-error') !== null, true);
  const asked = await fetch(`${server.http}/v1/listen`, { headers: { authorization: 'Token secret' } });
  assert.equal(asked.status, 426);
});
