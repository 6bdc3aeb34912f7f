/** The key in every form that an SDK has, and refusals that come before the upgrade. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { Keyring } from '../../src/auth/keyring.js';
import { keysIn, whoAsks } from '../../src/server/keys.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { refusedUpgrade } from '../helpers/ws-client.js';

const at = (query = '') => new URL(`http://localhost/ws/transcribe${query}`);
const keyring = new Keyring({ authToken: 'secret', keysFile: '', tokenSecret: '' });
const isRight = (headers: Record<string, string>, query = ''): boolean => {
  try {
    whoAsks(keyring, { headers }, at(query));
    return true;
  } catch (error) {
    assert.equal((error as { code: string }).code, 'UNAUTHORIZED');
    return false;
  }
};

for (const scheme of ['Bearer ', 'bearer ', 'Token ', 'token ', 'Token  ', '']) {
  test(`the header may say "${scheme}KEY"`, () => {
    assert.equal(isRight({ authorization: `${scheme}secret` }), true);
    assert.equal(isRight({ authorization: `${scheme}wrong` }), false);
  });
}

const PROTOCOLS = (key: string): string[] => [
  `token, ${key}`,
  `bearer,${key}`,
  `token, ${key}, x-deepgram-session-id, 7e0b`,
  `realtime, openai-insecure-api-key.${key}`,
  `realtime, openai-insecure-api-key.${key}, openai-beta.realtime-v1`,
];
for (const [index, offered] of PROTOCOLS('secret').entries()) {
  test(`the subprotocols may be "${offered}"`, () => {
    assert.equal(isRight({ 'sec-websocket-protocol': offered }), true);
    assert.equal(isRight({ 'sec-websocket-protocol': PROTOCOLS('wrong')[index]! }), false);
  });
}

test('a subprotocol is no key where no word before it says so', () => {
  assert.equal(isRight({ 'sec-websocket-protocol': 'secret' }), false);
  assert.equal(isRight({ 'sec-websocket-protocol': 'ws, secret' }), false);
});

test('one right key is enough, since a proxy may put a header of its own beside it', () => {
  assert.equal(isRight({ authorization: 'Basic cHJveHk6cHJveHk=' }, '?token=secret'), true);
  assert.equal(isRight({ authorization: 'Bearer wrong' }, '?token=also-wrong'), false);
  assert.deepEqual(keysIn({}, at()), []);
});

test('a key that holds the word before it is taken whole', () => {
  assert.deepEqual(keysIn({ authorization: 'Bearer token x' }, at()), ['token x']);
  assert.deepEqual(keysIn({ authorization: 'tokenised' }, at()), ['tokenised']);
});

test('a server without a token takes any', () => {
  const open = new Keyring({ authToken: '', keysFile: '', tokenSecret: '' });
  assert.equal(whoAsks(open, { headers: { authorization: 'Token anything' } }, at()).name, '');
});

let server: ScriptedServer;
before(async () => {
  server = await startScriptedServer({ authToken: 'secret', dialects: 'none' });
});
after(() => server.stop());

test('the subprotocol that is offered first is answered, never the key', async () => {
  for (const offered of [
    ['token', 'secret'],
    ['bearer', 'secret'],
    ['realtime', 'openai-insecure-api-key.secret'],
  ]) {
    const socket = new WebSocket(server.ws, offered);
    await once(socket, 'open');
    assert.equal(socket.protocol, offered[0]);
    socket.close();
    await once(socket, 'close');
  }
});

test('a dialect that is turned off has no address', async () => {
  const refused = await refusedUpgrade(server.ws.replace('/ws/transcribe', '/vosk'));
  assert.deepEqual([refused.status, refused.body.code], [404, 'NOT_FOUND']);
  const answer = await fetch(`${server.http}/vosk`);
  assert.equal(answer.status, 404);
  assert.equal((await fetch(server.http)).status, 200, 'the card is no dialect');
});
