/** Clients that stop sending: what they said is told, and their places become free. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { BOUNDS, type FakeSessionOptions, openFakeSession } from '../helpers/fake-session.js';

const START = { type: 'start_recording' };

/** One word was said, and nothing came for `silentMs`. */
async function muted(silentMs: number, options: FakeSessionOptions = {}) {
  const opened = openFakeSession(options);
  opened.say(START);
  opened.speak(2_000, [[0, 'one']]);
  await opened.engine.settle();
  opened.session.watch.audioMs -= silentMs;
  return opened;
}

test('an idle connection in the middle of a recording: its words are told, then it is closed', async () => {
  const { engine, session, socket } = await muted(0);
  session.watch.heardMs -= BOUNDS.idleMs + 1;
  session.sweep(performance.now());
  assert.deepEqual(socket.closings, []);
  await engine.settle();
  const final = socket.last('transcription');
  assert.deepEqual([final.text, final.reason], ['one', 'timeout']);
  assert.equal(socket.last('recording_stopped').final_transcript, 'one');
  assert.deepEqual(socket.types.slice(-3), ['transcription', 'recording_stopped', 'error']);
  assert.deepEqual([socket.errors, socket.closeCode], [['IDLE_TIMEOUT'], 4408]);
  assert.equal(engine.table.leased, 0);
});

test('an answered ping is a sign of life of the connection', () => {
  const { session, socket } = openFakeSession();
  session.watch.heardMs -= BOUNDS.idleMs + 1;
  session.onAlive();
  session.sweep(performance.now());
  assert.deepEqual(socket.closings, []);
});

test('a recording without audio is ended at a longer bound, and its connection stays', async () => {
  const { engine, session, socket, say } = await muted(BOUNDS.noAudioMs + 1);
  session.sweep(performance.now());
  await engine.settle();
  assert.equal(socket.last('warning').code, 'RECORDING_TIMEOUT');
  assert.equal(socket.last('recording_stopped').final_transcript, 'one');
  assert.deepEqual([session.activity, socket.closings, engine.table.leased], ['idle', [], 0]);
  say(START);
  assert.equal(session.activity, 'recording');
});

test('keepalives keep the connection, not the recording', async () => {
  const { engine, session, socket, say } = await muted(BOUNDS.noAudioMs + 1);
  say({ type: 'keepalive' });
  session.sweep(performance.now());
  await engine.settle();
  assert.equal(socket.types.at(-1), 'recording_stopped');
});

test('who stops sending in mid-sentence has it finalised after a pause, and the recording goes on', async () => {
  const { engine, session, socket, speak, say } = await muted(LIMITS.pauseMs + 1);
  session.sweep(performance.now());
  await engine.settle();
  const final = socket.last('transcription');
  assert.deepEqual([final.text, final.reason], ['one', 'timeout']);
  assert.equal(session.activity, 'recording');
  speak(2_000, [[0, 'two']]);
  say({ type: 'stop_recording' });
  await engine.settle();
  assert.equal(socket.last('recording_stopped').final_transcript, 'one two');
});

test('the pause is longer where a longer silence ends a segment', async () => {
  const { engine, session, socket } = await muted(0, { defaults: { silence_duration: 2 } });
  session.sweep(session.watch.audioMs + 9_900);
  await engine.settle();
  assert.deepEqual(socket.of('transcription'), []);
  session.sweep(session.watch.audioMs + 10_100);
  await engine.settle();
  assert.equal(socket.last('transcription').reason, 'timeout');
});

test('a pause is answered once, and only if something was said', async () => {
  const { engine, session, socket } = await muted(LIMITS.pauseMs + 1);
  for (let i = 0; i < 3; i++) {
    session.sweep(performance.now());
    await engine.settle();
  }
  assert.equal(socket.of('transcription').length, 1);
  const quiet = openFakeSession();
  quiet.say(START);
  quiet.session.watch.audioMs -= LIMITS.pauseMs + 1;
  const before = quiet.engine.stats.steps;
  quiet.session.sweep(performance.now());
  await quiet.engine.settle();
  assert.deepEqual([quiet.socket.of('transcription'), quiet.engine.stats.steps], [[], before]);
});

test('clients that resume finalise by themselves: their pause is their own affair', async () => {
  const { engine, session, socket } = await muted(LIMITS.pauseMs + 1, { query: '?resumable=1' });
  session.sweep(performance.now());
  await engine.settle();
  assert.deepEqual(socket.of('transcription'), []);
});

test('a client whose socket the server does not read is not to blame for its silence', async () => {
  const { engine, session, socket, speak, say } = openFakeSession({ ringSeconds: 1 });
  say(START);
  speak(20_000, [[0, 'one']]);
  assert.ok(socket.paused);
  session.watch.audioMs -= BOUNDS.noAudioMs + 1;
  session.watch.heardMs -= BOUNDS.idleMs + 1;
  session.sweep(performance.now());
  assert.equal(session.activity, 'recording');
  await engine.settle();
  assert.equal(socket.paused, false);
  session.sweep(performance.now());
  await engine.settle();
  assert.deepEqual(socket.of('transcription'), [], 'and its clocks begin anew when it is read again');
});

test('the same audio with a pause in it, sent at once or with a finalised pause, has the same words', async () => {
  const sent = async (pause: boolean) => {
    const { engine, session, socket, speak, say } = openFakeSession();
    say(START);
    speak(CHUNK * 2, [[0, 'one']]);
    await engine.settle();
    if (pause) session.watch.audioMs -= LIMITS.pauseMs + 1;
    session.sweep(performance.now());
    await engine.settle();
    session.onFrame(bytesOf(spoken(CHUNK * 2, [[0, 'two']])));
    say({ type: 'stop_recording' });
    await engine.settle();
    return socket.last('recording_stopped');
  };
  const [plain, paused] = [await sent(false), await sent(true)];
  assert.equal(paused.final_transcript, plain.final_transcript);
  assert.deepEqual([plain.total_segments, paused.total_segments], [1, 2], 'segments are where it shows');
});
