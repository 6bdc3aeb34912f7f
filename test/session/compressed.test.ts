/** Compressed audio of a session: decoded, cut, stopped and resumed as samples are, and told by name where it cannot be read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deepgram } from '../../src/protocol/dialects/deepgram.js';
import { SILENT_PACKET, track, webmHead, webmOfPackets, webmOfSamples } from '../helpers/containers.js';
import { FakeFleet, turns } from '../helpers/fake-fleet.js';
import { CHUNK, spoken } from '../helpers/fake-model.js';
import { type FakeSession, type FakeSessionOptions, openFakeSession } from '../helpers/fake-session.js';
import { FakeTransport } from '../helpers/fake-transport.js';

const START = { type: 'start_recording' };
const STOP = { type: 'stop_recording' };
const container = { ...START, config: { encoding: 'container' } };
/** Words in samples of 16 kHz, which WebM can carry as they are. */
const webm = (chunks: number, tokens: readonly (readonly [number, string])[], channels = 1) =>
  webmOfSamples(spoken(chunks * CHUNK, tokens), { channels });
const WORDS = [
  [0, 'one'],
  [3 * CHUNK, 'two'],
] as const;

async function withSession(
  options: FakeSessionOptions,
  run: (it: FakeSession) => Promise<void>,
): Promise<void> {
  const it = openFakeSession({ codec: true, ...options });
  try {
    await run(it);
  } finally {
    it.session.onSocketClosed(true);
    await it.context.codecPool.close();
  }
}

/** What is looked at in Deepgram's messages. */
interface Result {
  is_final: boolean;
  channel: { alternatives: [{ transcript: string }] };
  variant: string;
}

/** Until a message of this type has come; steps are taken meanwhile. */
async function until({ engine, socket }: FakeSession, type: string, count = 1): Promise<void> {
  while (socket.messages.filter((message) => message.type === type).length < count) {
    await new Promise((resolve) => setImmediate(resolve));
    await engine.settle();
  }
}

test('a recording that begins like WebM is decoded, and the client is told that it is', () =>
  withSession({}, async (it) => {
    it.say(START);
    const bytes = webm(6, WORDS);
    for (let at = 0; at < bytes.length; at += 999) it.session.onFrame(bytes.subarray(at, at + 999));
    it.say(STOP);
    await until(it, 'recording_stopped');
    const { final_transcript, total_duration } = it.socket.last('recording_stopped');
    assert.deepEqual([final_transcript, total_duration, it.socket.errors], ['one two', 0.6, []]);
    assert.equal(it.socket.last('configured').config.encoding, 'container');
    it.say(START);
    assert.equal(it.socket.last('recording_started').config.encoding, 'pcm16', 'the next one is as it was');
  }));

test('a container that was asked for is told once, at the start, and may be a WAV as well', () =>
  withSession({}, async (it) => {
    it.say(container);
    it.session.onFrame(webm(6, WORDS));
    it.say(STOP);
    await until(it, 'recording_stopped');
    assert.deepEqual(it.socket.of('configured'), []);
    assert.equal(it.socket.last('recording_started').config.encoding, 'container');
    assert.equal(it.socket.last('recording_stopped').final_transcript, 'one two');
    it.say(container);
    const header = Buffer.alloc(44);
    header.write('RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0', 'latin1');
    header.writeUInt32LE(16_000, 24);
    header.writeUInt16LE(16, 34);
    header.write('data\xff\xff\xff\xff', 36, 'latin1');
    it.session.onFrame(header);
    it.speak(CHUNK, [[0, 'three']]);
    it.say(STOP);
    await until(it, 'recording_stopped', 2);
    assert.equal(it.socket.last('configured').config.encoding, 'pcm16');
    assert.equal(it.socket.last('recording_stopped').final_transcript, 'three');
  }));

test('what was to be a container and is none is refused once, and never heard as noise', () =>
  withSession({}, async (it) => {
    it.say(container);
    it.speak(CHUNK, [[0, 'one']]);
    it.speak(CHUNK, [[0, 'one']]);
    assert.deepEqual(it.socket.errors, ['UNSUPPORTED_ENCODING']);
    it.say(STOP);
    await until(it, 'recording_stopped');
    assert.equal(it.socket.last('recording_stopped').final_transcript, '');
  }));

test('MP4 and codecs that are not decoded live are named', () =>
  withSession({}, async (it) => {
    const mp4 = Buffer.from('\0\0\0\x20ftypisom\0\0\0\0\0\0\0\x40moov\0\0stsd\0\0\0\0mp4a', 'latin1');
    it.say(START);
    it.session.onFrame(mp4);
    assert.match(it.socket.last('error').detail ?? '', /MP4 with AAC/);
    it.say(STOP);
    it.say(START);
    it.session.onFrame(webmHead(track({ codec: 'A_VORBIS' })));
    await until(it, 'error', 2);
    const { code, detail = '' } = it.socket.last('error');
    assert.equal(code, 'UNSUPPORTED_ENCODING');
    assert.match(detail, /WebM with VORBIS/);
  }));

test('a finalize cuts behind what was sent before it', () =>
  withSession({}, async (it) => {
    it.say(container);
    const bytes = webm(6, WORDS);
    const half = bytes.length >> 1; // three whole blocks, and some of the next
    it.session.onFrame(bytes.subarray(0, half));
    it.say({ type: 'finalize' });
    it.session.onFrame(bytes.subarray(half));
    it.say(STOP);
    await until(it, 'recording_stopped');
    const segments = it.socket.of('transcription').map(({ text, reason }) => [text, reason]);
    assert.deepEqual(segments, [
      ['one', 'finalize'],
      ['two', 'stop'],
    ]);
  }));

test('damage ends the text with what was heard, and the recording goes on until it is stopped', () =>
  withSession({}, async (it) => {
    it.say(container);
    it.session.onFrame(webm(6, WORDS));
    it.session.onFrame(new Uint8Array(50));
    await until(it, 'error');
    await until(it, 'transcription');
    assert.equal(it.socket.last('error').code, 'CORRUPT_AUDIO');
    assert.equal(it.socket.last('transcription').text, 'one two');
    it.session.onFrame(webm(1, [[0, 'three']]));
    assert.equal(it.metrics.ignoredFrames, 1);
    it.say(STOP);
    await until(it, 'recording_stopped');
    assert.deepEqual(
      [it.socket.last('recording_stopped').final_transcript, it.socket.closings],
      ['one two', []],
    );
    it.say(container);
    it.session.onFrame(webm(1, [[0, 'four']]));
    it.say(STOP);
    await until(it, 'recording_stopped', 2);
    assert.equal(it.socket.last('recording_stopped').final_transcript, 'four');
  }));

test("Deepgram's clients get what was heard before damage, then its name and close code", () =>
  withSession({ dialect: deepgram, query: '?interim_results=true' }, async (it) => {
    it.session.onFrame(webm(6, WORDS));
    it.session.onFrame(new Uint8Array(50));
    await until(it, 'Error');
    const messages = it.socket.messages as unknown as Result[];
    const finals = messages.filter(({ is_final }) => is_final);
    assert.deepEqual(
      finals.map(({ channel }) => channel.alternatives[0].transcript),
      ['one two'],
    );
    assert.equal(messages.at(-1)?.variant, 'CORRUPT_AUDIO');
    const [closing] = it.socket.closings;
    assert.equal(closing?.code, 1008);
    assert.match(closing?.reason ?? '', /^DATA-0000: .*no element begins at byte/);
  }));

test('two channels are mixed, or have a transcript each', () =>
  withSession({}, async (it) => {
    const mono = spoken(2 * CHUNK, [[0, 'one']]);
    const stereo = new Int16Array(mono.length * 2);
    for (let i = 0; i < mono.length; i++) stereo[2 * i + 1] = mono[i]!;
    it.say({ ...START, config: { encoding: 'container', channels: 2, multichannel: true } });
    it.session.onFrame(webmOfSamples(stereo, { channels: 2 }));
    it.say(STOP);
    await until(it, 'recording_stopped');
    const told = it.socket.of('transcription').filter(({ text }) => text !== '');
    assert.deepEqual(
      told.map(({ text, channel }) => [text, channel]),
      [['one', 1]],
    );
  }));

test('bare packets of Opus are taken one by frame, and a container of that name as well', () =>
  withSession({}, async (it) => {
    const opus = { ...START, config: { encoding: 'opus' } };
    it.say(opus);
    for (let i = 0; i < 20; i++) it.session.onFrame(SILENT_PACKET);
    it.say(STOP);
    await until(it, 'recording_stopped');
    assert.deepEqual([it.socket.last('recording_stopped').total_duration, it.socket.errors], [0.4, []]);
    it.say(opus);
    it.session.onFrame(webmOfPackets([[0, SILENT_PACKET]]));
    it.say(STOP);
    await until(it, 'recording_stopped', 2);
    assert.equal(it.socket.last('recording_stopped').total_duration, 0.02);
    assert.equal(it.socket.last('configured').config.encoding, 'container');
  }));

test('a client whose connection breaks goes on behind the bytes that were taken, and nothing differs', () =>
  withSession({ query: '?resumable=1' }, async (it) => {
    const bytes = webm(6, WORDS);
    const cut = bytes.length - 5_000;
    it.session.onAlive();
    it.say(container);
    it.session.onFrame(bytes.subarray(0, cut));
    it.session.sweep(performance.now());
    const ack = it.socket.last('ack');
    assert.equal(ack.received_bytes, cut);
    it.session.onSocketClosed();
    const token = it.socket.last('connection').resume_token ?? '';
    const socket = new FakeTransport();
    assert.ok(
      it.session.resume({ transport: socket, remote: '127.0.0.1', token, seen: it.socket.last('ack').seq }),
    );
    const resumed = socket.last('resumed');
    assert.deepEqual([resumed.received_bytes, resumed.state], [cut, 'recording']);
    it.session.onFrame(bytes.subarray(resumed.received_bytes));
    it.say(STOP);
    await until({ ...it, socket }, 'recording_stopped');
    const { final_transcript, total_duration } = socket.last('recording_stopped');
    assert.deepEqual([final_transcript, total_duration], ['one two', 0.6]);
  }));

test('in a fleet it is not kept: an ack means this server, a drain finishes it, and nobody takes it over half', async () => {
  const fleet = new FakeFleet();
  const it = fleet.node({ codec: true });
  it.session.onAlive();
  await turns();
  it.say(container);
  it.session.onFrame(webm(6, WORDS));
  await until(it, 'partial');
  await turns();
  it.session.sweep(performance.now());
  const { received_samples, received_bytes } = it.socket.last('ack');
  assert.ok(received_samples > 0 && (received_bytes ?? 0) > 0);
  const token = it.socket.last('connection').resume_token ?? '';
  const seen = it.socket.messages.at(-1)?.seq ?? 0;
  const claim = { seen, told: { phase: 1, events: [0, 0] }, has: 0 };
  const other = fleet.node();
  assert.equal(await fleet.take(other, token, claim), null);
  it.session.handover.drain();
  await until(it, 'recording_stopped');
  assert.equal(it.socket.last('recording_stopped').final_transcript, 'one two');
  assert.equal(it.socket.of('moving').length, 0);
  await it.context.codecPool.close();
});

test('samples name no bytes to go on from', () =>
  withSession({ query: '?resumable=1' }, async (it) => {
    it.say(START);
    it.speak(CHUNK, [[0, 'one']]);
    it.session.sweep(performance.now());
    assert.equal('received_bytes' in it.socket.last('ack'), false);
  }));
