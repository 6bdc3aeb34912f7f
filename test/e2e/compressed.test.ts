/** Live WebM and Ogg with the real model: word for word, time for time, what the same bytes give as a file. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fixturesDir } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { cut, type Message, TestClient } from '../helpers/ws-client.js';

const FILES = [
  'opus/media-recorder.webm',
  'opus/cathy-a0280.webm',
  'opus/cathy-a0280.ogg',
  'field-files/chained_two_streams.ogg',
];
const container = { encoding: 'container' };
let live: LiveServer;
before(async () => {
  live = await startLiveServer();
});
after(() => live?.stop());

const fixture = (name: string) => readFile(fixturesDir + name);
const wordsOf = (segments: Message[]) => segments.flatMap(({ words }) => words);

async function asFile(bytes: Uint8Array): Promise<Message[]> {
  const response = await fetch(`${live.http}/transcribe/file`, {
    method: 'POST',
    body: new Uint8Array(bytes),
  });
  const { words } = (await response.json()) as Message;
  return words;
}

/** Sizes of pieces that look random and are always the same. */
function sizes(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 1 + ((state >>> 16) % 1_500);
  };
}

for (const name of FILES) {
  test(`${name} has the words and times of the file, however it is cut`, async () => {
    const bytes = await fixture(name);
    const expected = await asFile(bytes);
    assert.ok(expected.length >= 3);
    await Promise.all(
      [sizes(1), sizes(2), bytes.length].map(async (size) => {
        const client = await TestClient.open(live.ws);
        await client.transcribe(cut(bytes, size), container);
        assert.deepEqual(wordsOf(client.all('transcription')), expected);
        await client.close();
      }),
    );
  });
}

test('damage on one connection is told there alone', async () => {
  const bytes = await fixture('opus/media-recorder.webm');
  const expected = await asFile(bytes);
  const [good, bad] = await Promise.all([TestClient.open(live.ws), TestClient.open(live.ws)]);
  const half = bytes.length >> 1;
  bad.say({ type: 'start_recording', config: container });
  const told = good.transcribe(cut(bytes, 700), container);
  for (const piece of cut(bytes.subarray(0, half), 700)) await bad.audio(piece);
  await bad.audio(new Uint8Array(2_000));
  assert.equal((await bad.until('error')).code, 'CORRUPT_AUDIO');
  // What was heard before is told without a stop.
  await bad.until('transcription');
  bad.say({ type: 'stop_recording' });
  await bad.until('recording_stopped');
  const heard = wordsOf(bad.all('transcription'));
  const early = expected.filter(({ end }) => end < 3.5).map(({ word }) => word);
  assert.ok(early.length >= 3);
  assert.deepEqual(
    heard.slice(0, early.length).map(({ word }) => word),
    early,
  );
  await told;
  assert.deepEqual(wordsOf(good.all('transcription')), expected);
  await Promise.all([good.close(), bad.close()]);
});

test('a connection that breaks in the middle is taken up at a byte, and no word differs', async () => {
  const bytes = await fixture('opus/media-recorder.webm');
  const expected = await asFile(bytes);
  const first = await TestClient.open(`${live.ws}?resumable=1`);
  const { resume_token } = first.received[0]!;
  first.say({ type: 'start_recording', config: container });
  await first.until('recording_started');
  await first.audio(bytes.subarray(0, bytes.length >> 1));
  await first.until('partial');
  const seen = first.received.at(-1)?.seq as number;
  const told = wordsOf(first.all('transcription'));
  first.socket.terminate();
  await first.closed();
  const second = new TestClient(`${live.ws}?resumable=1&resume=${resume_token}&last_seq=${seen}`);
  const resumed = await second.first();
  assert.deepEqual([resumed.type, resumed.received_bytes], ['resumed', bytes.length >> 1]);
  for (const piece of cut(bytes.subarray(resumed.received_bytes), 500)) await second.audio(piece);
  second.say({ type: 'stop_recording' });
  await second.until('recording_stopped');
  assert.deepEqual([...told, ...wordsOf(second.all('transcription'))], expected);
  await second.close();
});
