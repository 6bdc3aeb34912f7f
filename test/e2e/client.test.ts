/** The client library against the real server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RNNTClient } from 'rnnt-server/client';
import { WebSocket } from 'ws';
import { clips, loadClip } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

let live: LiveServer;
let speech: Int16Array;
let undisturbed: string;
before(async () => {
  live = await startLiveServer();
  speech = await loadClip(clips[0]!.file);
});
after(() => live.stop());

test('streams a file as fast as the server takes it and gets every segment', async () => {
  const client = new RNNTClient({ url: live.http });
  const config = await client.start();
  assert.equal(config.sample_rate, 16_000);
  await client.sendAll(speech);
  const result = await client.stop();
  client.close();
  undisturbed = result.transcript;
  assert.ok(undisturbed.length > 0);
  assert.equal(result.duration, speech.length / 16_000);
  assert.equal(result.transcript, result.segments.map((s) => s.text).join(' '));
  assert.equal(result.droppedSeconds, 0);
});

test('can record again and change settings on the same connection', async () => {
  const client = new RNNTClient({ url: live.http });
  await client.start();
  assert.equal((await client.configure({ silence_duration: 0.4 })).silence_duration, 0.4);
  await client.stop();
  await client.start({ sample_rate: 16_000, encoding: 'float32' });
  await client.sendAll(speech);
  assert.equal((await client.stop()).transcript, undisturbed);
  client.close();
});

test('loses no word when the connection breaks before the first final', async () => {
  const sockets: WebSocket[] = [];
  class Watched extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  const client = new RNNTClient({
    url: live.http,
    WebSocket: Watched as unknown as NonNullable<ConstructorParameters<typeof RNNTClient>[0]>['WebSocket'] &
      object,
    reconnect: { baseMs: 10 },
  });
  const states: string[] = [];
  client.on('state', ({ state }) => states.push(state));
  await client.start({ silence_duration: 5 });
  const partial = new Promise((resolve) => client.on('partial', resolve, { once: true }));
  await client.sendAll(speech.subarray(0, speech.length / 2));
  await partial;
  sockets[0]?.terminate();
  await client.sendAll(speech.subarray(speech.length / 2));
  const result = await client.stop();
  client.close();
  assert.equal(sockets.length, 2);
  assert.ok(states.includes('reconnecting') && states.includes('resumed'), states.join());
  assert.equal(result.duration, speech.length / 16_000);
  assert.equal(result.transcript.replaceAll(' ', ''), undisturbed.replaceAll(' ', ''));
});

test('holds silence back and still tells the right time of the words after it', async () => {
  const client = new RNNTClient({ url: live.http, vad: true });
  const pauseSeconds = 8;
  const both = new Int16Array(2 * speech.length + pauseSeconds * 16_000);
  both.set(speech);
  both.set(speech, speech.length + pauseSeconds * 16_000);
  await client.start();
  await client.sendAll(both);
  const result = await client.stop();
  client.close();
  const secondStart = speech.length / 16_000 + pauseSeconds;
  const later = result.segments.filter((s) => s.start > secondStart - 1);
  assert.ok(result.skippedSeconds > pauseSeconds - 3, `${result.skippedSeconds} s skipped`);
  assert.ok(later.length > 0 && later[0]!.words.length > 0, 'words were heard after the pause');
  assert.ok(later[0]!.start >= secondStart - 0.5, `${later[0]!.start} s`);
  assert.ok(result.segments.every((s) => s.end <= both.length / 16_000 + 0.1));
});

test('learns why it was refused, and gets in when there is room again', async () => {
  const small = await startLiveServer({ maxStreams: 1 });
  const first = new RNNTClient({ url: small.http });
  const second = new RNNTClient({ url: small.http, reconnect: { baseMs: 20 } });
  try {
    await first.start(); // it is the recording that takes the room
    const refused = new Promise<string | undefined>((resolve) => {
      second.on('state', ({ state, reason }) => state === 'refused' && resolve(reason?.code));
    });
    const connected = second.connect();
    assert.equal(await refused, 'AT_CAPACITY');
    first.close();
    await connected;
    assert.equal(second.state, 'live');
  } finally {
    first.close();
    second.close();
    await small.stop();
  }
});

test('says UNAUTHORIZED once for a missing token, gets in with the right one', async () => {
  const guarded = await startLiveServer({ authToken: 'secret' });
  const stranger = new RNNTClient({ url: guarded.http });
  const states: string[] = [];
  stranger.on('state', ({ state, reason }) => states.push(`${state} ${reason?.code ?? ''}`.trim()));
  await assert.rejects(stranger.start(), { code: 'UNAUTHORIZED', retryable: false });
  assert.deepEqual(states, ['connecting', 'refused UNAUTHORIZED', 'closed UNAUTHORIZED']);
  const friend = new RNNTClient({ url: guarded.http, params: { token: 'secret' } });
  await friend.start();
  assert.equal(friend.state, 'live');
  friend.close();
  await guarded.stop();
});

test('goes on over a graceful restart of the server, and loses no word', async () => {
  const before = await startLiveServer();
  const { port } = new URL(before.http);
  const pause = new Int16Array(16_000);
  const client = new RNNTClient({ url: before.http, reconnect: { baseMs: 20, maxMs: 200 } });
  const codes: string[] = [];
  const resumed = new Promise<boolean | undefined>((resolve) => {
    client.on('state', ({ state, reason, fresh }) => {
      if (reason) codes.push(reason.code);
      if (state === 'resumed') resolve(fresh);
    });
  });
  await client.start();
  await client.sendAll(speech);
  await client.sendAll(pause);
  await before.stop();
  assert.equal(client.recording, true);
  assert.notEqual(client.state, 'live');
  client.send(speech); // while there is no server
  const after = await startLiveServer({ port: Number(port) });
  assert.equal(await resumed, true);
  const result = await client.stop();
  client.close();
  await after.stop();
  assert.ok(codes.includes('RECORDING_ENDED'), codes.join());
  assert.equal(result.transcript, `${undisturbed} ${undisturbed}`);
  assert.deepEqual(result.lost, []);
  assert.equal(result.duration, (2 * speech.length + pause.length) / 16_000);
  const second = result.segments
    .flatMap((s) => s.words)
    .find((w) => w.start > (speech.length + 8_000) / 16_000);
  assert.ok(second !== undefined && second.start >= (speech.length + pause.length) / 16_000 - 0.2);
});
