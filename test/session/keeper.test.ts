/** When a session's record is written, what an acknowledgement says, and what happens when the store does not do its part. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import { Keeper, type Kept } from '../../src/session/keeper.js';
import { hashOf } from '../../src/session/resume-desk.js';
import { FakeFleet, type FakeNode, FINGERPRINT, turns } from '../helpers/fake-fleet.js';
import { CHUNK } from '../helpers/fake-model.js';
import { silentLog } from '../helpers/fake-session.js';
import { FakeTransport } from '../helpers/fake-transport.js';

let fleet: FakeFleet;
let node: FakeNode;
beforeEach(async () => {
  fleet = new FakeFleet();
  node = fleet.node();
  await turns();
});

const writes = (): number => fleet.store.writes;

/** So much audio comes and is recognised, so much time passes, and the sweep looks. */
async function go(chunks: number, ms: number): Promise<void> {
  if (chunks > 0) node.speak(chunks * CHUNK);
  await node.engine.settle();
  fleet.nowMs += ms;
  node.session.sweep(performance.now());
  await turns();
}

const acks = (): (number | undefined)[] => node.socket.of('ack').map((ack) => ack.received_samples);

test('once when the session opens, at once when a recording begins and when it ends', async () => {
  assert.equal(writes(), 1);
  node.say({ type: 'start_recording' });
  await turns();
  assert.equal(writes(), 2);
  node.say({ type: 'stop_recording' });
  await node.engine.settle();
  await turns();
  assert.equal(writes(), 3);
});

test('while recording once a second at most, and only if something has changed', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  for (let i = 0; i < 10; i++) await go(1, 100);
  await go(1, 100);
  assert.equal(writes(), 3);
  await go(0, 2_000);
  await go(0, 2_000);
  assert.equal(writes(), 4, 'the last audio, once');
});

test('as seldom as its bytes are affordable', async () => {
  const { store } = node;
  const keeping = { store, fingerprint: new Uint8Array(32), bytesPerSecond: 100, ttlMs: 60_000 };
  node = { ...fleet.node({ keeping: { ...keeping, now: () => fleet.nowMs } }), store };
  node.say({ type: 'start_recording' });
  await turns();
  const [before, bytesBefore] = [writes(), fleet.store.bytes];
  for (let i = 0; i < 60; i++) await go(1, 1_000);
  const each = (fleet.store.bytes - bytesBefore) / (writes() - before);
  assert.ok(writes() > before);
  assert.ok(writes() - before <= Math.ceil(60 / (each / 100)) + 1, `${writes() - before} of ${each} bytes`);
});

test('one write at a time: what changes meanwhile is in the next', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  node.store.stall();
  for (let i = 0; i < 5; i++) await go(1, 2_000);
  const before = writes();
  node.store.answer();
  await turns();
  assert.equal(writes(), before + 2);
});

test('nor does a flush have another one beside it', async () => {
  node.store.stall();
  node.say({ type: 'start_recording' });
  const kept = node.session.handover.keep();
  await turns();
  assert.equal(node.store.stalled, 1);
  node.store.answer();
  assert.equal(await kept, true);
});

test('an acknowledgement says what the store has confirmed, and never less than before', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  await go(2, 2_000);
  await go(0, 0);
  node.store.stall();
  await go(2, 2_000);
  await go(0, 0);
  assert.deepEqual(acks().slice(-3), [2 * CHUNK, 2 * CHUNK, 2 * CHUNK]);
});

test('while the store cannot be reached it says what this server has', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  node.store.away = true;
  await go(2, 2_000);
  assert.equal(acks().at(-1), 2 * CHUNK);
});

test('neither does it wait for ever for a store that fails every call', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  node.store.failing = true;
  await go(2, 2_000);
  assert.equal(acks().at(-1), 0);
  await go(2, LIMITS.recordMarginMs + 1_000);
  await go(0, 0);
  assert.equal(acks().at(-1), 4 * CHUNK);
});

test('a write that fails is followed by the next, a second later', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  const before = writes();
  node.store.failing = true;
  await go(1, 2_000);
  node.store.failing = false;
  await go(1, 500);
  assert.equal(writes(), before);
  await go(1, 600);
  assert.equal(writes(), before + 1);
});

test('a record that does not change is kept alive, also while its client is away', async () => {
  node.session.onAlive(); // it has its token
  node.session.onSocketClosed();
  const { touches } = fleet.store;
  await go(0, LIMITS.recordTouchMs + 1);
  await go(0, LIMITS.recordTouchMs + 1);
  assert.equal(fleet.store.touches, touches + 2);
});

test('a record that the store has lost is written again', async () => {
  fleet.store.held.clear();
  await go(0, LIMITS.recordTouchMs + 1);
  await go(0, 2_000);
  assert.equal(fleet.store.held.size, 1);
});

test('a session that another server has taken ends here, and says nothing', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  for (const held of fleet.store.held.values()) held.epoch++;
  const { length } = node.socket.messages;
  node.speak(CHUNK);
  await go(1, 2_000);
  assert.equal(node.session.activity, 'closed');
  assert.equal(node.socket.closeCode, 4409);
  assert.ok(node.socket.messages.slice(length).every(({ type }) => /ack|partial/.test(type)));
  assert.equal(fleet.store.held.size, 1, 'its record is the other server’s');
});

test('a used token is void at all servers as soon as its client has shown that it has the next, if only by a pong', async () => {
  node.say({ type: 'start_recording' });
  await go(2, 2_000);
  const used = String(node.socket.last('connection').resume_token);
  node.session.onAlive();
  node.session.onSocketClosed();
  const transport = new FakeTransport();
  assert.ok(node.session.resume({ transport, remote: '', token: used, seen: null }));
  await turns();
  const stored = () => [...fleet.store.held.values()][0]?.record?.tokens ?? [];
  assert.ok(stored().includes(hashOf(used)), 'until then its answer may have been lost');
  node.session.onAlive();
  await turns();
  assert.ok(!stored().includes(hashOf(used)));
  assert.ok(stored().includes(hashOf(transport.last('resumed').resume_token)));
  assert.equal(await node.store.take(hashOf(used), ''), null);
  const before = writes();
  for (let i = 0; i < 5; i++) node.session.onAlive();
  await turns();
  assert.equal(writes(), before, 'once');
});

test('a session that waits for its client does not keep the process running', () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  node.session.onAlive();
  node.session.onSocketClosed();
  assert.equal(node.session.activity, 'idle');
  assert.equal(timers(), before);
});

test('whether a session is kept is asked of the store, not remembered', async () => {
  node.say({ type: 'start_recording' });
  await go(2, 2_000);
  await go(0, 0);
  const before = writes();
  assert.equal(await node.session.handover.keep(), true);
  assert.equal(writes(), before, 'nothing has changed');
  node.store.failing = true;
  assert.equal(await node.session.handover.keep(), false);
  node.store.failing = false;
  fleet.store.held.clear();
  assert.equal(await node.session.handover.keep(), true);
  assert.equal(fleet.store.held.size, 1, 'written again');
});

test('a session that cannot be described now has no record to leave by if the store has lost it', async () => {
  node.say({ type: 'start_recording' });
  await go(2, 2_000);
  await go(0, 0);
  node.say({ type: 'stop_recording' });
  fleet.store.held.clear();
  assert.equal(await node.session.handover.keep(), false);
  assert.equal(node.session.handover.leaveIfKept(), false);
});

test('a session that is over leaves nothing behind', async () => {
  node.session.onSocketClosed(true);
  await turns();
  assert.deepEqual([...fleet.store.held.values()].map(({ record }) => record), [null]); // biome-ignore format: short
});

test('nobody goes on with a recording that the clock is about to end', async () => {
  node.say({ type: 'start_recording' });
  await turns();
  node.session.watch.audioMs = performance.now() - 601_000;
  node.session.sweep(performance.now());
  await turns(1);
  assert.deepEqual([...fleet.store.held.values()].map(({ record }) => record?.tokens), [[]]); // biome-ignore format: short
  await node.engine.settle();
  await turns();
  assert.ok(node.socket.last('recording_stopped'));
  assert.equal([...fleet.store.held.values()][0]?.record?.tokens.length, 2);
});

test('sessions that do not resume are not kept', async () => {
  const before = writes();
  fleet.node({ query: '' });
  await turns();
  assert.equal(writes(), before);
});

test('a record to which blame cannot be added stays as it is, and nothing is thrown where nobody could catch it', async () => {
  const told = { phase: 0, events: [0, 0], again: [0, 0] };
  const outbox = { told, sent: { before: 0, frames: [], kinds: '', told } };
  let blame: ReturnType<Kept['blame']> = [];
  let isFlushing = false;
  const language = 'x'.repeat(100); // no record with this can be read
  const described = {
    kept: { configured: { language }, controls: 0, outbox, recording: null },
    securedSamples: 0,
  };
  const kept: Kept = {
    ...{ id: 'odd', key: '', clientId: 'c', log: silentLog },
    tokens: () => ['token'],
    told: () => told,
    blame: () => blame,
    describe: () => (isFlushing ? null : described),
    onTaken: () => {},
  };
  const keeping = { store: node.store, fingerprint: FINGERPRINT, bytesPerSecond: 65_536, ttlMs: 60_000 };
  const keeper = new Keeper({ ...keeping, now: () => fleet.nowMs }, kept, 1);
  assert.equal(await keeper.flush(), true);
  isFlushing = true;
  blame = [{ failures: 1, at: 0 }];
  assert.equal(await keeper.flush(), false);
  assert.equal(keeper.kept, true, 'what was written before');
});
