/** Resuming over real sockets: who may, when it is too late, and who wins. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { type Message, refusedUpgrade, TestClient } from '../helpers/ws-client.js';

let scripted: ScriptedServer;
let at: string;
before(async () => {
  scripted = await startScriptedServer({ authToken: 'secret', admission: 'slots' }, { slots: 2 });
  at = `ws://127.0.0.1:${scripted.server.port}/ws/transcribe?token=secret&resumable=1`;
});
after(() => scripted.stop());

/** A client that records and whose server knows that it has its token. */
async function recording(name: string): Promise<{ client: TestClient; token: string }> {
  const client = new TestClient(`${at}&client_id=${name}`);
  const { resume_token: token } = await client.until('connection');
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  return { client, token };
}

/** Comes back; resolves with the first message. */
async function back(token: string, more = ''): Promise<{ client: TestClient; first: Message }> {
  const client = new TestClient(`${at}&resume=${token}${more}`);
  const first = await client.first();
  return { client, first };
}

async function stop(client: TestClient): Promise<Message> {
  client.say({ type: 'stop_recording' });
  const stopped = await client.until('recording_stopped');
  await client.close();
  return stopped;
}

test('comes back to its recording though the server is full, and gets the rest of it', async () => {
  const other = await recording('bert');
  const { client, token } = await recording('anna');
  await client.audio(bytesOf(spoken(CHUNK * 2, [[0, 'one']])));
  await client.until('partial');
  client.socket.terminate();
  assert.equal((await refusedUpgrade(at)).body.code, 'AT_CAPACITY');
  const again = await back(token, `&last_seq=${client.received.at(-1)?.seq}`);
  assert.deepEqual([again.first.type, again.first.received_samples], ['resumed', CHUNK * 2]);
  assert.equal((await stop(again.client)).final_transcript, 'one');
  await stop(other.client);
});

test('a session takes its own client_id with it', async () => {
  const { client, token } = await recording('anna');
  client.socket.terminate();
  const again = await back(token, '&client_id=anna');
  assert.equal(again.first.type, 'resumed');
  await stop(again.client);
});

test('an unknown token: RESUME_EXPIRED, then a fresh session, numbered from 1', async () => {
  const { client, first } = await back('nothing', '&last_seq=7');
  assert.deepEqual([first.code, first.seq, first.retryable], ['RESUME_EXPIRED', 1, false]);
  const greeting = await client.until('connection');
  assert.equal(greeting.seq, 2);
  assert.ok(greeting.resume_token);
  await client.close();
});

test('messages that are gone: RESUME_EXPIRED in place of a gap, and the slot is free again', async () => {
  const { client, token } = await recording('anna');
  await client.until('ack'); // once a second; by the next one the first messages are known to be delivered
  await client.until('ack');
  client.socket.terminate();
  const again = await back(token, '&last_seq=0&client_id=anna');
  assert.equal(again.first.code, 'RESUME_EXPIRED');
  await again.client.until('connection');
  again.client.say({ type: 'start_recording' });
  await again.client.until('recording_started');
  await stop(again.client);
});

test('a last_seq that is no number is refused at the upgrade', async () => {
  for (const seq of ['x', '-1', '1.5', '']) {
    assert.equal((await refusedUpgrade(`${at}&resume=t&last_seq=${seq}`)).body.code, 'BAD_REQUEST', seq);
  }
});

test('without the access key nobody resumes, whatever the token', async () => {
  const { client, token } = await recording('anna');
  client.socket.terminate();
  const stranger = await refusedUpgrade(at.replace('secret', 'other').concat(`&resume=${token}`));
  assert.deepEqual([stranger.status, stranger.body.code], [401, 'UNAUTHORIZED']);
  await stop((await back(token)).client);
});

test('two resumes at once: one goes on, the other is told to leave, and nothing is said twice', async () => {
  const { client, token } = await recording('anna');
  client.socket.terminate();
  const both = await Promise.all([back(token, '&client_id=anna'), back(token, '&client_id=anna')]);
  const left = await Promise.any(both.map(async (each) => ({ each, code: await each.client.closed() })));
  assert.equal(left.code, 4409);
  const winner = both.find((each) => each !== left.each);
  assert.equal(winner?.first.type, 'resumed');
  await winner?.client.audio(bytesOf(spoken(CHUNK, [[0, 'two']])));
  assert.equal((await stop(winner!.client)).final_transcript, 'two');
});

test('a token that was used is worth nothing, once its successor is known to have come', async () => {
  const { client, token } = await recording('anna');
  client.socket.terminate();
  const again = await back(token);
  again.client.say({ type: 'ping' });
  await again.client.until('pong');
  const thief = await back(token);
  assert.equal(thief.first.code, 'RESUME_EXPIRED');
  await thief.client.close();
  await stop(again.client);
});

test('an answer that was lost with its connection: the used token is still good', async () => {
  const { client, token } = await recording('anna');
  client.socket.terminate();
  const lost = new TestClient(`${at}&resume=${token}`);
  lost.socket.once('open', () => lost.socket.terminate());
  await lost.closed();
  const again = await back(token);
  assert.equal(again.first.type, 'resumed');
  await stop(again.client);
});

test('who closes the connection in good order frees its place at once', async () => {
  const { client } = await recording('anna');
  await client.close();
  const next = await recording('anna');
  await stop(next.client);
});

test('a token means nothing at the paths of other protocols: the session stays where it is', async () => {
  const { client, token } = await recording('anna');
  for (const path of ['/v3/ws', '/v1/listen', '/v1/realtime', '/vosk']) {
    const other = new TestClient(
      `ws://127.0.0.1:${scripted.server.port}${path}?token=secret&resume=${token}&last_seq=x`,
    );
    await once(other.socket, 'open');
    await other.close();
    assert.ok(
      other.received.every(({ type }) => type !== 'resumed'),
      path,
    );
  }
  client.say({ type: 'ping' });
  await client.until('pong');
  client.socket.terminate();
  const again = await back(token);
  assert.equal(again.first.type, 'resumed');
  await stop(again.client);
});
