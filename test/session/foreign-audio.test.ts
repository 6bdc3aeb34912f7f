/** What is no samples is told by name; a WAV header says what the samples are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { openFakeSession } from '../helpers/fake-session.js';

const START = { type: 'start_recording' };
const STOP = { type: 'stop_recording' };
const FLAC = Buffer.from('fLaC\0\0\0\x22');

function wavHeader(channels: number, bits: number, tag = 1): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF\xff\xff\xff\xffWAVEfmt ', 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(tag, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(16_000, 24);
  header.writeUInt16LE(bits, 34);
  header.write('data\xff\xff\xff\xff', 36, 'latin1');
  return header;
}

test('audio that is not decoded live is refused once, by its name, and the session can record again', async () => {
  const { engine, socket, session, metrics, say, speak } = openFakeSession();
  say(START);
  session.onFrame(FLAC);
  session.onFrame(new Uint8Array(1_000));
  assert.deepEqual(socket.errors, ['UNSUPPORTED_ENCODING']);
  assert.match(socket.last('error').detail ?? '', /FLAC/);
  assert.equal(metrics.ignoredFrames, 1);
  say(STOP);
  await engine.settle();
  assert.deepEqual([socket.last('recording_stopped').total_duration, socket.closings], [0, []]);
  say(START);
  speak(CHUNK, [[0, 'one']]);
  say(STOP);
  await engine.settle();
  assert.equal(socket.last('recording_stopped').final_transcript, 'one');
});

test('a WAV of another sample format is refused by name', () => {
  const { socket, session, say } = openFakeSession();
  say(START);
  session.onFrame(wavHeader(1, 24));
  assert.match(socket.last('error').detail ?? '', /24 bits/);
});

test('a WAV header of the format asked for is skipped, however it is cut', async () => {
  const { engine, socket, session, say } = openFakeSession();
  say(START);
  const file = Buffer.concat([wavHeader(1, 16), bytesOf(spoken(CHUNK, [[0, 'one']]))]);
  for (const piece of [file.subarray(0, 3), file.subarray(3, 50), file.subarray(50)]) session.onFrame(piece);
  say(STOP);
  await engine.settle();
  assert.deepEqual(socket.of('configured'), []);
  const stopped = socket.last('recording_stopped');
  assert.deepEqual([stopped.final_transcript, stopped.total_duration], ['one', 0.1]);
});

test('a WAV header of another format sets it for this recording, and the client is told', async () => {
  const { engine, socket, session, say } = openFakeSession();
  say(START);
  const mono = spoken(CHUNK, [[0, 'one']]);
  const stereo = new Int16Array(mono.length * 2);
  for (let i = 0; i < stereo.length; i++) stereo[i] = mono[i >> 1]!;
  session.onFrame(Buffer.concat([wavHeader(2, 16), bytesOf(stereo)]));
  assert.equal(socket.last('configured').config.channels, 2);
  say(STOP);
  await engine.settle();
  const stopped = socket.last('recording_stopped');
  assert.deepEqual([stopped.final_transcript, stopped.total_duration], ['one', 0.1]);
  say(START);
  assert.equal(socket.last('recording_started').config.channels, 1);
});

test('the first bytes of a recording are samples if nothing more comes', async () => {
  const { engine, socket, session, metrics, say } = openFakeSession();
  say(START);
  session.onFrame(Buffer.from('RIFF')); // two samples, or the start of a file
  say(STOP);
  await engine.settle();
  assert.deepEqual([socket.errors, metrics.audioSamples], [[], 2]);
});
