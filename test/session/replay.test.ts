/** A session of a server with another model, or another arithmetic: it goes on from the last final, on the same timeline. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Claim } from '../../src/session/takeover.js';
import { parseTold } from '../../src/session/told.js';
import { FakeFleet, type FakeNode, turns } from '../helpers/fake-fleet.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import type { FakeTransport } from '../helpers/fake-transport.js';
import { eventsOf } from '../helpers/seen-count.js';

const OTHER = new Uint8Array(32).fill(9);
const ONE = spoken(CHUNK * 3, [[0, 'one']]);
const PAUSE = marked(CHUNK * 12, []);
const TWO = spoken(CHUNK * 2, [[0, 'two']]);
const SPEECH = bytesOf(Int16Array.from([...ONE, ...PAUSE, ...TWO]));

/** What a client says that has everything. */
function claimOf({ messages }: FakeTransport, has = 0): Claim {
  return { seen: messages.at(-1)?.seq ?? 0, told: parseTold(eventsOf(messages)), has };
}

const tokenOf = ({ messages }: FakeTransport): string => {
  const [greeting] = messages;
  return greeting?.type === 'connection' ? (greeting.resume_token ?? '') : '';
};

/** Has told "one" for good, and "two" not yet; all of it is in the store. */
async function recorded(fleet: FakeFleet, config: object = {}): Promise<FakeNode> {
  const node = fleet.node();
  node.say({ type: 'start_recording', config: { vad_events: true, ...config } });
  node.session.onFrame(SPEECH);
  await node.engine.settle();
  await written(fleet, node);
  assert.equal(node.socket.of('transcription').length, 1);
  return node;
}

async function written(fleet: FakeFleet, { session }: FakeNode): Promise<void> {
  fleet.nowMs += 2_000;
  session.sweep(performance.now());
  await turns();
}

test('segment ids, word times and the whole transcript go on', async () => {
  const fleet = new FakeFleet();
  const node = await recorded(fleet);
  const other = fleet.node({}, OTHER);
  const taken = await fleet.take(other, tokenOf(node.socket), claimOf(node.socket));
  assert.ok(taken);
  const { session, transport } = taken;
  const [resumed] = transport.of('resumed');
  const { received_samples: from = -1 } = resumed ?? {};
  const [final] = node.socket.of('transcription');
  const end = (final?.words?.at(-1)?.end ?? 0) * 16_000;
  assert.ok(from >= end && from <= 15 * CHUNK, `${from} samples, the last final ends at ${end}`);
  session.onFrame(SPEECH.subarray(2 * from));
  session.onFrame(JSON.stringify({ type: 'stop_recording' }));
  await other.engine.settle();
  const { segment_id, text, words } = transport.last('transcription');
  assert.deepEqual([segment_id, text, words?.[0]?.start], [2, 'two', 1.5]);
  const stopped = transport.last('recording_stopped');
  assert.deepEqual([stopped.final_transcript, stopped.total_duration], ['one two', 1.7]);
});

test('what was open on the screen is replaced by the next partial, whatever it says', async () => {
  const fleet = new FakeFleet();
  const node = await recorded(fleet);
  assert.equal(node.socket.last('partial').text, 'two');
  const other = fleet.node({}, OTHER);
  const taken = await fleet.take(other, tokenOf(node.socket), claimOf(node.socket));
  const { received_samples: from } = taken!.transport.last('resumed');
  taken!.session.onFrame(SPEECH.subarray(2 * from, 2 * from + 2 * CHUNK));
  await other.engine.settle();
  assert.equal(taken!.transport.of('partial')[0]?.text, '');
});

test('a client that lacks the audio since the last final gets a fresh session, and records it there', async () => {
  const fleet = new FakeFleet();
  const node = await recorded(fleet);
  const claim = claimOf(node.socket, 16 * CHUNK);
  const taking = fleet.take(fleet.node({}, OTHER), tokenOf(node.socket), claim);
  await assert.rejects(taking, { code: 'RESUME_EXPIRED' });
});

test('a client that was told more than was kept gets a fresh session: another model would tell something else', async () => {
  const fleet = new FakeFleet();
  const node = await recorded(fleet);
  node.say({ type: 'finalize' });
  await node.engine.settle();
  node.store.dead = true;
  const taking = fleet.take(fleet.node({}, OTHER), tokenOf(node.socket), claimOf(node.socket));
  await assert.rejects(taking, { code: 'RESUME_EXPIRED' });
});

test('at a rate that shares little with 16 kHz the client is asked for whole frames', async () => {
  const fleet = new FakeFleet();
  const node = fleet.node({ codec: true });
  node.say({ type: 'start_recording', config: { sample_rate: 11_025 } });
  node.session.onFrame(bytesOf(new Int16Array(11_025)));
  while (node.session.summary().audioSeconds < 0.9) await turns();
  await node.engine.settle();
  await written(fleet, node);
  const other = fleet.node({ codec: true }, OTHER);
  const taken = await fleet.take(other, tokenOf(node.socket), claimOf(node.socket));
  const { received_samples: from } = taken!.transport.last('resumed');
  assert.equal((from * 11_025) % 16_000, 0);
  await Promise.all([node, other].map(({ context }) => context.codecPool.close()));
});
