/** A session whose server dies, stops or loses it goes on at another one: two servers, a store in memory, scripted engines. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { turns } from '../helpers/fake-fleet.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { eventsOf } from '../helpers/seen-count.js';
import { type Fleet, type Node, startFleet } from '../helpers/two-nodes.js';
import { type Message, refusedUpgrade, TestClient } from '../helpers/ws-client.js';

let at: Fleet;
beforeEach(async () => {
  at = await startFleet({}, { slots: 2 });
});
afterEach(() => at.stop());

const ONE = bytesOf(spoken(CHUNK * 3, [[0, 'one']]));
const PAUSE = bytesOf(marked(CHUNK * 10, []));
const TWO = bytesOf(spoken(CHUNK * 2, [[0, 'two']]));
const SPEECH = Buffer.concat([ONE, PAUSE, TWO]);

const tokenOf = (received: readonly Message[]): string =>
  received.filter(({ resume_token }) => resume_token !== undefined).at(-1)?.resume_token;

/** What a client says that comes back with all that these connections told it. */
function claimOf(...clients: readonly TestClient[]): string {
  const told = clients.flatMap(({ received }) => received).filter(({ type }) => type !== 'resumed');
  const all = clients.flatMap(({ received }) => received);
  return `&resume=${tokenOf(all)}&last_seq=${told.at(-1)?.seq}&events=${eventsOf(told)}`;
}

/** Comes to a server; resolves with the first message. */
async function come(node: Node, query: string): Promise<{ client: TestClient; first: Message }> {
  const client = new TestClient(`${node.ws}${query}`);
  return { client, first: await client.first() };
}

/** Records and has said something that the store knows of. */
async function recorded(node: Node, audio = ONE): Promise<TestClient> {
  const client = await TestClient.recording(`${node.ws}&client_id=anna`);
  await client.audio(audio);
  await client.until('partial');
  await acked(client, 1);
  return client;
}

/** An acknowledgement of so many samples has come: so much the store has. */
async function acked(client: TestClient, samples: number): Promise<void> {
  while ((await client.until('ack')).received_samples < samples);
}

async function stop(client: TestClient): Promise<Message> {
  client.say({ type: 'stop_recording' });
  const stopped = await client.until('recording_stopped');
  await client.close();
  return stopped;
}

test('a killed server: words, ids and times are those of an undisturbed recording, and nothing comes twice', async () => {
  const client = await recorded(at.a);
  await client.audio(PAUSE);
  await client.until('transcription'); // most likely newer than the record
  await client.audio(TWO);
  at.a.kill();
  await client.closed();
  const { client: again, first } = await come(at.b, claimOf(client));
  assert.deepEqual([first.type, first.state, first.received_controls], ['resumed', 'recording', 0]);
  await again.audio(SPEECH.subarray(2 * first.received_samples));
  const stopped = await stop(again);
  assert.deepEqual([stopped.final_transcript, stopped.total_segments], ['one two', 2]);
  const finals = [...client.all('transcription'), ...again.all('transcription')];
  assert.deepEqual(finals.map(({ segment_id, text }) => [segment_id, text]), [[1, 'one'], [2, 'two']]); // biome-ignore format: short
  assert.equal(finals[1]?.words[0].start, 1.3);
  const numbers = [...client.received, ...again.received.slice(1)].map(({ seq }) => seq);
  assert.deepEqual(numbers, numbers.map((_, i) => i + 1)); // biome-ignore format: short
  assert.equal(at.b.server.context.metrics.takenOver, 1);
});

test('an acknowledgement says what the store has confirmed', async () => {
  const client = await TestClient.recording(at.a.ws);
  at.a.store.stall();
  await client.audio(ONE);
  const [first, second] = [await client.until('ack'), await client.until('ack')];
  assert.deepEqual([first.received_samples, second.received_samples], [0, 0]);
  at.a.store.answer();
  await acked(client, 3 * CHUNK);
  await stop(client);
});

test('a store that is away: acknowledgements mean this server, and the recording goes on', async () => {
  const client = await TestClient.recording(at.a.ws);
  at.a.store.away = true;
  await client.audio(ONE);
  await acked(client, 3 * CHUNK);
  client.socket.terminate();
  const { client: again, first } = await come(at.a, claimOf(client));
  assert.equal(first.received_samples, 3 * CHUNK);
  assert.equal((await stop(again)).final_transcript, 'one');
});

test('what a client no longer has is not asked of it: the session is a fresh one', async () => {
  const client = await recorded(at.a);
  const [, held] = [...at.fleet.held].at(-1) ?? [];
  assert.ok(held?.record);
  at.a.kill();
  await client.closed();
  const { client: again, first } = await come(at.b, `${claimOf(client)}&from=${40 * CHUNK}`);
  assert.equal(first.code, 'RESUME_EXPIRED');
  await again.until('connection');
  await again.close();
});

test('a client that was moved by a load balancer: the server that it left ends the session without a word', async () => {
  const client = await recorded(at.a);
  const { client: again, first } = await come(at.b, claimOf(client));
  assert.equal(first.type, 'resumed');
  const before = client.received.filter(({ type }) => type !== 'ack').length;
  await client.audio(TWO); // its next record finds out
  assert.equal(await client.closed(), 4409);
  assert.ok(client.received.slice(before).every(({ type }) => /ack|partial/.test(type)));
  assert.equal(at.a.server.context.registry.size, 0);
  await again.audio(SPEECH.subarray(2 * first.received_samples));
  assert.equal((await stop(again)).final_transcript, 'one two');
});

test('the server that was left is asked by the client that comes back: it takes the session over again', async () => {
  const client = await recorded(at.a);
  const there = await come(at.b, claimOf(client));
  there.client.socket.terminate();
  // Its answer was lost: the client has the old token, which this server knows, and believes to be good.
  const { client: again, first } = await come(at.a, claimOf(client));
  assert.equal(first.type, 'resumed');
  await again.audio(SPEECH.subarray(2 * first.received_samples));
  assert.equal((await stop(again)).final_transcript, 'one two');
  assert.equal(at.a.server.context.metrics.takenOver, 1);
});

test('two resumes at once on two servers: exactly one goes on', async () => {
  const client = await recorded(at.a);
  at.a.kill();
  await client.closed();
  const claim = claimOf(client);
  const c = await at.another();
  const both = [new TestClient(`${at.b.ws}${claim}`), new TestClient(`${c.ws}${claim}`)];
  for (const each of both) each.socket.on('unexpected-response', () => each.socket.terminate());
  const left = await Promise.any(
    both.map(async (each) => {
      await each.closed();
      return each;
    }),
  );
  const winner = both.find((each) => each !== left)!; // of two
  const { received_samples } = await winner.first();
  await winner.audio(SPEECH.subarray(2 * received_samples));
  assert.equal((await stop(winner)).final_transcript, 'one two');
  assert.ok(left.received.every(({ type }) => /resumed|ack|partial/.test(type)));
  await c.stop();
});

test('an idle session goes on with its settings', async () => {
  const client = await TestClient.open(at.a.ws);
  client.say({ type: 'configure', silence_duration: 0.2 });
  await client.until('configured');
  await turns();
  at.a.kill();
  await client.closed();
  const { client: again, first } = await come(at.b, claimOf(client));
  assert.deepEqual([first.type, first.state], ['resumed', 'idle']);
  again.say({ type: 'start_recording' });
  const { config } = await again.until('recording_started');
  assert.equal(config.silence_duration, 0.2);
  assert.equal((await stop(again)).type, 'recording_stopped');
});

test('a stop that was under way is made again', async () => {
  const client = await recorded(at.a, SPEECH);
  for (const lane of at.a.engine.lanes) lane.auto = false; // the flush never ends
  client.say({ type: 'stop_recording' });
  await turns(20);
  at.a.kill();
  await client.closed();
  const { client: again, first } = await come(at.b, claimOf(client));
  assert.deepEqual([first.state, first.received_controls], ['recording', 0]);
  await again.audio(SPEECH.subarray(2 * first.received_samples));
  const stopped = await stop(again);
  assert.deepEqual([stopped.final_transcript, stopped.total_duration], ['one two', 1.5]);
});

test('two channels go on each for itself', async () => {
  const both = (left: Int16Array, right: Int16Array) =>
    bytesOf(Int16Array.from({ length: 2 * left.length }, (_, i) => (i % 2 ? right : left)[i >> 1] ?? 0));
  const said = both(spoken(CHUNK * 3, [[0, 'one']]), spoken(CHUNK * 3, [[CHUNK, 'two']]));
  const quiet = both(marked(CHUNK * 10, []), marked(CHUNK * 10, []));
  const client = await TestClient.open(at.a.ws);
  client.say({ type: 'start_recording', config: { channels: 2, multichannel: true, vad_events: true } });
  await client.until('recording_started');
  await client.audio(said);
  await acked(client, CHUNK);
  await client.audio(quiet);
  await client.until('transcription');
  at.a.kill();
  await client.closed();
  const { client: again, first } = await come(at.b, claimOf(client));
  assert.equal(first.type, 'resumed');
  await again.audio(Buffer.concat([said, quiet]).subarray(4 * first.received_samples));
  assert.equal((await stop(again)).final_transcript, 'one two');
  const finals = [...client.received, ...again.received].filter(({ type }) => type === 'transcription');
  assert.deepEqual(finals.map(({ channel, text }) => [channel, text]).sort(), [[0, 'one'], [1, 'two']]); // biome-ignore format: short
});

test('a server at its rated number takes a session over as long as a place is there, and refuses it then', async () => {
  const c = await at.another({ admission: 'measured' }, { slots: 2, capacity: 1 });
  const local = await TestClient.recording(`${c.ws}&client_id=bert`);
  const client = await recorded(at.a);
  at.a.kill();
  await client.closed();
  assert.equal((await refusedUpgrade(c.ws)).body.code, 'AT_CAPACITY');
  const { client: again, first } = await come(c, claimOf(client));
  assert.equal(first.type, 'resumed');
  const third = await recorded(at.b);
  at.b.kill();
  await third.closed();
  const refused = await refusedUpgrade(`${c.ws}${claimOf(third)}`);
  assert.deepEqual([refused.status, refused.body.code], [503, 'AT_CAPACITY']);
  assert.equal((await stop(again)).type, 'recording_stopped');
  // A place is free: the session was not lost by the refusal.
  assert.equal((await come(c, claimOf(third))).first.type, 'resumed');
  await stop(local);
  await c.stop();
});

test('another key, or no session at all: a fresh session', async () => {
  const client = await recorded(at.a);
  at.a.kill();
  await client.closed();
  const stranger = await come(at.b, `&token=other${claimOf(client)}`);
  assert.equal(stranger.first.code, 'RESUME_EXPIRED');
  assert.equal((await come(at.b, '&resume=nothing')).first.code, 'RESUME_EXPIRED');
  assert.equal((await come(at.b, claimOf(client))).first.type, 'resumed');
});

test('a store that does not answer holds nobody up for long', async () => {
  const client = await recorded(at.a);
  at.a.kill();
  await client.closed();
  at.b.store.stall();
  assert.equal((await come(at.b, claimOf(client))).first.code, 'RESUME_EXPIRED');
});

test('a session that ended is no one’s to take over', async () => {
  const client = await recorded(at.a);
  const claim = claimOf(client);
  await client.close();
  await turns(20);
  assert.equal((await come(at.b, claim)).first.code, 'RESUME_EXPIRED');
});

test('events and from that are no such things are refused at the upgrade', async () => {
  for (const query of ['events=x', 'events=1', 'events=1.2.3.4', 'from=-1', 'from=x']) {
    assert.equal((await refusedUpgrade(`${at.b.ws}&resume=t&${query}`)).body.code, 'BAD_REQUEST', query);
  }
});
