import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { mock, test } from 'node:test';
import { ServerError } from '../../src/errors.js';
import { LIMITS } from '../../src/limits.js';
import { startServer } from '../../src/server/server.js';
import { FakeEngine } from '../helpers/fake-engine.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { silentLog } from '../helpers/fake-session.js';
import { startScriptedServer, testConfig } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Host: x',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];

/** A raw upgrade request to any address, and all of its answer. */
async function upgrade(port: number, address: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${address} HTTP/1.1\r\n${UPGRADE.join('\r\n')}\r\n\r\n`);
  return text(socket);
}

test('speech goes in and words come out, over a real socket', async () => {
  const { ws, stop } = await startScriptedServer();
  const client = await TestClient.open(ws);
  client.socket.send('{"type":"start_recording"}');
  client.socket.send(bytesOf(spoken(CHUNK * 2, [[100, 'hello']])));
  client.socket.send('{"type":"stop_recording"}');
  assert.equal((await client.until('recording_stopped')).final_transcript, 'hello');
  client.socket.close();
  await stop();
});

test('the icon that browsers ask for by themselves is there', async () => {
  const { http, stop } = await startScriptedServer();
  const response = await fetch(`${http}/favicon.ico`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^image\/svg/);
  const { headers } = await fetch(`${http}/favicon.ico`, { redirect: 'manual' });
  assert.equal(headers.get('location'), 'static/icon.svg', 'below a sub-path it leads to the same');
  await stop();
});

test('a port in use is told before the model is loaded', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  let asked = false;
  const makeEngine = async () => {
    asked = true;
    return new FakeEngine();
  };
  await assert.rejects(startServer(testConfig({ port }), silentLog, makeEngine), { code: 'EADDRINUSE' });
  assert.equal(asked, false);
  other.close();
});

test('while the model loads the server is live, not ready, and asks clients to come back', async () => {
  let load: (engine: FakeEngine) => void = () => {};
  const loading = new Promise<FakeEngine>((resolve) => {
    load = resolve;
  });
  const server = await startServer(testConfig(), silentLog, () => loading);
  const at = `http://127.0.0.1:${server.port}`;
  assert.equal((await fetch(`${at}/health/live`)).status, 200);
  assert.equal((await fetch(`${at}/health/ready`)).status, 503);
  const refused = await upgrade(server.port, '/ws/transcribe');
  assert.match(refused, /^HTTP\/1\.1 503 NOT_READY\r\n/);
  assert.match(refused, /\r\nRetry-After: \d+\r\n/);
  assert.match(refused, /"code":"NOT_READY"/);
  load(new FakeEngine({ auto: true }));
  await server.ready;
  assert.equal((await fetch(`${at}/health/ready`)).status, 200);
  server.drain();
  assert.equal((await server.stopped).outcome, 'drained');
});

test('a model that cannot be loaded stops the server with its code', async () => {
  const broken = async () => Promise.reject(new ServerError('MODEL_CORRUPT', 'x.onnx'));
  const server = await startServer(testConfig(), silentLog, broken);
  await assert.rejects(server.ready, /x\.onnx/);
  assert.deepEqual(await server.stopped, { outcome: 'failed', code: 'MODEL_CORRUPT' });
});

test('a start that fails when the lanes are up stops the server and closes them', async () => {
  const engine = new FakeEngine({ auto: true });
  const close = mock.method(engine, 'close');
  // More codec slots than any container has memory for.
  Object.defineProperty(engine.table, 'slots', { value: { length: 2 ** 40 } });
  const server = await startServer(testConfig(), silentLog, async () => engine);
  await assert.rejects(server.ready, { code: 'INTERNAL', message: /array buffer/i });
  assert.equal(close.mock.callCount(), 1);
  assert.deepEqual(await server.stopped, { outcome: 'failed', code: 'INTERNAL' });
  await assert.rejects(fetch(`http://127.0.0.1:${server.port}/health/live`), 'nothing says that it is alive');
});

test('a start that fails when the lanes are up ends although they cannot be closed', async () => {
  const engine = new FakeEngine({ auto: true });
  engine.close = () => Promise.reject(new Error('a thread that will not end'));
  Object.defineProperty(engine.table, 'slots', { value: { length: 2 ** 40 } });
  const server = await startServer(testConfig(), silentLog, async () => engine);
  await assert.rejects(server.ready, { code: 'INTERNAL', message: /array buffer/i });
  assert.equal((await server.stopped).outcome, 'failed');
});

test('a server told to leave while its model loads closes the lanes that come up later', async () => {
  const engine = new FakeEngine({ auto: true });
  const close = mock.method(engine, 'close');
  let load: () => void = () => {};
  const loaded = new Promise<void>((resolve) => {
    load = resolve;
  });
  const server = await startServer(testConfig(), silentLog, () => loaded.then(() => engine));
  server.drain();
  assert.equal((await server.stopped).outcome, 'drained');
  load();
  await assert.rejects(server.ready, { code: 'DRAINING' });
  assert.equal(close.mock.callCount(), 1);
});

test('a server whose last lane is lost tells its streams and stops as failed', async () => {
  const { server, engine, ws } = await startScriptedServer({}, { auto: false });
  const client = await TestClient.open(ws);
  client.socket.send('{"type":"start_recording"}');
  await client.until('recording_started');
  const lane = engine.lanes[0]!;
  lane.onRecover = () => Promise.reject(new Error('gone'));
  client.socket.send(bytesOf(spoken(CHUNK)));
  client.socket.send('{"type":"ping"}');
  await client.until('pong');
  engine.pump();
  assert.ok(lane.fail());
  assert.equal((await client.until('error')).code, 'ENGINE_FAILED');
  assert.deepEqual(await server.stopped, { outcome: 'failed', code: 'ENGINE_FAILED' });
});

test('a request that trickles in is bounded in time: it may hold a place of the uploads', async () => {
  const { server, stop } = await startScriptedServer();
  assert.equal(server.app.server.requestTimeout, LIMITS.requestTimeoutMs);
  await stop();
});

test('an address that cannot be read is refused with 400', async () => {
  const { server, stop } = await startScriptedServer();
  assert.match(await upgrade(server.port, 'http://['), /^HTTP\/1\.1 400 BAD_REQUEST/);
  assert.match(await upgrade(server.port, '/nowhere'), /^HTTP\/1\.1 404 NOT_FOUND/);
  await stop();
});

/** A text frame as a client sends it, under a mask of zeros. */
const maskedText = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

/** A frame that no client may send: reserved bits set, without a mask. */
const BROKEN_FRAME = Buffer.from([0xff, 0x7f, 0xff]);

test('a client that was refused for its client_id and then breaks the protocol hurts nobody', async () => {
  const { server, ws, stop } = await startScriptedServer();
  const first = await TestClient.open(`${ws}?client_id=one`);
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`GET /ws/transcribe?client_id=one HTTP/1.1\r\n${UPGRADE.join('\r\n')}\r\n\r\n`);
  await once(socket, 'data');
  socket.write(BROKEN_FRAME);
  await once(socket, 'close');
  first.socket.send('{"type":"ping"}');
  assert.equal((await first.until('pong')).type, 'pong');
  first.socket.close();
  await stop();
});

test('a client that breaks the protocol in the middle of its recording hurts nobody', async () => {
  const { server, engine, stop } = await startScriptedServer();
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`GET /ws/transcribe HTTP/1.1\r\n${UPGRADE.join('\r\n')}\r\n\r\n`);
  await once(socket, 'data');
  socket.write(maskedText('{"type":"start_recording"}'));
  // The greeting may come in a packet of its own.
  for (let heard = ''; !heard.includes('recording_started'); )
    heard += String((await once(socket, 'data'))[0]);
  assert.equal(engine.table.leased, 1);
  socket.write(BROKEN_FRAME);
  await once(socket, 'close');
  await stop();
  assert.equal(engine.table.leased, 0);
});
