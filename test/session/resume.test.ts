/** A session whose connection breaks: what is kept, what is told again, and where the client goes on. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import {
  type FakeSession,
  type FakeSessionOptions,
  joinSession,
  openFakeSession,
} from '../helpers/fake-session.js';
import { FakeTransport } from '../helpers/fake-transport.js';

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

const quiet = (samples: number) => bytesOf(marked(samples, []));
const START = { type: 'start_recording' };
const STOP = { type: 'stop_recording' };
const FINALIZE = { type: 'finalize' };

/** A resumable session whose client has shown that it has its token, and records. */
function recording(options: FakeSessionOptions = {}, config: object = {}): FakeSession {
  const fake = openFakeSession({ query: '?resumable=1', ...options });
  fake.say({ ...START, config });
  return fake;
}

/** The client is back, with the newest token and all messages that it has got, if nothing else is said. */
function back(fake: FakeSession, from: FakeTransport = fake.socket, seen: number | null = seqOf(from)) {
  const socket = new FakeTransport();
  const taken = fake.session.resume({ transport: socket, remote: '', token: tokenOf(from), seen });
  return { socket, taken };
}

const seqOf = (socket: FakeTransport): number =>
  socket.messages.filter(({ type }) => type !== 'resumed').at(-1)?.seq ?? 0;

function tokenOf(socket: FakeTransport): string {
  const [first] = socket.messages;
  if (first?.type !== 'connection' && first?.type !== 'resumed') throw new Error('no token');
  return first.resume_token ?? '';
}

test('after a cut the session goes on: what is said meanwhile is told once, with the next number', async () => {
  const fake = recording();
  const { engine, session, socket } = fake;
  fake.speak(4_000, [[0, 'one']]);
  await engine.settle();
  const seen = seqOf(socket);
  fake.speak(4_000, [[0, 'two']]);
  session.onFrame(quiet(16_000));
  session.onSocketClosed();
  await engine.settle();
  assert.equal(session.activity, 'recording');
  const again = back(fake, socket, seen);
  assert.ok(again.taken);
  const [resumed, ...missed] = again.socket.messages;
  assert.deepEqual(
    { ...resumed, resume_token: '' },
    {
      type: 'resumed',
      received_samples: 24_000,
      received_controls: 0,
      state: 'recording',
      resume_token: '',
      seq: seen,
    },
  );
  assert.deepEqual(missed.map(({ seq }) => seq), missed.map((_, i) => seen + i + 1)); // biome-ignore format: short
  assert.equal(again.socket.last('transcription').text, 'one two');
});

test('messages that the client has are not told again', async () => {
  const fake = recording();
  fake.speak(4_000, [[0, 'one']]);
  fake.say(FINALIZE);
  await fake.engine.settle();
  fake.session.onSocketClosed();
  assert.deepEqual(back(fake).socket.types, ['resumed']);
});

test('a client that does not say what it has gets all that is not known to be delivered', async () => {
  const fake = recording();
  fake.session.onDelivered(1);
  fake.session.onSocketClosed();
  assert.deepEqual(back(fake, fake.socket, null).socket.types, ['resumed', 'recording_started']);
});

test('what was delivered is forgotten: a client that lacks it cannot resume', () => {
  const fake = recording();
  fake.session.onDelivered(2);
  fake.session.onSocketClosed();
  assert.equal(back(fake, fake.socket, 1).taken, false);
  assert.equal(back(fake, fake.socket, 2).taken, true);
});

test('a client that claims messages that were never sent cannot resume', () => {
  const fake = recording();
  fake.session.onSocketClosed();
  assert.equal(back(fake, fake.socket, 99).taken, false);
});

test('delivery is asked for once a second, and never behind a jam', () => {
  const { session, socket } = recording();
  socket.marks.length = 0;
  session.sweep(performance.now());
  assert.deepEqual(socket.marks, [seqOf(socket)]);
  session.onDelivered(seqOf(socket));
  session.sweep(performance.now());
  assert.equal(socket.marks.length, 2, 'the acknowledgement is a message, too');
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  session.sweep(performance.now());
  assert.equal(socket.marks.length, 2);
});

test('half a sample is forgotten, and what was begun behind it', () => {
  const fake = recording();
  fake.session.onFrame(new Uint8Array(3_201));
  fake.session.onSocketClosed();
  const { socket } = back(fake);
  assert.equal(socket.last('resumed').received_samples, 1_600);
  fake.session.onFrame(bytesOf(spoken(160)));
  fake.session.onSocketClosed();
  assert.equal(back(fake, socket).socket.last('resumed').received_samples, 1_760);
});

test('a header that has not come whole comes again from its beginning', () => {
  const fake = recording();
  fake.session.onFrame(new Uint8Array(Buffer.from('RIFF')));
  fake.session.onSocketClosed();
  assert.equal(back(fake).socket.last('resumed').received_samples, 0);
  fake.session.onFrame(bytesOf(spoken(1_600)));
  assert.equal(fake.session.summary().audioSeconds, 0.1, 'and the four bytes are no audio');
});

test('a header counts among what the client has sent', () => {
  const fake = recording();
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(16_000, 24);
  header.writeUInt32LE(32_000, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  fake.session.onFrame(new Uint8Array([...header, ...new Uint8Array(3_200)]));
  fake.session.onSocketClosed();
  assert.equal(back(fake).socket.last('resumed').received_samples, 1_622);
  assert.equal(fake.session.summary().audioSeconds, 0.1);
});

test('finalize, configure and stop are counted from the start on; signs of life are not', async () => {
  const fake = recording();
  for (const message of [
    FINALIZE,
    { type: 'ping' },
    { type: 'configure', sample_rate: 1 },
    { type: 'keepalive' },
  ]) {
    fake.say(message);
    await fake.engine.settle();
  }
  fake.session.onSocketClosed();
  assert.equal(
    back(fake).socket.last('resumed').received_controls,
    2,
    'one that is refused was received, too',
  );
});

test('frames behind a flush come again: nobody had looked at them', async () => {
  const fake = recording();
  fake.speak(2_000, [[0, 'one']]);
  fake.say(STOP);
  fake.say(START);
  fake.session.onSocketClosed();
  await fake.engine.settle();
  const { socket } = back(fake);
  assert.equal(socket.messages[0]?.type === 'resumed' && socket.messages[0].state, 'idle');
  assert.deepEqual(socket.of('recording_stopped').length, 1);
  fake.say(START);
  assert.equal(socket.of('recording_started').length, 1);
});

test('back during the flush of its stop: the recording is stopping, and its end follows', async () => {
  const fake = recording();
  fake.speak(2_000, [[0, 'one']]);
  fake.say(STOP);
  fake.session.onSocketClosed();
  const { socket } = back(fake);
  const resumed = socket.last('resumed');
  assert.deepEqual(
    [resumed.state, resumed.received_samples, resumed.received_controls],
    ['stopping', 2_000, 1],
  );
  await fake.engine.settle();
  assert.equal(socket.last('recording_stopped').final_transcript, 'one');
});

test('a connection that only looks open is taken over, and what it still brings is not taken', async () => {
  const fake = recording();
  const { socket, taken } = back(fake);
  assert.ok(taken);
  assert.deepEqual(fake.socket.closings, [{ code: 4409, reason: 'CLIENT_ID_IN_USE' }]);
  assert.deepEqual([fake.session.carriedBy(fake.socket), fake.session.carriedBy(socket)], [false, true]);
  const before = fake.socket.messages.length;
  fake.speak(2_000, [[0, 'one']]);
  fake.say(FINALIZE);
  await fake.engine.settle();
  assert.equal(fake.socket.messages.length, before);
  assert.equal(socket.last('transcription').text, 'one');
});

test('partials without a connection are held back unnumbered: only the newest is told', async () => {
  const fake = recording();
  fake.session.onSocketClosed();
  for (const word of ['one', 'two', 'three']) {
    fake.speak(4_000, [[0, word]]);
    await fake.engine.settle();
  }
  const { socket } = back(fake);
  assert.deepEqual(socket.of('partial').map(({ text }) => text), ['one two three']); // biome-ignore format: short
  assert.equal(socket.last('partial').seq, seqOf(fake.socket) + 1);
});

test('without a connection nothing is acknowledged or measured, and no idle timer runs', () => {
  const fake = recording({}, { metrics: true });
  fake.session.onSocketClosed();
  fake.session.watch.heardMs -= 1e9;
  fake.session.watch.audioMs -= 1e9;
  fake.session.sweep(performance.now());
  assert.equal(fake.session.activity, 'recording');
  assert.deepEqual(back(fake).socket.types, ['resumed']);
  fake.session.sweep(performance.now());
  assert.equal(fake.session.activity, 'recording', 'the clocks begin anew with the connection');
});

test('a session waits for the resume window, and its slot is free then', () => {
  const fake = recording({ resumeWindowMs: 30_000 });
  fake.session.onSocketClosed();
  mock.timers.tick(29_999);
  assert.deepEqual([fake.session.activity, fake.engine.table.leased], ['recording', 1]);
  mock.timers.tick(1);
  assert.equal(fake.session.activity, 'closed');
  assert.deepEqual(fake.closed, [fake.session]);
  assert.equal(back(fake).taken, false);
});

test('a client that came back in time has the whole window again', () => {
  const fake = recording({ resumeWindowMs: 30_000 });
  fake.session.onSocketClosed();
  mock.timers.tick(20_000);
  const { socket } = back(fake);
  mock.timers.tick(60_000);
  fake.session.onSocketClosed();
  mock.timers.tick(29_999);
  assert.ok(back(fake, socket).taken);
});

test('who says goodbye ends the session', () => {
  const fake = recording();
  fake.session.onSocketClosed(true);
  assert.equal(fake.session.activity, 'closed');
});

test('a client that never showed that it has its token is not waited for: its client_id is free', () => {
  const { session } = openFakeSession({ query: '?resumable=1' });
  session.onSocketClosed();
  assert.equal(session.activity, 'closed');
});

test('clients that do not resume end with their connection, and get no token', () => {
  const fake = openFakeSession();
  assert.equal(fake.socket.last('connection').resume_token, undefined);
  fake.say(START);
  fake.session.onSocketClosed();
  assert.equal(fake.session.activity, 'closed');
});

test('a reader that falls too far behind is suspended with 1013, and finds all of it when it is back', async () => {
  const fake = recording();
  fake.speak(2_000, [[0, 'one']]);
  fake.socket.bufferedAmount = LIMITS.outboxHardBytes + 1;
  const seen = seqOf(fake.socket);
  fake.say(FINALIZE);
  await fake.engine.settle();
  assert.deepEqual(fake.socket.closings, [{ code: 1013, reason: 'SLOW_READER' }]);
  assert.equal(fake.session.activity, 'recording');
  const { socket } = back(fake, fake.socket, seen);
  assert.equal(socket.last('transcription').text, 'one');
  assert.equal(fake.metrics.errors.get('SLOW_READER'), 1);
});

test('a drain ends a session without a connection as any other', async () => {
  const fake = recording();
  fake.speak(2_000, [[0, 'one']]);
  fake.session.onSocketClosed();
  fake.session.actor.send({ type: 'DRAIN' });
  await fake.engine.settle();
  assert.equal(fake.session.activity, 'closed');
});

test('too many sessions wait: the one that has waited longest ends', () => {
  const first = recording({ desk: { maxSuspended: 1 } });
  const other = joinSession(first.context, { query: '?resumable=1' });
  other.session.onFrame(JSON.stringify({ type: 'ping' }));
  first.session.onSocketClosed();
  other.session.onSocketClosed();
  assert.deepEqual([first.session.activity, other.session.activity], ['closed', 'idle']);
});

test('at 48 kHz the client goes on where both sides count whole samples, and repeats what the server knows', async () => {
  const bytes = new Uint8Array(2 * (CHUNK * 3 + 2));
  const fake = recording({ codec: true }, { sample_rate: 48_000 });
  fake.session.onFrame(bytes);
  fake.session.onSocketClosed();
  const { socket } = back(fake);
  assert.equal(socket.last('resumed').received_samples, CHUNK);
  fake.session.onFrame(new Uint8Array(4));
  fake.session.onSocketClosed();
  const later = back(fake, socket).socket;
  assert.equal(later.last('resumed').received_samples, CHUNK, 'the two frames were known');
  fake.session.onFrame(new Uint8Array(6));
  fake.session.onSocketClosed();
  assert.equal(back(fake, later).socket.last('resumed').received_samples, CHUNK + 1);
  fake.session.onSocketClosed(true);
  await fake.context.codecPool.close();
});
