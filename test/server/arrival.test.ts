/** Sessions that come from another server just as this one is asked to stop. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FakeLane } from '../helpers/fake-lane.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { eventsOf } from '../helpers/seen-count.js';
import { type Fleet, startFleet } from '../helpers/two-nodes.js';
import { refusedUpgrade, TestClient } from '../helpers/ws-client.js';

let at: Fleet;
beforeEach(async () => {
  at = await startFleet({ drainTimeout: 2 });
});
afterEach(() => at.stop());

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('a session that is taken while the server begins to drain stays for another one, and keeps nobody waiting', async () => {
  const client = await TestClient.recording(at.a.ws);
  const said = spoken(CHUNK * 3, [[0, 'one']]);
  await client.audio(bytesOf(said));
  await client.until('partial');
  while (at.fleet.writes < 2) await turns(1);
  at.a.kill();
  const { received } = client;
  const token = received.find(({ type }) => type === 'connection')?.resume_token;
  const claim = `&resume=${token}&last_seq=${received.at(-1)?.seq}&events=${eventsOf(received)}`;
  // Somebody whose flush takes its time, so that the drain does too.
  const lane = at.b.engine.lanes[0] as FakeLane;
  const plain = await TestClient.recording(at.b.ws.replace('?resumable=1', ''));
  lane.auto = false;
  await plain.audio(bytesOf(spoken(CHUNK)));
  at.b.store.stall();
  const refused = refusedUpgrade(`${at.b.ws}${claim}`);
  while (at.b.store.stalled === 0) await turns(1);
  at.b.server.drain();
  at.b.store.answer();
  assert.equal((await refused).body.code, 'DRAINING');
  assert.equal(at.b.server.context.registry.size, 1);
  lane.auto = true;
  while (!lane.finish()) await turns(1);
  assert.equal((await at.b.server.stopped).outcome, 'drained');
  await plain.closed();
  const c = await at.another();
  const again = new TestClient(`${c.ws}${claim}`);
  const first = await again.first();
  assert.equal(first.type, 'resumed');
  await again.audio(bytesOf(said.subarray(first.received_samples)));
  again.say({ type: 'stop_recording' });
  assert.equal((await again.until('recording_stopped')).final_transcript, 'one');
  await again.close();
  await c.stop();
});

test('a connection whose session ends while the fleet is asked for it is admitted like any other', async () => {
  const c = await at.another({ maxConnections: 1 });
  const client = await TestClient.open(c.ws);
  client.say({ type: 'ping' });
  await client.until('pong');
  const token = client.received[0]?.resume_token;
  while (at.fleet.writes === 0) await turns(1);
  c.store.stall();
  const refused = refusedUpgrade(`${c.ws}&resume=${token}`);
  while (c.store.stalled === 0) await turns(1);
  await client.close();
  while (c.server.context.registry.size > 0) await turns(1);
  const other = await TestClient.open(c.ws);
  c.store.answer();
  assert.equal((await refused).body.code, 'AT_CAPACITY');
  await other.close();
  await c.stop();
});

test('a session that finds no room to wait for its client waits in the store', async () => {
  const c = await at.another({ maxSuspended: 1 });
  const said = spoken(CHUNK * 3, [[0, 'one']]);
  const clients = [];
  for (let i = 0; i < 2; i++) {
    const client = await TestClient.recording(c.ws);
    await client.audio(bytesOf(said));
    await client.until('partial');
    await client.until('ack');
    clients.push(client);
  }
  const [first, second] = clients as [TestClient, TestClient];
  const { detached } = c.server.context.registry.transports();
  assert.equal(detached, 0);
  first.socket.terminate();
  while (c.server.context.registry.transports().detached === 0) await turns(1);
  second.socket.terminate();
  while (c.server.context.registry.size > 1) await turns(1);
  const { received } = first;
  const claim = `&resume=${received[0]?.resume_token}&last_seq=${received.at(-1)?.seq}&events=${eventsOf(received)}`;
  const again = new TestClient(`${c.ws}${claim}`);
  const { type, state, received_samples } = await again.first();
  assert.deepEqual([type, state], ['resumed', 'recording']);
  await again.audio(bytesOf(said.subarray(received_samples)));
  again.say({ type: 'stop_recording' });
  assert.equal((await again.until('recording_stopped')).final_transcript, 'one');
  await again.close();
  await c.stop();
});

test('a server that lets no session wait takes none over, and gives the client_id back', async () => {
  const client = await TestClient.open(at.a.ws);
  client.say({ type: 'ping' });
  await client.until('pong');
  while (at.fleet.writes === 0) await turns(1);
  at.a.kill();
  const c = await at.another({ maxSuspended: 0 });
  const released: string[] = [];
  Object.assign(c.server.context, { cluster: { releaseClient: (id: string) => released.push(id) } });
  const { body } = await refusedUpgrade(`${c.ws}&resume=${client.received[0]?.resume_token}`);
  assert.equal(body.code, 'AT_CAPACITY');
  assert.deepEqual(released, [client.received[0]?.client_id]);
  assert.equal(c.server.context.registry.size, 0);
  Object.assign(c.server.context, { cluster: null });
  await c.stop();
});
