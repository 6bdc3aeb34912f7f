/** A decoder's state stays where it is: a session that has one goes on nowhere else, and is told so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webmOfSamples } from '../helpers/containers.js';
import { CHUNK, spoken } from '../helpers/fake-model.js';
import { startFleet } from '../helpers/two-nodes.js';
import { TestClient } from '../helpers/ws-client.js';

const webm = () => webmOfSamples(spoken(6 * CHUNK, [[0, 'one']]));
const START = { type: 'start_recording', config: { encoding: 'container' } };

test('a server that dies takes a recording of compressed audio along, and the next one says so', async () => {
  const { a, b, stop } = await startFleet();
  const client = await TestClient.open(a.ws);
  const { resume_token } = client.received[0]!;
  client.say(START);
  await client.audio(webm());
  await client.until('partial');
  const last = client.received.at(-1)?.seq as number;
  await client.until('ack');
  a.kill();
  await client.closed();
  const second = new TestClient(`${b.ws}&resume=${resume_token}&last_seq=${last}`);
  assert.equal((await second.until('error')).code, 'RESUME_EXPIRED');
  await second.until('connection');
  await second.close();
  await stop();
});

test('a server that drains finishes a recording of compressed audio itself', async () => {
  const { a, stop } = await startFleet();
  const client = await TestClient.open(a.ws);
  client.say(START);
  await client.audio(webm());
  await client.until('partial');
  a.server.drain();
  assert.equal((await client.until('recording_stopped')).final_transcript, 'one');
  assert.equal(await client.closed(), 1001);
  assert.equal(client.all('moving').length, 0);
  await stop();
});
