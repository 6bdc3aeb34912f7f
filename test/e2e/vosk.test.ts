/** Vosk's dialect with the real model, in lock step as the samples of vosk-server are. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { VoskClient } from '../helpers/vosk-client.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';

let live: LiveServer;
let speech: Int16Array;
let at: string;
before(async () => {
  live = await startLiveServer();
  speech = await loadClip(clips[0]!.file);
  at = live.ws.replace('/ws/transcribe', '/vosk');
});
after(() => live.stop());

test('a lock-step client gets the words that a native one gets', async () => {
  const native = await TestClient.open(live.ws);
  const { final_transcript } = await native.transcribe(cut(bytesOf(speech), 8_000));
  await native.close();
  const client = await VoskClient.open(at);
  client.config({ sample_rate: 16_000, words: true });
  const frames = [...cut(bytesOf(speech), 8_000)];
  const finals = await client.transcribe(frames);
  assert.equal(finals.filter((text) => text !== '').join(' '), final_transcript);
  assert.equal(client.received.length, frames.length + 1);
  const words = client.received.flatMap((answer) => answer.result ?? []);
  assert.equal(words.map(({ word }) => word).join(' '), final_transcript);
  assert.ok(words.every(({ conf, start, end }) => conf > 0 && conf <= 1 && end >= start));
  assert.equal(await client.closed(), 1000);
});

test('telephone audio of 8 kHz needs no config', async () => {
  const half = Int16Array.from({ length: speech.length >> 1 }, (_, i) => {
    return (speech[2 * i]! + speech[2 * i + 1]!) / 2; // crude, and enough for words to be heard
  });
  const client = await VoskClient.open(at);
  const finals = await client.transcribe(cut(bytesOf(half), 1_600));
  const { result } = client.received.at(-1) ?? {};
  assert.ok(finals.join(' ').split(' ').length > 3, finals.join(' '));
  assert.ok((result?.at(-1)?.end ?? 0) <= speech.length / 16_000 + 0.1, 'times are those of 8 kHz');
  await client.closed();
});
