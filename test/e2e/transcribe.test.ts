/** Real speech over a real WebSocket, with the real model. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { bytesOf, cut, type Message, TestClient } from '../helpers/ws-client.js';

let live: LiveServer;
let speech: Int16Array;
before(async () => {
  live = await startLiveServer();
  speech = await loadClip(clips[0]!.file);
});
after(() => live.stop());

const CHUNK_BYTES = 3_200;

test('greets with who it is, what it takes and a session', async () => {
  const client = await TestClient.open(`${live.ws}?client_id=anna`);
  const hello = client.received[0]!;
  assert.equal(hello.status, 'connected');
  assert.equal(hello.client_id, 'anna');
  assert.equal(hello.seq, 1);
  assert.match(hello.session_id, /^[\w-]{12}$/);
  assert.deepEqual(hello.supported_audio_formats.channels, [1, 2]);
  assert.ok(hello.supported_audio_formats.encodings.includes('pcm16'));
  await client.close();
});

test('turns human speech into partials, finals with word times, and a full transcript', async () => {
  const client = await TestClient.open(live.ws);
  const stopped = await client.transcribe(cut(bytesOf(speech), CHUNK_BYTES), { partial_interval_ms: 0 });
  const seconds = speech.length / 16_000;
  const partials = client.all('partial');
  const finals = client.all('transcription');
  assert.ok(partials.length >= 2, 'partials came');
  assert.ok(finals.length >= 1, 'finals came');
  assert.equal(stopped.final_transcript, finals.map((final) => final.text).join(' '));
  assert.ok(Math.abs(stopped.total_duration - seconds) < 0.01);
  assert.equal(stopped.total_segments, finals.length);
  assert.equal(finals.at(-1)!.reason, 'stop');
  checkWords(finals, seconds);
  for (const partial of partials) {
    assert.ok(partial.segment_id >= 1 && partial.segment_id <= finals.length);
    assert.ok(partial.stable_chars <= partial.text.length);
    assert.ok(partial.audio_end <= seconds + 0.01);
  }
  await client.close();
});

/** Words in order, inside the recording, and in agreement with the text. */
function checkWords(finals: Message[], seconds: number): void {
  let last = 0;
  for (const final of finals) {
    assert.equal(final.text, final.words.map((word: Message) => word.word).join(' '));
    for (const word of final.words) {
      assert.ok(word.start >= last - 1e-9, `${word.word} starts at ${word.start} before ${last}`);
      assert.ok(word.end >= word.start && word.end <= seconds + 0.01);
      assert.ok(word.confidence >= 0 && word.confidence <= 1);
      last = word.start;
    }
  }
}

test('numbers every message of a session without a gap', async () => {
  const client = await TestClient.open(live.ws);
  await client.transcribe(cut(bytesOf(speech), CHUNK_BYTES));
  assert.deepEqual(
    client.received.map((message) => message.seq),
    client.received.map((_, i) => i + 1),
  );
  await client.close();
});

test('records twice over one connection, each time from second zero', async () => {
  const client = await TestClient.open(live.ws);
  const first = await client.transcribe(cut(bytesOf(speech), CHUNK_BYTES));
  const second = await client.transcribe(cut(bytesOf(speech), CHUNK_BYTES));
  assert.equal(second.final_transcript, first.final_transcript);
  assert.equal(second.total_duration, first.total_duration);
  const starts = client.all('transcription').filter((final) => final.segment_id === 1);
  assert.deepEqual(starts[0]!.words, starts[1]!.words);
  await client.close();
});

test('begins the next recording when stop and start come back to back', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  await client.audio(bytesOf(speech));
  client.say({ type: 'stop_recording' });
  client.say({ type: 'start_recording' });
  await client.audio(bytesOf(speech));
  client.say({ type: 'stop_recording' });
  const first = await client.until('recording_stopped');
  await client.until('recording_started');
  const second = await client.until('recording_stopped');
  assert.equal(second.final_transcript, first.final_transcript);
  assert.equal(client.all('error').length, 0);
  await client.close();
});

test('finalize closes the segment at once, between two frames, and the times go on', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  const half = Math.floor(speech.length / 2);
  await client.audio(bytesOf(speech.subarray(0, half)));
  client.say({ type: 'finalize' });
  const cutShort = await client.until('transcription');
  assert.equal(cutShort.reason, 'finalize');
  await client.audio(bytesOf(speech.subarray(half)));
  client.say({ type: 'stop_recording' });
  const stopped = await client.until('recording_stopped');
  assert.ok(Math.abs(stopped.total_duration - speech.length / 16_000) < 0.01);
  const later = client.all('transcription').slice(1);
  for (const final of later) assert.ok(final.start >= half / 16_000 - 0.5);
  checkWords(client.all('transcription'), speech.length / 16_000);
  await client.close();
});

test('answers a finalize even when nothing was said', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'start_recording' });
  client.say({ type: 'finalize' });
  const empty = await client.until('transcription');
  assert.equal(empty.text, '');
  assert.deepEqual(empty.words, []);
  assert.equal(empty.reason, 'finalize');
  await client.close();
});

test('stop right after start gives an empty transcript', async () => {
  const client = await TestClient.open(live.ws);
  const stopped = await client.transcribe([]);
  assert.equal(stopped.final_transcript, '');
  assert.equal(stopped.total_duration, 0);
  assert.equal(stopped.total_segments, 0);
  await client.close();
});

test('silence ends a segment, and speech after it begins the next', async () => {
  const client = await TestClient.open(live.ws);
  const pause = new Int16Array(16_000 * 3);
  const stopped = await client.transcribe([bytesOf(speech), bytesOf(pause), bytesOf(speech)], {
    vad_threshold: 0.005,
    silence_duration: 0.5,
    vad_events: true,
  });
  const finals = client.all('transcription');
  assert.ok(finals.length >= 2);
  assert.ok(finals.some((final) => final.reason === 'silence'));
  assert.ok(client.all('speech_started').length >= 2);
  assert.ok(client.all('speech_ended').length >= 1);
  assert.equal(stopped.total_segments, finals.length);
  const ofSecond = finals.filter((final) => final.start > speech.length / 16_000 + 2.5);
  assert.ok(ofSecond.length >= 1, 'the second speech has times after the pause');
  await client.close();
});

test('configure changes the rules while recording, and refuses what is fixed', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  client.say({ type: 'configure', silence_duration: 0.3, vad_threshold: 0.02 });
  const configured = await client.until('configured');
  assert.equal(configured.config.silence_duration, 0.3);
  client.say({ type: 'configure', sample_rate: 8000 });
  assert.equal((await client.until('error')).code, 'CONFIG_LOCKED');
  client.say({ type: 'stop_recording' });
  await client.until('recording_stopped');
  await client.close();
});

test('partials and words can be turned off', async () => {
  const client = await TestClient.open(live.ws);
  await client.transcribe(cut(bytesOf(speech), CHUNK_BYTES), { partials: false, words: false });
  assert.equal(client.all('partial').length, 0);
  for (const final of client.all('transcription')) assert.equal('words' in final, false);
  await client.close();
});

test('understands control messages in binary frames, and audio that begins with a brace', async () => {
  const client = await TestClient.open(live.ws);
  await client.audio(Buffer.from('{"type":"start_recording"}'));
  await client.until('recording_started');
  const audio = new Uint8Array(CHUNK_BYTES).fill(0x7b);
  await client.audio(audio);
  await client.audio(Buffer.from('{"type":"stop_recording"}\n'));
  const stopped = await client.until('recording_stopped');
  assert.equal(stopped.total_duration, 0.1);
  assert.equal(client.all('error').length, 0);
  await client.close();
});

test('answers ping with pong', async () => {
  const client = await TestClient.open(live.ws);
  client.say({ type: 'ping' });
  assert.equal((await client.until('pong')).type, 'pong');
  await client.close();
});

test('a client that sends a file at once is slowed, not cut: all of it is recognised', async () => {
  const client = await TestClient.open(live.ws);
  const long = new Int16Array(speech.length * 6);
  for (let i = 0; i < 6; i++) long.set(speech, i * speech.length);
  const stopped = await client.transcribe(cut(bytesOf(long), 64_000), { partials: false });
  assert.ok(Math.abs(stopped.total_duration - long.length / 16_000) < 0.01);
  await client.close();
});

test('a hotword is heard by the stream that asked for it, and by nobody else', async () => {
  const transcribe = async (config: object): Promise<string> => {
    const client = await TestClient.open(live.ws);
    const stopped = await client.transcribe(cut(bytesOf(speech), CHUNK_BYTES), config);
    await client.close();
    return stopped.final_transcript;
  };
  const alone = await transcribe({});
  // Said as "was" is, and so rare that nothing but a boost brings it about.
  const hotwords = [{ phrase: 'wuz', boost: 20 }];
  const [without, wanting, again] = await Promise.all([
    transcribe({}),
    transcribe({ hotwords }),
    transcribe({}),
  ]);
  assert.match(wanting, /\bwuz\b/);
  assert.match(alone, /\bwas\b/);
  assert.deepEqual([without, again], [alone, alone]);
});

test('hotwords of one recording are gone in the next, and configure brings others while it runs', async () => {
  const pieces = () => cut(bytesOf(speech), CHUNK_BYTES);
  const client = await TestClient.open(live.ws);
  const first = await client.transcribe(pieces(), { hotwords: [{ phrase: 'wuz', boost: 20 }] });
  const second = await client.transcribe(pieces());
  client.say({ type: 'start_recording' });
  await client.until('recording_started');
  client.say({ type: 'configure', hotwords: [{ phrase: 'wynn', boost: 20 }] });
  await client.until('configured');
  for (const piece of pieces()) await client.audio(piece);
  client.say({ type: 'stop_recording' });
  const third = await client.until('recording_stopped');
  await client.close();
  assert.match(first.final_transcript, /\bwuz\b/);
  assert.doesNotMatch(second.final_transcript, /\b(wuz|wynn)\b/);
  assert.match(third.final_transcript, /\bwynn\b/);
});
