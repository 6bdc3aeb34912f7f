import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { SessionRegistry } from '../../src/server/registry.js';
import { BOUNDS, openFakeSession, silentLog } from '../helpers/fake-session.js';

beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
afterEach(() => mock.timers.reset());

/** A registry, and sessions that leave it when they close, as the server's do. */
function registryOf() {
  const sweeps: string[] = [];
  const registry = new SessionRegistry(silentLog, () => void sweeps.push('also'));
  const open = () => {
    const fake = openFakeSession();
    fake.context.onClosed = (session) => registry.remove(session);
    registry.add(fake.session);
    return fake;
  };
  return { registry, open, sweeps };
}

test('a session is listed from its opening to its close, by its client_id too', () => {
  const { registry, open } = registryOf();
  const { session } = open();
  assert.deepEqual(
    [registry.size, registry.holder('someone'), [...registry.list()]],
    [1, session, [session]],
  );
  session.onSocketClosed();
  assert.deepEqual([registry.size, registry.holder('someone')], [0, undefined]);
});

test('once a second every session is swept: who is idle is closed', () => {
  const { registry, open, sweeps } = registryOf();
  const busy = open();
  const idle = open();
  idle.session.watch.heardMs -= BOUNDS.idleMs;
  mock.timers.tick(999);
  assert.equal(idle.socket.closings.length, 0);
  mock.timers.tick(1);
  assert.equal(idle.socket.closeCode, 4408);
  assert.equal(busy.socket.closings.length, 0);
  assert.deepEqual([registry.size, sweeps], [1, ['also']]);
  registry.stop();
  mock.timers.tick(5_000);
  assert.equal(sweeps.length, 1);
});

test('sessions are counted by state', () => {
  const { registry, open } = registryOf();
  open();
  const recording = open();
  recording.say({ type: 'start_recording' });
  const flushing = open();
  flushing.say({ type: 'start_recording' });
  flushing.say({ type: 'stop_recording' });
  assert.deepEqual(registry.counts(), { idle: 1, recording: 1, flushing: 1, closed: 0 });
  assert.deepEqual(registry.transports(), { attached: 3, detached: 0 });
});

test('whoever asks is told of openings and closings, until they no longer ask', () => {
  const { registry, open } = registryOf();
  const told: string[] = [];
  const forget = [
    registry.onOpened(() => void told.push('opened')),
    registry.onClosed(() => void told.push('closed')),
  ];
  open().session.onSocketClosed();
  for (const stop of forget) stop();
  open().session.onSocketClosed();
  assert.deepEqual(told, ['opened', 'closed']);
});

test('a drain of nobody is done at once', () => {
  const { registry } = registryOf();
  let done = 0;
  registry.drain(() => void done++);
  assert.equal(done, 1);
});

test('a drain is done when the last recording has been told', async () => {
  const { registry, open } = registryOf();
  const idle = open();
  const busy = open();
  busy.say({ type: 'start_recording' });
  busy.speak(2_000, [[0, 'one']]);
  let done = 0;
  registry.drain(() => void done++);
  assert.equal(idle.socket.closeCode, 1001);
  assert.deepEqual([registry.size, done], [1, 0]);
  await busy.engine.settle();
  assert.equal(busy.socket.last('recording_stopped').final_transcript, 'one');
  assert.deepEqual([registry.size, done], [0, 1]);
});

test('closing all leaves nobody, whatever they were doing', () => {
  const { registry, open } = registryOf();
  open();
  const busy = open();
  busy.say({ type: 'start_recording' });
  registry.closeAll();
  assert.equal(registry.size, 0);
  assert.equal(busy.socket.closeCode, 1001);
});

/** Three sessions, of which the middle one throws whenever it is swept or its machine is told to drain or close. */
function oneOfThreeThrows() {
  const all = registryOf();
  const [first, broken, last] = [all.open(), all.open(), all.open()];
  const throws = () => {
    throw new Error('a defect');
  };
  const { actor } = broken.session;
  const send = actor.send.bind(actor);
  broken.session.sweep = throws;
  actor.send = (event) => (event.type === 'FAULT' ? send(event) : throws());
  return { ...all, first, broken, last };
}

test('a session that throws in the sweep is ended, and the others are swept', () => {
  const { registry, first, broken, last, sweeps } = oneOfThreeThrows();
  for (const { session } of [first, last]) session.watch.heardMs -= BOUNDS.idleMs;
  mock.timers.tick(1_000);
  assert.equal(broken.socket.closeCode, 1011);
  assert.deepEqual([first.socket.closeCode, last.socket.closeCode], [4408, 4408]);
  assert.deepEqual([registry.size, sweeps], [0, ['also']]);
});

test('a session that throws when all are drained or closed is ended, and the others are told', () => {
  const drained = oneOfThreeThrows();
  let done = 0;
  drained.registry.drain(() => void done++);
  const closed = oneOfThreeThrows();
  closed.registry.closeAll();
  for (const { first, broken, last, registry } of [drained, closed]) {
    assert.deepEqual([first, broken, last].map(({ socket }) => socket.closeCode), [1001, 1011, 1001]); // biome-ignore format: short
    assert.equal(registry.size, 0);
  }
  assert.equal(done, 1);
});

test('a watcher that throws keeps no session from coming or going, nor other watchers from being told', () => {
  const { registry, open } = registryOf();
  const told: string[] = [];
  const throws = () => {
    throw new Error('a defect');
  };
  registry.onOpened(throws);
  registry.onClosed(throws);
  registry.onOpened(() => void told.push('opened'));
  registry.onClosed(() => void told.push('closed'));
  open().session.onSocketClosed();
  assert.deepEqual([told, registry.size], [['opened', 'closed'], 0]);
});

test('what follows the sweep may throw: the next sweep comes all the same', () => {
  let rounds = 0;
  const registry = new SessionRegistry(silentLog, () => {
    rounds++;
    throw new Error('a defect');
  });
  mock.timers.tick(3_000);
  assert.equal(rounds, 3);
  registry.stop();
});
