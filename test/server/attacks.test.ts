/** Requests that nobody sends by mistake, and what the server keeps to itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { startServer } from '../../src/server/server.js';
import { FakeEngine } from '../helpers/fake-engine.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { type ScriptedServer, startScriptedServer, testConfig } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer({ authToken: 'secret' });
});
after(() => running.stop());

/** Byte for byte, as no client library would send it. */
async function raw(request: string): Promise<string> {
  const socket = connect(running.server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(request);
  return text(socket);
}

const UPWARDS = ['..', '%2e%2e', '..%2f..', '%2e%2e%2f%2e%2e', '..%5c..', '....//..', '%252e%252e'];
for (const prefix of ['/static', '/examples', '/vendor/uplot']) {
  test(`no way up out of ${prefix}`, async () => {
    for (const up of UPWARDS) {
      for (const target of ['package.json', 'src/config.ts', '../../../../etc/passwd']) {
        const answer = await raw(
          `GET ${prefix}/${up}/${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        );
        assert.match(answer, /^HTTP\/1\.1 (400|403|404) /, `${up}/${target}`);
      }
    }
  });
}

test('what a client says cannot become a header of its answer', async () => {
  const evil = 'x%0d%0aX-Evil:%20yes%0d%0a%0d%0abody';
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  for (const path of ['/ws/transcribe', '/v1/listen', '/vosk', '/none']) {
    for (const query of [
      `encoding=${evil}`,
      `token=secret&encoding=${evil}`,
      `token=secret&client_id=${evil.repeat(9)}`,
    ]) {
      const answer = await raw(`GET ${path}?${query} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 \d{3} /);
      assert.doesNotMatch(answer, /^x-evil/im, `${path} ${query}`);
    }
  }
});

test('a page of another origin cannot open the socket of somebody who is logged in', async () => {
  const guarded = await startScriptedServer({ allowedOrigins: ['https://app.example'] });
  const socket = connect(guarded.server.port, '127.0.0.1');
  socket.write(
    'GET /ws/transcribe HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  assert.match(await text(socket), /^HTTP\/1\.1 401 UNAUTHORIZED/);
  await guarded.stop();
});

test('neither the log nor the figures hold a word that was said, or a key', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) });
  const config = testConfig({
    authToken: 'the-key',
    adminToken: 'the-admin',
    tokenSecret: 'the-secret-of-the-fleet-of-32-chars',
  });
  const server = await startServer(config, log, async () => new FakeEngine({ auto: true, slots: 2 }));
  await server.ready;
  const base = `127.0.0.1:${server.port}`;
  const client = await TestClient.recording(`ws://${base}/ws/transcribe?token=the-key`);
  await client.audio(bytesOf(spoken(CHUNK * 2, [[0, 'one']])));
  client.say({ type: 'stop_recording' });
  assert.equal((await client.until('recording_stopped')).final_transcript, 'one');
  client.say({ type: 'nonsense', token: 'the-key' });
  await client.until('warning');
  await client.close();
  const answers = await Promise.all([
    fetch(`http://${base}/health/extended?token=the-admin`),
    fetch(`http://${base}/metrics?token=the-admin`),
    fetch(`http://${base}/ws/status`),
    fetch(`http://${base}/nothing?token=the-key`),
    fetch(`http://${base}/transcribe/file?token=wrong-key`, { method: 'POST', body: 'x' }),
  ]);
  const told = (await Promise.all(answers.map((answer) => answer.text()))).slice(0, 3);
  server.drain();
  await server.stopped;
  assert.ok(lines.length >= 4);
  for (const word of ['"one"', 'the-key', 'the-admin', 'the-secret']) {
    for (const where of [lines.join(''), told.join('')]) assert.ok(!where.includes(word), word);
  }
});
