/** A server of a fleet that is asked to stop: its sessions go on at another one, and nobody's sentence is cut. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { RNNTClient } from 'rnnt-server/client';
import { WebSocket } from 'ws';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { eventsOf } from '../helpers/seen-count.js';
import { type Fleet, startFleet } from '../helpers/two-nodes.js';
import { TestClient } from '../helpers/ws-client.js';

let at: Fleet;
beforeEach(async () => {
  at = await startFleet();
});
afterEach(() => at.stop());

const HALF = bytesOf(spoken(CHUNK * 2.5, [[0, 'one']]));
const REST = bytesOf(spoken(CHUNK * 2.5, [[CHUNK, 'two']]));

/** Comes back to the other server with all that it was told. */
function back(client: TestClient): TestClient {
  const { received } = client;
  const token = received.find(({ type }) => type === 'connection')?.resume_token;
  return new TestClient(
    `${at.b.ws}&resume=${token}&last_seq=${received.at(-1)?.seq}&events=${eventsOf(received)}`,
  );
}

test('in the middle of a sentence: told to move, closed with 1001, and the sentence goes on elsewhere', async () => {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  await client.until('partial');
  at.a.server.drain();
  assert.equal(await client.closed(), 1001);
  const [moving] = client.all('moving');
  assert.equal(moving?.seq, client.received.at(-1)?.seq);
  assert.deepEqual(
    [client.all('transcription'), client.all('error'), client.all('recording_stopped')],
    [[], [], []],
  );
  await at.a.server.stopped;
  const again = back(client);
  const first = await again.first();
  assert.deepEqual([first.type, first.state], ['resumed', 'recording']);
  const all = Buffer.concat([HALF, REST]);
  await again.audio(all.subarray(2 * first.received_samples));
  again.say({ type: 'stop_recording' });
  const final = await again.until('transcription');
  assert.deepEqual([final.segment_id, final.text, final.words[0].start], [1, 'one two', 0]);
  await again.close();
});

test('a draining server takes nobody new, and those that move are spread', async () => {
  await at.a.stop();
  const c = await at.another({ drainSpread: 0.2 });
  const names = ['a', 'b', 'c', 'd'];
  const clients: TestClient[] = [];
  for (const name of names) clients.push(await TestClient.recording(`${c.ws}&client_id=${name}`));
  const gone: string[] = [];
  let lastMs = 0;
  const beganMs = performance.now();
  c.server.context.registry.onClosed(({ clientId }) => {
    gone.push(clientId);
    lastMs = performance.now() - beganMs;
  });
  c.server.drain();
  const refused = await c.server.app.inject('/ws/transcribe'); // a real one might come when the server is gone
  assert.deepEqual([refused.statusCode, refused.json().code], [503, 'DRAINING']);
  assert.equal((await c.server.stopped).outcome, 'drained');
  for (const client of clients) assert.equal(await client.closed(), 1001);
  assert.deepEqual(gone, names);
  assert.ok(lastMs >= 140, `${lastMs} ms`);
});

test('a flush under way is finished first', async () => {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  client.say({ type: 'stop_recording' });
  client.say({ type: 'start_recording' });
  at.a.server.drain();
  await client.closed();
  const again = back(client);
  const first = await again.first();
  assert.equal(first.type, 'resumed');
  const stops = [...client.received, ...again.received].filter(({ type }) => type === 'recording_stopped');
  assert.ok(stops.length <= 1);
  if (first.state === 'idle') return; // the second start was not looked at: the client sends it again
  again.say({ type: 'stop_recording' });
  await again.until('recording_stopped');
});

test('a session without a connection waits for its client elsewhere', async () => {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  await client.until('partial');
  client.socket.terminate();
  await client.closed();
  at.a.server.drain();
  await at.a.server.stopped;
  const again = back(client);
  assert.deepEqual([(await again.first()).type, at.b.server.context.registry.size], ['resumed', 1]);
  await again.close();
});

test('a client that does not resume is told what it said, as without a fleet', async () => {
  const client = await TestClient.recording(at.a.ws.replace('?resumable=1', ''));
  await client.audio(HALF);
  await client.until('partial');
  at.a.server.drain();
  assert.equal(await client.closed(), 1001);
  assert.equal(client.all('recording_stopped')[0]?.final_transcript, 'one');
  assert.equal(client.all('error')[0]?.code, 'DRAINING');
});

test('a store that fails: what was said is told, and the client records anew elsewhere', async () => {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  await client.until('partial');
  at.a.store.failing = true;
  at.a.server.drain();
  assert.equal(await client.closed(), 1001);
  assert.equal(client.all('recording_stopped')[0]?.final_transcript, 'one');
});

/** What the client is told when the server stops while its session cannot be moved. */
async function finishesHere(client: TestClient): Promise<void> {
  at.a.server.drain();
  assert.equal(await client.closed(), 1001);
  assert.equal(client.all('recording_stopped')[0]?.final_transcript, 'one');
  assert.deepEqual([client.all('moving'), client.all('error')[0]?.code], [[], 'DRAINING']);
  assert.equal((await at.a.server.stopped).outcome, 'drained');
}

/** Has said something, which the store has; nothing has changed since. */
async function kept(): Promise<TestClient> {
  const client = await TestClient.recording(at.a.ws);
  await client.audio(HALF);
  while ((await client.until('ack')).received_samples < 1);
  return client;
}

test('a store that fails, and had everything: nobody is told to move with a token that it may not have', async () => {
  const client = await kept();
  at.a.store.failing = true;
  await finishesHere(client);
});

test('a store that is away: as without a fleet', async () => {
  const client = await kept();
  at.a.store.away = true;
  await finishesHere(client);
});

test('a store that was emptied since the last record gets it again, and the session moves', async () => {
  const client = await kept();
  at.fleet.held.clear();
  at.a.server.drain();
  assert.equal(await client.closed(), 1001);
  assert.equal(client.received.at(-1)?.type, 'moving');
  assert.equal(at.fleet.held.size, 1);
});

test('the client library moves and loses nothing', async () => {
  const clip = spoken(16_000 * 8, [[CHUNK, 'one'], [40 * CHUNK, 'two'], [70 * CHUNK, 'three']]); // biome-ignore format: short
  const record = async (drains: boolean) => {
    // A load balancer: whoever comes is sent to a server that is ready.
    class Balanced extends WebSocket {
      constructor(url: string) {
        const { port } =
          at.a.server.context.lifecycle.getSnapshot().value === 'ready' ? at.a.server : at.b.server;
        super(url.replace(':1/', `:${port}/`));
      }
    }
    const client = new RNNTClient({ url: 'ws://127.0.0.1:1/ws/transcribe', WebSocket: Balanced as never });
    const fresh: boolean[] = [];
    client.on('state', ({ state, fresh: isFresh }) => state === 'resumed' && fresh.push(isFresh === true));
    await client.start({ silence_duration: 0.3 });
    await client.sendAll(clip.subarray(0, clip.length / 2));
    if (drains) at.a.server.drain();
    if (drains) await at.a.server.stopped;
    await client.sendAll(clip.subarray(clip.length / 2));
    const { segments, transcript, droppedSeconds } = await client.stop();
    client.close();
    return { fresh, result: { segments, transcript, droppedSeconds } };
  };
  const undisturbed = await record(false);
  const moved = await record(true);
  assert.deepEqual(moved.fresh, [false]);
  assert.deepEqual(moved.result, undisturbed.result);
  assert.equal(moved.result.transcript, 'one two three');
});

test('an idle session moves too, and silence stays silence', async () => {
  const client = await TestClient.open(at.a.ws);
  at.a.server.drain();
  assert.equal(await client.closed(), 1001);
  const again = back(client);
  assert.equal((await again.first()).state, 'idle');
  again.say({ type: 'start_recording' });
  await again.until('recording_started');
  await again.audio(bytesOf(marked(CHUNK * 3, [])));
  again.say({ type: 'stop_recording' });
  assert.equal((await again.until('recording_stopped')).total_segments, 0);
  await again.close();
});
