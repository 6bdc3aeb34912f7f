/** Keys of a file and client tokens at a running server: what they open, what they are refused, and what a reload does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { type KeyEntry, lineOf, NO_LIMITS, sha256 } from '../../src/auth/key-file.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { refusedUpgrade, TestClient } from '../helpers/ws-client.js';

const folder = mkdtempSync(join(tmpdir(), 'keys-'));
const keysFile = join(folder, 'keys');
after(() => rmSync(folder, { recursive: true }));

const line = (name: string, key: string, limits: Partial<KeyEntry> = {}) =>
  lineOf({ ...NO_LIMITS, name, hash: sha256(key), ...limits });
const KEYS = [
  line('anna', 'A', { streams: 1, uploads: 1 }),
  line('bert', 'B'),
  line('slow', 'S', { perMinute: 2 }),
];
const write = (lines: readonly string[] = KEYS) => writeFileSync(keysFile, lines.join('\n'));

let running: ScriptedServer;
before(async () => {
  write();
  running = await startScriptedServer({ keysFile }, { slots: 8 });
});
after(() => running.stop());
afterEach(async () => {
  write();
  await running.server.reload();
});

const at = (token: string, more = '') => `${running.ws}?token=${token}${more}`;
const ask = (path: string, key: string, init: RequestInit = {}) =>
  fetch(`${running.http}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
const json = async (answer: Response) => (await answer.json()) as Record<string, string>;
const tokenFor = async (key: string, wanted?: object) => {
  const body = wanted && JSON.stringify(wanted);
  const headers = { 'content-type': 'application/json' };
  return ask('/auth/token', key, { method: 'POST', ...(body ? { body, headers } : {}) });
};

test('each key opens the server, and none is told apart from a wrong one by more than UNAUTHORIZED', async () => {
  for (const key of ['A', 'B']) await (await TestClient.open(at(key))).close();
  for (const key of ['wrong', '', 'anna']) {
    const { status, body } = await refusedUpgrade(at(key));
    assert.deepEqual([status, body.code, body.detail], [401, 'UNAUTHORIZED', undefined]);
  }
});

test('the stream past the limit of a key is refused at its start, and the connection goes on', async () => {
  const first = await TestClient.recording(at('A'));
  const second = await TestClient.open(at('A'));
  second.say({ type: 'start_recording' });
  const error = await second.until('error');
  assert.deepEqual(
    [error.code, error.retryable, error.detail],
    ['KEY_LIMIT', true, 'streams at once for anna: at most 1'],
  );
  await (await TestClient.recording(at('B'))).close();
  first.say({ type: 'stop_recording' });
  await first.until('recording_stopped');
  second.say({ type: 'start_recording' });
  await second.until('recording_started');
  for (const client of [first, second]) await client.close();
});

test('a client that vanishes in its recording gives its place back', async () => {
  for (let i = 0; i < 3; i++) {
    const client = await TestClient.recording(at('A'));
    client.socket.terminate();
    const { keyring, registry } = running.server.context;
    while (registry.size > 0 || keyring.uses.of('key:anna:streams') > 0) await new Promise(setImmediate);
  }
  await (await TestClient.recording(at('A'))).close();
});

test('requests past the rate of a key are refused with the reason and when to come back', async () => {
  for (let i = 0; i < 2; i++) await (await TestClient.open(at('S'))).close();
  const { status, headers, body } = await refusedUpgrade(at('S'));
  assert.deepEqual(
    [status, body.code, body.detail],
    [429, 'KEY_LIMIT', 'requests per minute for slow: at most 2'],
  );
  assert.ok(Number(headers['retry-after']) > 0);
  assert.equal(
    (await json(await ask('/ws/transcribe', 'S'))).code,
    'KEY_LIMIT',
    'a browser asks for the reason',
  );
});

test('an upload past the limit of a key is refused, and leaves no place taken', async () => {
  const { keyring, recogniser } = running.server.context;
  const leave = keyring.who(['A']).enterUpload();
  const refused = await ask('/transcribe/file', 'A', { method: 'POST', body: 'x' });
  assert.deepEqual([refused.status, (await json(refused)).code], [429, 'KEY_LIMIT']);
  assert.equal(recogniser?.uploads.counts().active, 0);
  leave();
  const taken = await ask('/transcribe/file', 'A', { method: 'POST', body: 'x' });
  assert.equal((await json(taken)).code, 'UNSUPPORTED_MEDIA');
  while (keyring.uses.of('key:anna:uploads') > 0) await new Promise(setImmediate);
});

test('a client token opens what its key opens, and no more tokens', async () => {
  const answer = await tokenFor('B', { ttl_s: 120, streams: 1 });
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const { token = '', key, expires_in_s, expires_at = '' } = await json(answer);
  assert.deepEqual([answer.status, key, expires_in_s], [200, 'bert', 120]);
  assert.ok(Math.abs(Date.parse(expires_at) - Date.now() - 120_000) < 10_000);
  const client = await TestClient.recording(at(token));
  const second = await TestClient.open(at(token));
  second.say({ type: 'start_recording' });
  assert.equal((await second.until('error')).detail, 'streams at once for this client token: at most 1');
  for (const each of [client, second]) await each.close();
  assert.equal(
    (await json(await ask('/transcribe/file', token, { method: 'POST', body: 'x' }))).code,
    'UNSUPPORTED_MEDIA',
  );
  assert.equal((await tokenFor(token)).status, 401);
  assert.equal((await tokenFor('wrong')).status, 401);
});

test('a request for a client token that asks for too much is told what is wrong', async () => {
  for (const wanted of [{ ttl_s: 1e9 }, { ttl: 5 }, []]) {
    const answer = await tokenFor('B', wanted);
    assert.deepEqual([answer.status, (await json(answer)).code], [400, 'BAD_REQUEST']);
  }
  assert.equal((await tokenFor('B', { pad: 'x'.repeat(5_000) })).status, 413);
});

test('no page of another origin may read a client token', async () => {
  const answer = await ask('/auth/token', 'B', {
    method: 'POST',
    headers: { origin: 'https://evil.example' },
  });
  assert.equal(answer.headers.get('access-control-allow-origin'), null);
});

test('a session is resumed with another client token of its key, and not with another key', async () => {
  const [first, next] = [await json(await tokenFor('B')), await json(await tokenFor('B'))];
  const client = new TestClient(at(first.token ?? '', '&resumable=1'));
  const { resume_token } = await client.until('connection');
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  client.socket.terminate();
  const thief = new TestClient(at('A', `&resumable=1&resume=${resume_token}`));
  assert.equal((await thief.first()).code, 'RESUME_EXPIRED');
  const again = new TestClient(at(next.token ?? '', `&resumable=1&resume=${resume_token}`));
  assert.equal((await again.first()).type, 'resumed');
  for (const each of [thief, again]) await each.close();
});

test('a reload lets new keys in and ends the sessions of those that are gone, and no others', async () => {
  const [anna, bert] = [await TestClient.recording(at('A')), await TestClient.recording(at('B'))];
  const { token = '' } = await json(await tokenFor('A'));
  write([line('bert', 'B'), line('carl', 'C')]);
  await running.server.reload();
  const goodbye = await anna.until('error');
  assert.deepEqual([goodbye.code, await anna.closed()], ['UNAUTHORIZED', 1008]);
  for (const gone of ['A', token]) assert.equal((await refusedUpgrade(at(gone))).status, 401);
  await (await TestClient.open(at('C'))).close();
  bert.say({ type: 'stop_recording' });
  await bert.until('recording_stopped');
  await bert.close();
});

test('a file that cannot be read leaves the old keys in force', async () => {
  const client = await TestClient.recording(at('A'));
  for (const lines of [['anna sha256:oops'], [...KEYS, ...KEYS]]) {
    write(lines);
    await running.server.reload();
  }
  rmSync(keysFile);
  await running.server.reload();
  await (await TestClient.open(at('B'))).close();
  client.say({ type: 'stop_recording' });
  await client.until('recording_stopped');
  await client.close();
});

test('a server whose file of keys cannot be read does not start', async () => {
  await assert.rejects(startScriptedServer({ keysFile: join(folder, 'none') }), { code: 'CONFIG_INVALID' });
});
