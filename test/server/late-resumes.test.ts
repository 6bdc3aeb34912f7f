/** Requests to resume that come late or twice, on the way through a load balancer or a proxy: two servers, a store in memory. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { WebSocket } from 'ws';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { eventsOf } from '../helpers/seen-count.js';
import { type Fleet, startFleet } from '../helpers/two-nodes.js';
import { type Message, TestClient } from '../helpers/ws-client.js';

let at: Fleet;
beforeEach(async () => {
  at = await startFleet({}, { slots: 2 });
});
afterEach(() => at.stop());

const ONE = bytesOf(spoken(CHUNK * 3, [[0, 'one']]));
const PAUSE = bytesOf(marked(CHUNK * 10, []));
const TWO = bytesOf(spoken(CHUNK * 2, [[0, 'two']]));
const SPEECH = Buffer.concat([ONE, PAUSE, TWO]);

/** Records at the first server, which has written what was said. */
async function recorded(): Promise<TestClient> {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(ONE);
  while ((await client.until('ack')).received_samples < 1);
  return client;
}

function claimOf(received: readonly Message[]): string {
  const token = received.filter(({ resume_token }) => resume_token !== undefined).at(-1)?.resume_token;
  const told = received.filter(({ type }) => type !== 'resumed');
  return `&resume=${token}&last_seq=${told.at(-1)?.seq}&events=${eventsOf(told)}`;
}

/** Has asked the first server, which asks the store. */
async function asking(claim: string): Promise<TestClient> {
  const asked = once(at.a.server.app.server, 'upgrade');
  const client = new TestClient(`${at.a.ws}${claim}`);
  await asked;
  return client;
}

async function finish(client: TestClient): Promise<string> {
  client.say({ type: 'stop_recording' });
  const { final_transcript } = await client.until('recording_stopped');
  await client.close();
  return final_transcript;
}

test('a token that became worth nothing while the store was asked resumes nothing any more', async () => {
  const client = await recorded();
  client.socket.terminate();
  const claim = claimOf(client.received);
  at.a.store.stall();
  const first = await asking(claim);
  const late = await asking(claim);
  at.a.store.answer(); // to the first
  at.a.store.stall();
  const { received_samples } = await first.first();
  first.say({ type: 'ping' });
  await first.until('pong');
  at.a.store.answer(); // to the late one
  assert.equal((await late.first()).code, 'RESUME_EXPIRED');
  await first.audio(SPEECH.subarray(2 * received_samples));
  assert.equal(await finish(first), 'one two');
  await late.close();
});

test('a client that was told more by the server before than the present one knows of goes on all the same', async () => {
  const client = await recorded();
  const claim = claimOf(client.received);
  at.a.store.stall(); // it does not hear that it has lost the session
  const late = new WebSocket(`${at.b.ws}${claim}`, { autoPong: false });
  await once(late, 'message');
  // Numbered messages, more than the acknowledgements that the other server can tell the late one meanwhile.
  for (let i = 0; i < 12; i++) client.say({ type: 'ping' });
  await client.audio(PAUSE);
  await client.until('transcription');
  client.socket.terminate();
  const again = new TestClient(`${at.b.ws}${claimOf(client.received)}`);
  const { type, received_samples } = await again.first();
  assert.equal(type, 'resumed');
  await again.audio(SPEECH.subarray(2 * received_samples));
  assert.equal(await finish(again), 'one two');
  const finals = [...client.all('transcription'), ...again.all('transcription')];
  assert.deepEqual(
    finals.map(({ segment_id, text }) => [segment_id, text]),
    [[1, 'one'], [2, 'two']],
  ); // biome-ignore format: short
});

test('without the store, a client that was told something else under the same numbers gets a fresh session', async () => {
  const client = await recorded();
  const told = client.received.filter(({ type }) => type !== 'resumed');
  const claim = claimOf(client.received).replace(eventsOf(told), '1.7.0');
  client.socket.terminate();
  at.a.store.away = true;
  const again = new TestClient(`${at.a.ws}${claim}`);
  assert.equal((await again.first()).code, 'RESUME_EXPIRED');
  await again.close();
});
