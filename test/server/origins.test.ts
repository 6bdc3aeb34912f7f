/** Origins: who may connect and upload, who may read the answers, and the reasons that a plain GET tells. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { get, type IncomingHttpHeaders } from 'node:http';
import { after, before, test } from 'node:test';
import { originAllowed } from '../../src/server/origins.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

const LISTED = 'https://app.example';
const STRANGER = 'https://elsewhere.example';

let open: ScriptedServer;
let closed: ScriptedServer;
let wav: Buffer;
before(async () => {
  open = await startScriptedServer();
  closed = await startScriptedServer({ allowedOrigins: [LISTED], authToken: 'secret' });
  wav = await readFile(sampleWavPath);
});
after(() => Promise.all([open.stop(), closed.stop()]));

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

/** `fetch` may not set Origin or Host. */
const ask = (url: string, headers: Record<string, string> = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) }),
      );
    }).on('error', reject);
  });

test('the server’s own page is never locked out, whatever port its scheme implies', () => {
  const own = (origin: string, host: string) => originAllowed([LISTED], { origin, host });
  assert.equal(own('http://localhost:8000', 'localhost:8000'), true);
  assert.equal(own('https://asr.example', 'asr.example:443'), true);
  assert.equal(own('http://asr.example:80', 'asr.example'), true);
  assert.equal(own('https://asr.example', 'asr.example:8000'), false);
  assert.equal(own('null', 'localhost:8000'), false);
  assert.equal(own('https://asr.example.evil.example', 'asr.example'), false);
  assert.equal(originAllowed([LISTED], { origin: 'http://x' }), false);
  assert.equal(originAllowed([LISTED], {}), true);
});

test('a plain GET of the socket’s address tells that it would be let in', async () => {
  const { status, headers, body } = await ask(`${open.http}/ws/transcribe`);
  assert.deepEqual([status, body.code, headers.upgrade], [426, 'UPGRADE_REQUIRED', 'websocket']);
});

test('a plain GET tells a missing and a wrong token', async () => {
  for (const query of ['', '?token=wrong']) {
    const { status, body } = await ask(`${closed.http}/ws/transcribe${query}`);
    assert.deepEqual([status, body.code, body.retryable], [401, 'UNAUTHORIZED', false]);
  }
  assert.equal((await ask(`${closed.http}/ws/transcribe?token=secret`)).status, 426);
});

test('a plain GET tells that the name is taken', async () => {
  const holder = new TestClient(`${open.ws}?client_id=anna`);
  await holder.until('connection');
  const { status, body } = await ask(`${open.http}/ws/transcribe?client_id=anna`);
  assert.deepEqual([status, body.code, body.retryable], [409, 'CLIENT_ID_IN_USE', true]);
  assert.equal((await ask(`${open.http}/ws/transcribe?client_id=anna&resume=token`)).status, 426);
  holder.socket.close();
});

test('a plain GET tells that the server leaves, and when to come back', async () => {
  const leaving = await startScriptedServer();
  const staying = new TestClient(leaving.ws);
  await staying.until('connection');
  staying.say({ type: 'start_recording' });
  await staying.until('recording_started');
  const { app, context } = leaving.server;
  context.lifecycle.send({ type: 'DRAIN' });
  const { statusCode, headers, body } = await app.inject('/ws/transcribe');
  assert.deepEqual([statusCode, JSON.parse(body).code], [503, 'DRAINING']);
  assert.equal(headers['retry-after'], '5');
  await leaving.server.stopped;
});

test('the reason of a refusal can be read by the page that was refused', async () => {
  const refused = await ask(`${closed.http}/ws/transcribe?token=secret`, { origin: STRANGER });
  assert.equal(refused.status, 401);
  assert.match(String(refused.body.detail), /origin https:\/\/elsewhere\.example is not allowed/);
  assert.equal(refused.headers['access-control-allow-origin'], '*');
  assert.match(String(refused.headers['access-control-expose-headers']), /retry-after/i);
});

test('what is more than a reason is shared with allowed origins only', async () => {
  const readable = async (origin: string, path = '/ws/status') =>
    (await ask(`${closed.http}${path}`, { origin })).headers['access-control-allow-origin'];
  assert.equal(await readable(LISTED), LISTED);
  assert.equal(await readable(STRANGER), undefined);
  assert.equal(await readable(LISTED, '/docs/openapi.json'), undefined);
  const anybody = await ask(`${open.http}/ws/status`, { origin: STRANGER });
  assert.equal(anybody.headers['access-control-allow-origin'], '*');
});

test('an upload of another origin is refused before its body is read; the own page’s and the listed are not', async () => {
  const upload = (headers: Record<string, string>) =>
    closed.server.app.inject({
      method: 'POST',
      url: '/transcribe/file?token=secret',
      headers: { 'content-type': 'audio/wav', host: 'asr.example', ...headers },
      payload: wav,
    });
  const refused = await upload({ origin: STRANGER });
  assert.deepEqual([refused.statusCode, refused.json().code], [401, 'UNAUTHORIZED']);
  assert.equal((await upload({ origin: 'http://asr.example' })).statusCode, 200);
  assert.equal((await upload({})).statusCode, 200);
  for (const accept of ['application/json', 'text/event-stream']) {
    const listed = await upload({ origin: LISTED, accept });
    assert.equal(listed.statusCode, 200);
    assert.equal(listed.headers['access-control-allow-origin'], LISTED, accept);
  }
});

test('a browser that asks first whether it may upload gets its answer', async () => {
  const preflight = (origin: string) =>
    closed.server.app.inject({
      method: 'OPTIONS',
      url: '/transcribe/file',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
  const { statusCode, headers } = await preflight(LISTED);
  assert.equal(statusCode, 204);
  assert.equal(headers['access-control-allow-origin'], LISTED);
  assert.match(String(headers['access-control-allow-headers']), /authorization/);
  assert.equal((await preflight(STRANGER)).headers['access-control-allow-origin'], undefined);
});

test('a socket of the own page is let in beside a list of others', async () => {
  const own = new TestClient(`${closed.ws}?token=secret`, { origin: closed.http });
  assert.equal((await own.until('connection')).status, 'connected');
  own.socket.close();
});
