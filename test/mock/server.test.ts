/** The mock server: the words of its script, by all protocols, and the faults that it is told to have. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { RNNTClient } from 'rnnt-server/client';
import { DEFAULT_SCRIPT } from '../../src/mock/script.js';
import { type RunningMock, startMockServer } from '../helpers/mock-server.js';
import { pcm16Wav } from '../helpers/wav.js';
import { TestClient } from '../helpers/ws-client.js';

const SCRIPT = {
  utterances: [
    {
      words: [
        { word: 'Hello,', start: 0.31, end: 0.6, confidence: 0.9 },
        { word: 'world', start: 0.64, end: 1.05, confidence: 0.42, guess: 'word' },
      ],
    },
    { at: 2.5, text: 'second sentence' },
  ],
};
/** Of the script. */
const SECONDS = 5;
const silence = (seconds: number) => new Uint8Array(2 * Math.round(seconds * 16_000));

let mock: RunningMock;
async function start(script: object = {}, options = {}): Promise<RunningMock> {
  mock = await startMockServer({ ...SCRIPT, ...script }, options);
  return mock;
}
afterEach(() => mock.stop());

/** Records so much silence. */
async function record(seconds: number, config: object = {}, query = ''): Promise<TestClient> {
  const client = await TestClient.open(mock.ws + query);
  await client.transcribe([silence(seconds)], config);
  await client.close();
  return client;
}
const wordsOf = (client: TestClient) => client.all('transcription').map(({ words }) => words);

test('silence is heard as the words of the script, with their times and confidences', async () => {
  await start();
  const client = await record(SECONDS);
  assert.deepEqual(wordsOf(client)[0], [
    { word: 'Hello,', start: 0.31, end: 0.6, confidence: 0.9 },
    { word: 'world', start: 0.64, end: 1.05, confidence: 0.42 },
  ]);
  assert.deepEqual(
    client.all('transcription').map(({ text, reason }) => [text, reason]),
    [
      ['Hello, world', 'silence'],
      ['second sentence', 'silence'],
    ],
  );
  const [stopped] = client.all('recording_stopped');
  assert.deepEqual(
    [stopped?.final_transcript, stopped?.total_duration],
    ['Hello, world second sentence', SECONDS],
  );
});

test('partials grow, may be wrong until a word settles, and never change what is stable', async () => {
  await start({ settle: 0.5 });
  const client = await record(2, { partial_interval_ms: 0 });
  const partials = client
    .all('partial')
    .map(({ text, stable_chars }) => [text, stable_chars] as [string, number]);
  assert.deepEqual(partials[0]?.[0], 'Hello,');
  assert.ok(partials.some(([text]) => text === 'Hello, word'));
  const [final] = client.all('transcription');
  for (const [text, stable] of partials) assert.equal(text.slice(0, stable), final?.text.slice(0, stable));
});

test('speech begins and ends where the utterances do', async () => {
  await start();
  const client = await record(SECONDS, { vad_events: true });
  const events = client.received.filter(({ type }) => /^speech_/.test(type));
  const times = events.map(({ type, audio_time }) => [type, audio_time]);
  assert.deepEqual(times.slice(0, 2), [
    ['speech_started', 0.31],
    ['speech_ended', 1.05],
  ]);
  assert.equal(times.length, 4);
});

test('however the audio is cut, and wherever it is finalised, each word comes once', async () => {
  await start();
  const cuts = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 40_000 }), finalize: fc.boolean() }), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(cuts, async (pieces) => {
      const client = await TestClient.recording(mock.ws);
      let left = silence(SECONDS);
      for (const { bytes, finalize } of pieces) {
        await client.audio(left.subarray(0, bytes));
        left = left.subarray(bytes);
        if (finalize) client.say({ type: 'finalize' });
      }
      await client.audio(left);
      client.say({ type: 'stop_recording' });
      const { final_transcript } = await client.until('recording_stopped');
      await client.close();
      assert.equal(final_transcript, 'Hello, world second sentence');
      const words = wordsOf(client).flat();
      for (const [i, { start, end }] of words.entries())
        assert.ok(start <= end && start >= (words[i - 1]?.end ?? 0), JSON.stringify(words));
      assert.ok(Math.abs(words[1].end - 1.05) <= 0.021, JSON.stringify(words[1]));
    }),
    { numRuns: 20, seed: 20 },
  );
});

test('a stop in the middle of an utterance tells the words that were spoken by then', async () => {
  await start();
  assert.deepEqual(
    wordsOf(await record(0.7))
      .flat()
      .map(({ word }) => word),
    ['Hello,'],
  );
});

test('a script that repeats goes on for ever, on one time line', async () => {
  await start({ repeatEvery: 4 });
  const client = await record(10);
  const starts = wordsOf(client)
    .flat()
    .filter(({ word }) => word === 'Hello,')
    .map(({ start }) => start);
  assert.deepEqual(starts, [0.31, 4.31, 8.31]);
});

test('other formats, and two channels apart, have the same words', async () => {
  await start();
  const stereo = await TestClient.open(mock.ws);
  const config = { channels: 2, multichannel: true, encoding: 'mulaw', sample_rate: 8_000 };
  await stereo.transcribe([new Uint8Array(2 * 8_000 * SECONDS).fill(0xff)], config);
  await stereo.close();
  for (const channel of [0, 1]) {
    const texts = stereo
      .all('transcription')
      .filter((it) => it.channel === channel)
      .map(({ text }) => text);
    assert.deepEqual(texts, ['Hello, world', 'second sentence']);
  }
});

test('files and other dialects have the same words', async () => {
  await start();
  const body = Buffer.from(pcm16Wav(new Int16Array(16_000 * SECONDS)));
  const file = await fetch(`${mock.http}/transcribe/file`, { method: 'POST', body });
  assert.equal(((await file.json()) as { text: string }).text, 'Hello, world second sentence');
  const deepgram = await fetch(`${mock.http}/v1/listen`, { method: 'POST', body });
  assert.match(JSON.stringify(await deepgram.json()), /"transcript":"Hello, world second sentence"/);
});

test('beyond its capacity it refuses as a server does', async () => {
  await start({ capacity: 1 });
  const first = await TestClient.recording(mock.ws);
  const refused = await fetch(mock.http.concat('/ws/transcribe'));
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
  await first.close();
});

test('recordings are refused as often as it is told, and the client library gets in all the same', async () => {
  await start({ faults: { refuseStarts: 2 } });
  const client = await TestClient.open(mock.ws);
  client.say({ type: 'start_recording' });
  assert.equal((await client.until('error')).code, 'AT_CAPACITY');
  await client.close();
  const patient = new RNNTClient({ url: mock.ws, reconnect: { baseMs: 1, maxMs: 2 } });
  await patient.start();
  await patient.sendAll(new Int16Array(16_000 * 2));
  assert.equal((await patient.stop()).transcript, 'Hello, world');
  patient.close();
});

test('a connection breaks when it is told to, and a client that resumes loses nothing', async () => {
  await start({ faults: { cutAfter: 1 } });
  const plain = await TestClient.recording(mock.ws);
  await plain.audio(silence(2));
  assert.equal(await plain.closed(), 1006);
  const client = new RNNTClient({ url: mock.ws, reconnect: { baseMs: 1, maxMs: 2 } });
  const states: string[] = [];
  client.on('state', ({ state }) => states.push(state));
  await client.start();
  await client.sendAll(new Int16Array(16_000 * SECONDS));
  const { transcript, lost } = await client.stop();
  client.close();
  assert.deepEqual([transcript, lost], ['Hello, world second sentence', []]);
  assert.ok(states.includes('resumed'), states.join());
});

test('a recording fails when it is told to', async () => {
  await start({ faults: { failAfter: 1 } });
  const client = await TestClient.recording(mock.ws);
  await client.audio(silence(2));
  assert.equal((await client.until('error')).code, 'ENGINE_FAILED');
  assert.equal(await client.closed(), 1011);
  assert.equal((await client.all('partial').at(-1))?.text, 'Hello,');
});

test('the default script says what it is, and comes again after ten seconds', async () => {
  mock = await startMockServer(DEFAULT_SCRIPT);
  const client = await record(12);
  assert.deepEqual(
    client.all('transcription').map(({ text }) => text),
    [
      'this is the mock server',
      'it hears the same words whatever you say',
      'and then it begins again',
      'this is the mock server',
    ],
  );
});
