/** Sessions that outlive their server, with a real Redis between two servers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { fleetName } from '../helpers/fleet.js';
import { skipWithoutRedis, TestRedis, until } from '../helpers/redis.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { eventsOf } from '../helpers/seen-count.js';
import { TestClient } from '../helpers/ws-client.js';

const SPEECH = Buffer.concat([
  bytesOf(spoken(CHUNK * 3, [[0, 'one']])),
  bytesOf(marked(CHUNK * 10, [])),
  bytesOf(spoken(CHUNK * 2, [[0, 'two']])),
]);

describe('a fleet with Redis', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  let redis: TestRedis;
  let options: object;
  before(async () => {
    redis = await TestRedis.start();
    options = { cluster: redis.url, clusterName: fleetName(), drainSpread: 0 };
  });
  after(() => redis?.stop());

  const start = async (): Promise<ScriptedServer> => {
    const server = await startScriptedServer(options);
    await until('the fleet is there', () => server.server.context.cluster?.available === true);
    return server;
  };
  const address = (server: ScriptedServer, query = '') => `${server.ws}?resumable=1&client_id=anna${query}`;

  async function recorded(server: ScriptedServer): Promise<TestClient> {
    const client = await TestClient.recording(address(server));
    await client.audio(SPEECH);
    await client.until('transcription');
    while ((await client.until('ack')).received_samples === 0);
    return client;
  }

  /** Comes with all that it was told, and stops its recording there. */
  async function goOn(server: ScriptedServer, client: TestClient): Promise<void> {
    const { received } = client;
    const token = received.find(({ type }) => type === 'connection')?.resume_token;
    const claim = `&resume=${token}&last_seq=${received.at(-1)?.seq}&events=${eventsOf(received)}`;
    const again = new TestClient(address(server, claim));
    const first = await again.first();
    assert.deepEqual([first.type, first.state], ['resumed', 'recording'], JSON.stringify(first));
    await again.audio(SPEECH.subarray(2 * first.received_samples));
    again.say({ type: 'stop_recording' });
    const stopped = await again.until('recording_stopped');
    assert.deepEqual([stopped.final_transcript, stopped.total_segments], ['one two', 2]);
    await again.close();
  }

  test('a server that is asked to stop hands its sessions over', async () => {
    const [here, there] = [await start(), await start()];
    const client = await recorded(here);
    here.server.drain();
    assert.equal(await client.closed(), 1001);
    assert.equal(client.all('moving').length, 1);
    await goOn(there, client);
    await here.server.stopped;
    await there.stop();
  });

  test('a client that a load balancer moves is followed, and the server that it left ends its session', async () => {
    const [here, there] = [await start(), await start()];
    const client = await recorded(here);
    await goOn(there, client);
    await client.audio(SPEECH);
    assert.equal(await client.closed(), 4409);
    assert.equal(here.server.context.registry.size, 0);
    // Its name is free again, once, on whichever server.
    const next = await TestClient.open(address(here));
    await next.close();
    await here.stop();
    await there.stop();
  });
});
