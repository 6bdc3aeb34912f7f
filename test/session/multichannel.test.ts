/** Two channels that are kept apart: a slot and a transcript each, in one recording. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { openFakeSession } from '../helpers/fake-session.js';

const START = { type: 'start_recording', config: { channels: 2, multichannel: true } };

type Tokens = readonly (readonly [number, string])[];

/** Interleaved samples of two speakers. */
function call(samples: number, left: Tokens, right: Tokens): Uint8Array {
  const [one, other] = [spoken(samples, left), spoken(samples, right)];
  return bytesOf(Int16Array.from({ length: 2 * samples }, (_, i) => (i % 2 === 0 ? one : other)[i >> 1]!));
}

test('each channel has partials, finals and speech events of its own, that name it', async () => {
  const { engine, socket, session, say } = openFakeSession();
  say({ ...START, config: { ...START.config, vad_events: true } });
  assert.equal(engine.table.leased, 2);
  const audio = call(CHUNK * 6, [[0, 'one'], [CHUNK, 'two']], [[CHUNK * 3, 'three']]); // biome-ignore format: pairs
  session.onFrame(audio.subarray(0, 4_001));
  session.onFrame(audio.subarray(4_001));
  say({ type: 'stop_recording' });
  await engine.settle();
  const finals = socket.of('transcription');
  assert.deepEqual(
    finals.map(({ channel, text, segment_id }) => [channel, text, segment_id]),
    [
      [0, 'one two', 1],
      [1, 'three', 1],
    ],
  );
  assert.equal(finals[1]?.words?.[0]?.start, 0.3, 'times are those of the recording');
  assert.deepEqual(new Set(socket.of('partial').map(({ channel }) => channel)), new Set([0, 1]));
  assert.ok(socket.of('speech_started').every(({ channel }) => channel === 0 || channel === 1));
  const { total_duration, total_segments } = socket.last('recording_stopped');
  assert.deepEqual([total_duration, total_segments], [0.6, 2]);
  assert.equal(engine.table.leased, 0);
});

test('a finalize cuts both channels', async () => {
  const { engine, socket, session, say } = openFakeSession();
  say(START);
  session.onFrame(call(CHUNK * 2, [[0, 'one']], [[0, 'two']]));
  say({ type: 'finalize' });
  await engine.settle();
  assert.deepEqual(
    socket.of('transcription').map(({ channel, text, reason }) => [channel, text, reason]),
    [
      [0, 'one', 'finalize'],
      [1, 'two', 'finalize'],
    ],
  );
});

test('without room for both channels the recording is refused, and nothing stays taken', async () => {
  const { engine, socket, say } = openFakeSession({ slots: 1 });
  say(START);
  await engine.settle();
  assert.equal(socket.last('error').code, 'AT_CAPACITY');
  assert.equal(engine.table.leased, 0);
});

test('one channel, or none that is to be kept apart, names no channel and takes one slot', async () => {
  for (const config of [{ channels: 1, multichannel: true }, { channels: 2 }]) {
    const { engine, socket, session, say } = openFakeSession();
    say({ type: 'start_recording', config });
    assert.equal(engine.table.leased, 1);
    session.onFrame(
      config.channels === 1 ? bytesOf(spoken(CHUNK, [[0, 'one']])) : call(CHUNK, [[0, 'one']], [[0, 'one']]),
    );
    say({ type: 'stop_recording' });
    await engine.settle();
    const final = socket.last('transcription');
    assert.equal(final.text, 'one');
    assert.equal('channel' in final, false);
  }
});

test('whether channels are kept apart cannot change while recording', () => {
  const { socket, say } = openFakeSession();
  say(START);
  say({ type: 'configure', multichannel: false });
  assert.equal(socket.last('error').code, 'CONFIG_LOCKED');
});
