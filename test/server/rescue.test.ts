/** A server of a fleet whose recogniser is beyond repair: its sessions go on at another one from what is written of them. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeLane } from '../helpers/fake-lane.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { eventsOf } from '../helpers/seen-count.js';
import { type Fleet, type Node, startFleet } from '../helpers/two-nodes.js';
import { TestClient } from '../helpers/ws-client.js';

let at: Fleet;
beforeEach(async () => {
  // As the real engine, which leaves its streams alone until the server has brought them to safety.
  at = await startFleet({ drainTimeout: 1 }, { givesUp: false, slots: 6 });
});
afterEach(() => at.stop());

const SAID = spoken(CHUNK * 6, [[0, 'one'], [CHUNK * 4, 'two']]); // biome-ignore format: short
const HALF = bytesOf(SAID.subarray(0, CHUNK * 3));

/** Lets the event loop turn until something holds; the test's own limit is the bound. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const laneOf = ({ engine }: Node): FakeLane => engine.lanes[0] as FakeLane;

/** The next step fails, and the lane does not come back. */
function loseLanes(node: Node): void {
  const lane = laneOf(node);
  lane.auto = false;
  lane.onRecover = () => Promise.reject(new Error('no memory'));
  void until(() => lane.slots.length > 0).then(() => lane.fail(new Error('no memory')));
}

function back(client: TestClient, path = at.b.ws): TestClient {
  const { received } = client;
  const token = received.find(({ type }) => type === 'connection')?.resume_token;
  const last = received.at(-1)?.seq;
  return new TestClient(`${path}&resume=${token}&last_seq=${last}&events=${eventsOf(received)}`);
}

/** Goes on with the client's session at the other server, and says the rest. @returns all final text */
async function finish(client: TestClient): Promise<string> {
  const again = back(client);
  const first = await again.first();
  assert.deepEqual([first.type, first.state], ['resumed', 'recording']);
  await again.audio(bytesOf(SAID.subarray(first.received_samples)));
  again.say({ type: 'stop_recording' });
  const { final_transcript } = await again.until('recording_stopped');
  await again.close();
  return final_transcript;
}

test('all lanes lost: kept sessions are told to move and go on elsewhere, the rest are closed', async () => {
  const client = await TestClient.recording(at.a.ws);
  const plain = await TestClient.recording(at.a.ws.replace('?resumable=1', ''));
  await client.audio(HALF);
  await client.until('partial');
  loseLanes(at.a);
  await plain.audio(HALF);
  assert.deepEqual([await client.closed(), await plain.closed()], [1001, 1001]);
  assert.equal(client.received.at(-1)?.type, 'moving');
  assert.deepEqual(client.all('error'), []);
  assert.equal(plain.all('error')[0]?.code, 'DRAINING');
  assert.deepEqual(await at.a.server.stopped, { outcome: 'failed', code: 'ENGINE_FAILED' });
  assert.equal(await finish(client), 'one two');
});

test('all lanes lost in the middle of a flush: the session goes on from its last record', async () => {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  await client.until('partial');
  await until(() => at.fleet.writes > 1);
  loseLanes(at.a);
  client.say({ type: 'stop_recording' });
  assert.equal(await client.closed(), 1001);
  assert.deepEqual(client.all('error'), []);
  assert.equal(await finish(client), 'one two');
});

test('a drain that takes too long, since a step does not return, leaves the last record', async () => {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  await client.until('partial');
  await until(() => at.fleet.writes > 1);
  const lane = laneOf(at.a);
  await until(() => lane.slots.length === 0 && at.a.engine.waiting === 0); // the step that hangs is of the flush
  lane.auto = false;
  client.say({ type: 'stop_recording' });
  await until(() => lane.slots.length > 0);
  at.a.server.drain();
  assert.equal(await client.closed(), 1001);
  assert.equal((await at.a.server.stopped).outcome, 'drain-timeout');
  assert.equal(await finish(client), 'one two');
});

test('a store that is away: sessions are told that the server ends, as without a fleet', async () => {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  await client.until('partial');
  at.a.store.away = true;
  loseLanes(at.a);
  client.say({ type: 'stop_recording' });
  assert.equal(await client.closed(), 1001);
  assert.deepEqual([client.all('moving'), client.all('error')[0]?.code], [[], 'DRAINING']);
});
