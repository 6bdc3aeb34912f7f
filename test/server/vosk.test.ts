/** Vosk's dialect over real sockets: one answer a frame, in lock step. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { VoskClient } from '../helpers/vosk-client.js';
import { refusedUpgrade } from '../helpers/ws-client.js';

let server: ScriptedServer;
let at: string;
before(async () => {
  server = await startScriptedServer({ authToken: 'secret', silenceDuration: 0.2 }, { slots: 2 });
  at = `ws://127.0.0.1:${server.server.port}`;
});
after(() => server.stop());

for (const path of ['/', '/vosk', '']) {
  test(`a client of ${JSON.stringify(path)} sends and receives in lock step, and gets all of its words`, async () => {
    const client = await VoskClient.open(`${at}${path}?token=secret`);
    client.config({ sample_rate: 16_000 });
    const pause = bytesOf(marked(CHUNK * 4, []));
    const frames = [
      bytesOf(spoken(CHUNK, [[0, 'one']])),
      bytesOf(spoken(CHUNK, [[0, 'two']])),
      pause,
      pause,
      pause,
      bytesOf(spoken(CHUNK, [[0, 'three']])),
    ];
    const finals = await client.transcribe(frames);
    assert.equal(finals.join(' '), 'one two three');
    assert.equal(finals.at(-1), 'three');
    assert.equal(client.received.length, frames.length + 1, 'one answer a frame, and one to eof');
    assert.equal(await client.closed(), 1000);
  });
}

test('the subprotocol offered first is the one that is spoken', async () => {
  const client = await VoskClient.open(`${at}/?token=secret`, ['ws', 'other']);
  assert.equal(client.socket.protocol, 'ws');
  assert.deepEqual(await client.exchange('{"eof":1}'), { text: '' });
  assert.equal(await client.closed(), 1000);
});

test('a client without the token is refused at the upgrade', async () => {
  const refused = await refusedUpgrade(`${at}/vosk`);
  assert.deepEqual([refused.status, refused.body.code], [401, 'UNAUTHORIZED']);
});

test('eof alone is answered, and takes no slot', async () => {
  const client = await VoskClient.open(`${at}/vosk?token=secret`);
  assert.deepEqual(await client.exchange('{"eof":1}'), { text: '' });
  assert.equal(await client.closed(), 1000);
  assert.equal(server.engine.table.leased, 0);
});

test('one huge frame and eof, as a request for a whole file: everything comes in one message', async () => {
  const client = await VoskClient.open(`${at}/vosk?token=secret`);
  client.config({ sample_rate: '16000.0', words: 1 });
  const audio = spoken(CHUNK * 20, [[0, 'one'], [CHUNK * 10, 'two']]); // biome-ignore format: pairs
  assert.deepEqual(await client.exchange(bytesOf(audio)), { partial: '' });
  const last = await client.exchange('{"eof":1}');
  assert.equal(last.text, 'one two');
  assert.deepEqual(last.result?.map(({ word, start }) => [word, start]), [['one', 0], ['two', 1]]); // biome-ignore format: pairs
  assert.equal(await client.closed(), 1000);
});

test('compressed audio, and a server without a free slot, end the connection with a code', async () => {
  const flac = await VoskClient.open(`${at}/vosk?token=secret`);
  flac.config({ sample_rate: 16_000 });
  flac.socket.send(Buffer.from('fLaC\0\0\0\x22'));
  assert.equal(await flac.closed(), 1003);
  const clients = await Promise.all([0, 1, 2].map(() => VoskClient.open(`${at}/vosk?token=secret`)));
  for (const client of clients) client.config({ sample_rate: 16_000 });
  const frame = bytesOf(spoken(CHUNK));
  for (const client of clients.slice(0, 2)) await client.exchange(frame);
  const last = clients[2]!; // of three
  last.socket.send(frame);
  assert.equal(await last.closed(), 1013);
  for (const client of clients.slice(0, 2)) await client.transcribe([]);
});
