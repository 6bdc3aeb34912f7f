/** Deepgram's own SDKs, versions 5 and 4, pointed here by their base URL, with the real model. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fixturesDir, sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { assertAscending, sdk, sdksProblem } from '../helpers/sdks.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';

// biome-ignore lint/suspicious/noExplicitAny: the SDKs' own types are not installed where types are checked
type Anything = any;

const problem = sdksProblem();
let live: LiveServer;
/** What the native protocol hears. */
let expected: string;
before(async () => {
  if (problem) return;
  live = await startLiveServer({ authToken: 'secret' });
  const native = await TestClient.open(`${live.ws}?token=secret`);
  expected = (await native.transcribe(frames())).final_transcript;
  await native.close();
});
after(() => live?.stop());

const wav = () => readFileSync(sampleWavPath);
const samples = () => new Int16Array(wav().buffer.slice(44));
const frames = () => cut(bytesOf(samples()), 3_200);
const SETTINGS = {
  model: 'nova-3',
  encoding: 'linear16',
  sample_rate: 16_000,
  interim_results: true,
  vad_events: true,
  utterance_end_ms: 1000,
  smart_format: true,
};

const textOf = (result: Anything): string => result.channel.alternatives[0].transcript;

/** What every stream must have given, whichever SDK it came through. */
function check(messages: readonly Anything[], sentAll: number): void {
  const results = messages.filter(({ type }) => type === 'Results');
  const finals = results.filter(({ is_final }) => is_final);
  assert.equal(
    finals
      .map(textOf)
      .filter((text) => text !== '')
      .join(' '),
    expected,
  );
  const firstInterim = messages.findIndex((it) => it.type === 'Results' && !it.is_final);
  assert.ok(firstInterim >= 0 && firstInterim < messages.indexOf(finals[0]), 'interims come before finals');
  assert.ok(firstInterim < sentAll, 'and before the end of the audio');
  const words = finals.flatMap((it) => it.channel.alternatives[0].words);
  const starts = words.map(({ start }: Anything) => start);
  assertAscending(starts);
  const types = messages.map(({ type }) => type);
  assert.ok(types.indexOf('SpeechStarted') < firstInterim, 'speech is announced first');
  assert.equal(types.at(-1), 'Metadata');
}

/** Half of the audio, until something of it was heard; then the rest. */
async function speak(send: (bytes: Uint8Array) => void, heard: () => Promise<void>): Promise<void> {
  const pieces = [...frames()];
  const half = pieces.length >> 1;
  for (const piece of pieces.slice(0, half)) send(piece);
  await heard();
  for (const piece of pieces.slice(half)) send(piece);
}

/** Messages as they come, and a way to wait for one. */
function inbox() {
  const messages: Anything[] = [];
  let wake = () => {};
  return {
    messages,
    take(message: Anything): void {
      messages.push(message);
      wake();
    },
    async until(wanted: (message: Anything) => boolean): Promise<void> {
      while (!messages.some(wanted)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
const isInterim = (message: Anything): boolean => message.type === 'Results' && !message.is_final;

const five = (apiKey = 'secret') => new (sdk('@deepgram/sdk').DeepgramClient)({ apiKey, baseUrl: live.http });

test('SDK 5: a live stream is transcribed, finalised and closed', { skip: problem }, async () => {
  const connection = await five().listen.v1.connect({ ...SETTINGS, Authorization: 'Token secret' });
  const { messages, take, until } = inbox();
  connection.on('message', take);
  const closed = new Promise<Anything>((resolve) => connection.on('close', resolve));
  connection.connect();
  await connection.waitForOpen();
  await speak(
    (bytes) => connection.sendMedia(bytes),
    () => until(isInterim),
  );
  const sentAll = messages.length;
  connection.sendKeepAlive({ type: 'KeepAlive' });
  connection.sendFinalize({ type: 'Finalize' });
  await until(({ from_finalize }) => from_finalize === true);
  connection.sendCloseStream({ type: 'CloseStream' });
  assert.equal((await closed).code, 1000, 'else it would connect again');
  check(messages, sentAll);
  assert.equal(messages.filter(({ from_finalize }) => from_finalize).length, 1);
});

test(
  'SDK 5: what a browser records is heard without an encoding, as a file of it is',
  { skip: problem },
  async () => {
    for (const name of ['media-recorder.webm', 'cathy-a0280.ogg']) {
      const recorded = readFileSync(`${fixturesDir}opus/${name}`);
      const { results } = await five().listen.v1.media.transcribeFile(recorded, { model: 'nova-3' });
      const settings = { model: 'nova-3', interim_results: true, reconnectAttempts: 0 };
      const connection = await five().listen.v1.connect({ ...settings, Authorization: 'Token secret' });
      const { messages, take, until } = inbox();
      connection.on('message', take);
      const closed = new Promise<Anything>((resolve) => connection.on('close', resolve));
      connection.connect();
      await connection.waitForOpen();
      const pieces = [...cut(recorded, 371)];
      for (const piece of pieces.slice(0, -3)) connection.sendMedia(piece);
      await until(isInterim); // before the audio's end
      for (const piece of pieces.slice(-3)) connection.sendMedia(piece);
      connection.sendCloseStream({ type: 'CloseStream' });
      assert.equal((await closed).code, 1000);
      const finals = messages
        .filter(({ is_final }) => is_final)
        .flatMap(({ channel }) => channel.alternatives[0].words);
      const expected = results.channels[0].alternatives[0].words;
      assert.ok(expected.length >= 4, name);
      assert.deepEqual(finals, expected, name);
    }
  },
);

test(
  'SDK 5: audio that is not decoded live is told by its name, and closed with 1008',
  { skip: problem },
  async () => {
    const settings = { model: 'nova-3', reconnectAttempts: 0, Authorization: 'Token secret' };
    const connection = await five().listen.v1.connect(settings);
    const { messages, take } = inbox();
    connection.on('message', take);
    const closed = new Promise<Anything>((resolve) => connection.on('close', resolve));
    connection.connect();
    await connection.waitForOpen();
    connection.sendMedia(readFileSync(`${fixturesDir}opus/media-recorder.mp4`));
    const { code, reason } = await closed;
    connection.close();
    assert.equal(code, 1008);
    assert.match(String(reason), /DATA-0000.*MP4 with Opus/);
    assert.match(messages.find(({ type }) => type === 'Error')?.description, /MP4 with Opus/);
  },
);

test(
  'SDK 5: a file is transcribed; a wrong key and an address are its own errors',
  { skip: problem },
  async () => {
    const { BadRequestError } = sdk('@deepgram/sdk').Deepgram;
    const { media } = five().listen.v1;
    const { metadata, results } = await media.transcribeFile(wav(), { model: 'nova-3', smart_format: true });
    assert.equal(results.channels[0].alternatives[0].transcript, expected);
    assert.ok(metadata.duration > 6);
    const wrong = five('wrong').listen.v1.media.transcribeFile(wav(), { model: 'nova-3' });
    await assert.rejects(
      wrong,
      (error: Anything) => error.statusCode === 401 && error.body.err_code === 'INVALID_AUTH',
    );
    const url = media.transcribeUrl({ url: 'https://example.com/a.wav', model: 'nova-3' });
    await assert.rejects(
      url,
      (error: Anything) => error.statusCode === 400 && error instanceof BadRequestError,
    );
  },
);

test('SDK 5: a wrong key ends a live connection with its error', { skip: problem }, async () => {
  const settings = { ...SETTINGS, Authorization: 'Token wrong', reconnectAttempts: 0 };
  const connection = await five('wrong').listen.v1.connect(settings);
  const failed = new Promise<Anything>((resolve) => connection.on('error', resolve));
  connection.connect();
  assert.match(String((await failed).message), /401/);
  connection.close();
});

const four = (key = 'secret') => sdk('deepgram-sdk-4').createClient(key, { global: { url: live.http } });

test('SDK 4: a live stream is transcribed, finalised and closed', { skip: problem }, async () => {
  const { LiveTranscriptionEvents: on } = sdk('deepgram-sdk-4');
  const connection = four().listen.live(SETTINGS);
  const { messages, take, until } = inbox();
  for (const type of [on.Transcript, on.Metadata, on.SpeechStarted, on.UtteranceEnd])
    connection.on(type, take);
  const closed = once(connection, on.Close);
  await once(connection, on.Open);
  await speak(
    (bytes) => connection.send(bytes.slice().buffer),
    () => until(isInterim),
  );
  const sentAll = messages.length;
  connection.keepAlive();
  connection.finalize();
  await until(({ from_finalize }) => from_finalize === true);
  connection.requestClose();
  const [{ code }] = (await closed) as Anything[];
  assert.equal(code, 1000);
  check(messages, sentAll);
});

test('SDK 4: a file is transcribed, and a wrong key is its own error', { skip: problem }, async () => {
  const { result } = await four().listen.prerecorded.transcribeFile(wav(), { model: 'nova-2' });
  assert.equal(result.results.channels[0].alternatives[0].transcript, expected);
  const { error } = await four('wrong').listen.prerecorded.transcribeFile(wav(), { model: 'nova-2' });
  assert.equal(error.status, 401);
  const { LiveTranscriptionEvents: on } = sdk('deepgram-sdk-4');
  const live = four('wrong').listen.live(SETTINGS);
  const [failure] = (await once(live, on.Error)) as Anything[];
  assert.match(JSON.stringify({ ...failure, text: failure?.message }), /401/);
});
