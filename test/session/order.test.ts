/** A WebSocket orders what a client sends; the session takes it in that order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CodecPool } from '../../src/codec/pool.js';
import { LIMITS } from '../../src/limits.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import { openFakeSession } from '../helpers/fake-session.js';

const START = { type: 'start_recording' };
const STOP = { type: 'stop_recording' };

test('stop, configure and start back to back: the second recording has the new rate', async () => {
  const { engine, socket, session, context, say } = openFakeSession();
  Object.assign(context, { codecPool: new CodecPool({ streamSlab: engine.table.slab, slots: 4 }) });
  say(START);
  session.onFrame(bytesOf(spoken(CHUNK)));
  say(STOP);
  say({ type: 'configure', sample_rate: 48_000 });
  say(START);
  await engine.settle();
  assert.deepEqual(socket.errors, []);
  assert.deepEqual(socket.types.slice(1), [
    'recording_started',
    'recording_stopped',
    'configured',
    'recording_started',
  ]);
  assert.equal(socket.last('recording_started').config.sample_rate, 48_000);
  session.onSocketClosed();
  await context.codecPool.close();
});

test('whatever comes behind a stop is answered behind it: pings, mistakes, commands', async () => {
  const { engine, socket, session, say } = openFakeSession();
  say(START);
  session.onFrame(bytesOf(spoken(2_000, [[0, 'one']])));
  say(STOP);
  say({ type: 'ping' });
  session.onFrame('{');
  say(STOP);
  session.onFrame(bytesOf(spoken(CHUNK)));
  assert.deepEqual([socket.types.at(-1), socket.paused], ['recording_started', true]);
  await engine.settle();
  const behind = socket.messages.slice(socket.types.indexOf('recording_stopped'));
  assert.deepEqual(
    behind.map((message) => ('code' in message ? message.code : message.type)),
    ['recording_stopped', 'pong', 'INVALID_JSON', 'NOT_RECORDING', 'AUDIO_IGNORED'],
  );
  assert.equal(socket.paused, false);
});

test('a start in the middle of a recording is refused, one behind its stop is not', async () => {
  const { engine, socket, say } = openFakeSession();
  for (const message of [START, START, STOP, START, STOP]) say(message);
  await engine.settle();
  assert.deepEqual(socket.errors, ['ALREADY_RECORDING']);
  assert.equal(socket.of('recording_stopped').length, 2);
});

test('a session never loses its place to itself: stop and start with one slot', async () => {
  const { engine, socket, say } = openFakeSession({ slots: 1 });
  for (let i = 0; i < 5; i++) {
    say(START);
    say(STOP);
  }
  await engine.settle();
  assert.deepEqual([socket.errors, socket.of('recording_stopped').length], [[], 5]);
  assert.equal(engine.table.leased, 0);
});

test('finalize holds what follows until its cut is in the ring', async () => {
  const { engine, socket, session, say } = openFakeSession({ ringSeconds: 1 });
  say(START);
  session.onFrame(bytesOf(spoken(20_000, [[19_000, 'one']]))); // more than the ring has room for
  say({ type: 'finalize' });
  say({ type: 'ping' });
  assert.deepEqual(socket.of('pong'), []);
  await engine.settle();
  assert.equal(socket.of('pong').length, 1);
  assert.equal(socket.last('transcription').text, 'one');
});

test('a drain while a finalize waits for its cut ends the recording all the same', async () => {
  const { engine, socket, session, say } = openFakeSession({ ringSeconds: 1 });
  say(START);
  session.onFrame(bytesOf(spoken(20_000, [[19_000, 'one']])));
  say({ type: 'finalize' });
  session.actor.send({ type: 'DRAIN' });
  await engine.settle();
  assert.deepEqual([socket.last('recording_stopped').final_transcript, socket.closeCode], ['one', 1001]);
  assert.equal(engine.table.leased, 0);
});

test('however a client mixes its messages, each is answered once and in order', async () => {
  const message = fc.constantFrom('start', 'stop', 'ping', 'configure', 'audio', 'wait');
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 30 }), async (sent) => {
      const { engine, socket, session, say } = openFakeSession();
      const expected: string[] = [];
      let recording = false;
      for (const it of sent) {
        if (it === 'wait') await engine.round();
        if (it === 'audio') session.onFrame(bytesOf(marked(100, [])));
        if (it === 'ping') say({ type: 'ping' });
        if (it === 'configure') say({ type: 'configure', words: true });
        if (it === 'start') say(START);
        if (it === 'stop') say(STOP);
        if (it === 'ping') expected.push('pong');
        if (it === 'configure') expected.push('configured');
        if (it === 'start') expected.push(recording ? 'error' : 'recording_started');
        if (it === 'stop') expected.push(recording ? 'recording_stopped' : 'error');
        if (it === 'start') recording = true;
        if (it === 'stop') recording = false;
      }
      await engine.settle();
      const told = socket.types.filter((type) => type !== 'connection' && type !== 'warning');
      assert.deepEqual(told, expected);
    }),
    { seed: 17, numRuns: 150 },
  );
});

// ---- limits -------------------------------------------------------------------------------------------------

for (const [name, text] of [
  ['unknown messages', '{"type":"dance"}'],
  ['unreadable text', '{'],
] as const) {
  test(`a flood of ${name} ends the session at the rate limit, as one of pings does`, (t) => {
    const nowMs = performance.now();
    t.mock.method(performance, 'now', () => nowMs); // no more become allowed meanwhile
    const { session, socket } = openFakeSession();
    for (let i = 0; i < 20_000; i++) session.onFrame(text);
    assert.ok(socket.messages.length <= LIMITS.controlBurst + 3, `${socket.messages.length} answers`);
    assert.deepEqual([socket.errors.at(-1), socket.closeCode], ['RATE_LIMITED', 4429]);
    assert.equal(session.activity, 'closed');
  });
}

test('controls in binary frames count as well', () => {
  const { session, socket } = openFakeSession();
  for (let i = 0; i < 1_000; i++) session.onFrame(Buffer.from('{"type":"keepalive"}'));
  assert.equal(socket.closeCode, 4429);
});

test('a session of twenty hours is not closed for its length: the end of its transcript is told', async () => {
  const { engine, socket, session, say } = openFakeSession({
    defaults: { silence_duration: 0.1, words: false },
  });
  say({ ...START, config: { partials: false } });
  socket.bufferedAmount = 0;
  const send = socket.send.bind(socket);
  socket.send = (frame) => {
    // Nothing is read while the last messages come: what waits must stay below the bound.
    if (String(frame).includes('"recording_stopped"')) socket.bufferedAmount += frame.length;
    send(frame);
  };
  const phrase = 'three seven '.repeat(12).trim().split(' ');
  const tokens = phrase.map((word, i): [number, string] => [i * 800, word]);
  const pieces = Math.ceil((1.2 * LIMITS.maxFinalTranscriptChars) / phrase.join(' ').length);
  for (let i = 0; i < pieces; i++) {
    session.onFrame(bytesOf(spoken(phrase.length * 800, tokens)));
    session.onFrame(bytesOf(marked(CHUNK * 3, [])));
    await engine.settle();
  }
  say(STOP);
  await engine.settle();
  const stopped = socket.last('recording_stopped');
  assert.deepEqual([socket.errors, socket.closings], [[], []]);
  assert.equal(stopped.final_transcript_truncated, true);
  assert.ok(stopped.final_transcript.length <= LIMITS.maxFinalTranscriptChars);
  assert.ok(stopped.final_transcript.length > 0.9 * LIMITS.maxFinalTranscriptChars);
  assert.ok(socket.bufferedAmount < LIMITS.outboxHardBytes);
  assert.equal(stopped.total_segments, socket.of('transcription').length);
});

test('a reader that was slow gets no partial after recording_stopped', async () => {
  const { engine, socket, session, say } = openFakeSession();
  say(START);
  socket.bufferedAmount = LIMITS.outboxSoftBytes + 1;
  session.onFrame(bytesOf(spoken(CHUNK * 2, [[0, 'one']])));
  await engine.settle();
  say(STOP);
  await engine.settle();
  socket.bufferedAmount = 0;
  session.sweep(performance.now());
  assert.equal(socket.types.at(-1), 'recording_stopped');
  assert.deepEqual(socket.of('partial'), []);
});
