/**
 * Audio for which every step hangs, in a fleet: the stream with it does not take down one server after the other, and its
 * neighbours lose nothing.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { RNNTClient } from 'rnnt-server/client';
import { WebSocket } from 'ws';
import type { FakeLane } from '../helpers/fake-lane.js';
import { bytesOf, CHUNK, markerOf, spoken } from '../helpers/fake-model.js';
import { eventsOf } from '../helpers/seen-count.js';
import { type Fleet, type Node, startFleet } from '../helpers/two-nodes.js';
import { type Message, TestClient } from '../helpers/ws-client.js';

const LIMIT_MS = 1_000;
const POISON = 'ten';
const SOUND = spoken(CHUNK * 6, [[0, 'one'], [CHUNK * 4, 'two']]); // biome-ignore format: short
const POISONED = spoken(CHUNK * 6, [[0, 'one'], [CHUNK * 3, POISON]]); // biome-ignore format: short

let at: Fleet;
let c: Node;
beforeEach(async () => {
  // As many slots as streams: nobody can move away from a step that hangs, so the process ends.
  const options = { givesUp: false, slots: 3, hangLimitMs: LIMIT_MS };
  at = await startFleet({ drainTimeout: 1 }, options);
  c = await at.another();
  for (const node of [at.a, at.b, c]) laneOf(node).hangsOn = markerOf(POISON);
});
afterEach(async () => {
  await c.stop();
  await at.stop();
});

const laneOf = ({ engine }: Node): FakeLane => engine.lanes[0] as FakeLane;

/** Lets the event loop turn until something holds; the test's own limit is the bound. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for a step that does not return, and for its end as the watchdog sees it. */
async function hang({ engine }: Node): Promise<void> {
  await until(() => engine.lanes.some((lane) => lane.hangs));
  engine.pass(LIMIT_MS);
  for (let look = 0; look < 5; look++) engine.batcher.lookForHung();
}

/** A client that is on one server after the other. */
class Speaker {
  client!: TestClient;
  private readonly audio: Uint8Array;
  /** What it was told on earlier servers. */
  private readonly before: Message[] = [];

  constructor(audio: Int16Array) {
    this.audio = bytesOf(audio);
  }

  async start(node: Node): Promise<this> {
    this.client = await TestClient.recording(node.ws);
    return this;
  }

  say(from: number, to?: number): Promise<void> {
    return this.client.audio(this.audio.subarray(2 * from, to && 2 * to));
  }

  /** Goes on at another server, and sends what was not acknowledged. */
  async moveTo(node: Node): Promise<Message> {
    this.before.push(...this.client.received);
    const token = this.before.findLast(({ resume_token }) => resume_token !== undefined)?.resume_token;
    const last = this.before.findLast(({ type, seq }) => seq !== undefined && type !== 'resumed')?.seq;
    const query = `&resume=${token}&last_seq=${last}&events=${eventsOf(this.before)}`;
    this.client = new TestClient(`${node.ws}${query}`);
    const first = await this.client.first();
    if (first.type === 'resumed') await this.say(first.received_samples);
    return first;
  }

  async stop(): Promise<string> {
    this.client.say({ type: 'stop_recording' });
    const { final_transcript } = await this.client.until('recording_stopped');
    await this.client.close();
    return final_transcript;
  }
}

/** Three streams on the first server, the last two of which are in one step when it hangs. */
async function hangTogether(): Promise<[Speaker, Speaker, Speaker]> {
  const all: [Speaker, Speaker, Speaker] = [new Speaker(SOUND), new Speaker(SOUND), new Speaker(POISONED)];
  for (const speaker of all) {
    await speaker.start(at.a);
    await speaker.say(0, 2 * CHUNK);
    await speaker.client.until('partial');
  }
  const lane = laneOf(at.a);
  await until(() => lane.slots.length === 0 && at.a.engine.waiting === 0);
  lane.auto = false;
  await all[0].say(2 * CHUNK, 3 * CHUNK);
  await until(() => lane.slots.length === 1);
  for (const speaker of all.slice(1)) await speaker.say(2 * CHUNK, 4 * CHUNK);
  await until(() => at.a.engine.waiting === 2);
  lane.finish();
  await until(() => lane.slots.length === 2);
  lane.auto = true;
  lane.finish();
  await hang(at.a);
  return all;
}

test('it ends two servers at most and is then given up by its code; its neighbours lose nothing', async () => {
  const [first, second, poisoned] = await hangTogether();
  for (const { client } of [first, second, poisoned]) {
    assert.equal(await client.closed(), 1001);
    assert.equal(client.received.at(-1)?.type, 'moving');
  }
  for (const speaker of [poisoned, second, first]) assert.equal((await speaker.moveTo(at.b)).type, 'resumed');
  await hang(at.b);
  for (const { client } of [first, second, poisoned]) assert.equal(await client.closed(), 1001);
  for (const speaker of [poisoned, second, first]) assert.equal((await speaker.moveTo(c)).type, 'resumed');
  await hang(c);
  assert.equal(await poisoned.client.closed(), 1003);
  const [error] = poisoned.client.all('error');
  assert.deepEqual([error?.code, error?.retryable], ['AUDIO_FAILED', false]);
  assert.deepEqual([await first.stop(), await second.stop()], ['one two', 'one two']);
  assert.equal(c.server.context.lifecycle.getSnapshot().status, 'active', 'the last server goes on');
  assert.equal(c.server.context.metrics.errors.get('AUDIO_FAILED'), 1);
  await until(() => [...at.fleet.held.values()].every(({ record }) => record === null)); // no server can continue one
});

test('nor more where it hangs in a flush, when its record is older than its blame', async () => {
  const cut = spoken(2.5 * CHUNK, [[0, 'one'], [2 * CHUNK + 9, POISON]]); // biome-ignore format: short
  const poisoned = await new Speaker(cut).start(at.a);
  const others = await Promise.all([0, 1].map(() => new Speaker(SOUND).start(at.a)));
  await poisoned.say(0);
  await poisoned.client.until('partial');
  await until(() => at.fleet.writes > 3);
  for (const node of [at.a, at.b]) {
    poisoned.client.say({ type: 'stop_recording' });
    await hang(node);
    assert.equal(await poisoned.client.closed(), 1001);
    const next = node === at.a ? at.b : c;
    assert.equal((await poisoned.moveTo(next)).type, 'resumed');
    for (const other of others) assert.equal((await other.moveTo(next)).type, 'resumed');
  }
  poisoned.client.say({ type: 'stop_recording' });
  await hang(c);
  assert.equal(await poisoned.client.closed(), 1003);
  assert.equal(poisoned.client.all('error')[0]?.code, 'AUDIO_FAILED');
  for (const other of others) assert.equal(await other.stop(), 'one two');
});

test('the client library does not send it again', async () => {
  const { server } = at.a;
  let connections = 0;
  server.app.server.on('upgrade', () => {
    connections++;
  });
  const url = `ws://127.0.0.1:${server.port}/ws/transcribe`;
  const client = new RNNTClient({ url, WebSocket: WebSocket as never, fetch });
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  await client.start();
  const sent = client.sendAll(POISONED);
  const stopped = sent.then(() => client.stop());
  const refused = assert.rejects(stopped, { code: 'AUDIO_FAILED', retryable: false });
  for (let i = 0; i < 3; i++) await hang(at.a);
  await refused;
  assert.deepEqual(errors, ['AUDIO_FAILED']);
  assert.equal(connections, 1);
  client.close();
});
