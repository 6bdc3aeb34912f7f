/** Wyoming over TCP on a server with a scripted model. */
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { bytesOf, spoken } from '../helpers/fake-model.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { framed, WyomingClient } from '../helpers/wyoming-client.js';

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer({ wyomingPort: 0, authToken: 'secret' }, { slots: 1 });
});
after(() => running.stop());

const open = () => new WyomingClient(running.server.wyomingPort ?? assert.fail('Wyoming is on'));
const speech = (...words: string[]) =>
  bytesOf(
    spoken(
      16_000,
      words.map((word, i) => [2_000 + 3_000 * i, word] as const),
    ),
  );

test('it is off unless a port is given', async () => {
  const other = await startScriptedServer();
  assert.equal(other.server.wyomingPort, null);
  await other.stop();
});

test('a port that is taken ends the start, and nothing is left behind', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => holder.once('listening', resolve));
  const { port } = holder.address() as AddressInfo;
  await assert.rejects(startScriptedServer({ wyomingPort: port }), { code: 'EADDRINUSE' });
  holder.close();
});

test('several utterances of a connection have one transcript each', async () => {
  const client = open();
  client.send('describe');
  assert.equal((await client.until('info')).data.asr[0].models[0].name, 'fake');
  client.send('transcribe', { language: 'en' });
  assert.equal(await client.transcribe(speech('hello', 'world')), 'hello world');
  assert.equal(await client.transcribe(speech('one')), 'one');
  assert.equal(await client.transcribe(new Uint8Array(3_200)), '');
  const types = client.received.map(({ type }) => type).filter((type) => type !== 'transcript-chunk');
  const each = ['transcript-start', 'transcript', 'transcript-stop'];
  assert.deepEqual(types, ['info', ...each, ...each, ...each]);
  const chunks = client.received
    .filter(({ type }) => type === 'transcript-chunk')
    .map(({ data }) => data.text);
  assert.equal(chunks.join(''), 'hello worldone');
  await client.close();
});

test('a client that closes its side reads its transcript, and then the server closes', async () => {
  const client = open();
  client.send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  client.send('audio-chunk', { rate: 16_000, width: 2, channels: 1 }, speech('hello'));
  client.socket.end();
  assert.equal((await client.until('transcript')).data.text, 'hello');
  await client.closed();
});

test('where there is no place left, the utterance is refused and the connection closed', async () => {
  const first = open();
  first.send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  await first.until('transcript-start');
  const second = open();
  second.send('describe');
  await second.until('info');
  second.send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  assert.equal((await second.until('error')).data.code, 'AT_CAPACITY');
  await second.closed();
  first.send('audio-stop');
  await first.until('transcript');
  await first.close();
});

test('a client that speaks something else is told, and costs nobody else anything', async () => {
  const other = open();
  const client = open();
  client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal((await client.until('error')).data.code, 'INVALID_JSON');
  await client.closed();
  other.socket.write(framed('ping', { text: 'x' }));
  assert.equal((await other.until('pong')).data.text, 'x');
  await other.close();
});

test('a connection that is cut leaves its place free', async () => {
  const client = open();
  client.send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  await client.until('transcript-start');
  client.socket.resetAndDestroy();
  while (running.engine.table.leased > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await open().transcribe(speech('one')), 'one');
});

test('a server that drains lets an utterance end', async () => {
  const server = await startScriptedServer({ wyomingPort: 0 });
  const client = new WyomingClient(server.server.wyomingPort ?? 0);
  client.send('audio-start', { rate: 16_000, width: 2, channels: 1 });
  client.send('audio-chunk', { rate: 16_000, width: 2, channels: 1 }, speech('hello'));
  await client.until('transcript-start');
  const stopped = server.stop();
  assert.equal((await client.until('transcript')).data.text, 'hello');
  await client.closed();
  await stopped;
});
