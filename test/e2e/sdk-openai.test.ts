/** OpenAI's own SDK, pointed here by its base URL, with the real model. */
import assert from 'node:assert/strict';
import { createReadStream, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { makeCertificate } from '../helpers/certificate.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { sdk, sdksProblem } from '../helpers/sdks.js';
import { bytesOf, cut } from '../helpers/ws-client.js';

// biome-ignore lint/suspicious/noExplicitAny: the SDK's own types are not installed where types are checked
type Anything = any;

const certificate = makeCertificate();
const problem = sdksProblem();
const skipTls = problem || (certificate === null ? 'openssl is not installed' : false);

let live: LiveServer;
let secure: LiveServer;
let OpenAI: Anything;
before(async () => {
  if (problem) return;
  ({ OpenAI } = sdk('openai'));
  live = await startLiveServer({ authToken: 'secret' });
  if (certificate !== null) secure = await startLiveServer({ authToken: 'secret', ...certificate });
});
after(async () => {
  await live?.stop();
  await secure?.stop();
  certificate?.remove();
});

const client = (apiKey = 'secret') => new OpenAI({ baseURL: `${live.http}/v1`, apiKey, maxRetries: 0 });
const file = () => createReadStream(sampleWavPath);

test('a file is transcribed, in each format', { skip: problem }, async () => {
  const ask = (more: object) =>
    client().audio.transcriptions.create({ file: file(), model: 'gpt-4o-transcribe', ...more });
  const { text, usage } = await ask({});
  assert.ok(text.length > 20, text);
  assert.deepEqual(usage, { type: 'duration', seconds: 7 });
  assert.equal(await ask({ response_format: 'text' }), `${text}\n`);
  assert.match(await ask({ response_format: 'srt' }), /^1\n00:00:0\d,\d{3} --> 00:00:0/);
  assert.match(await ask({ response_format: 'vtt' }), /^WEBVTT\n/);
  const verbose = await ask({
    response_format: 'verbose_json',
    timestamp_granularities: ['word', 'segment'],
  });
  assert.equal(verbose.text, text);
  const starts = verbose.words.map(({ start }: Anything) => start);
  assert.deepEqual(
    starts,
    starts.toSorted((a: number, b: number) => a - b),
    'word times ascend',
  );
  assert.ok(verbose.segments.length >= 1 && verbose.segments[0].avg_logprob <= 0);
});

test('a streamed transcription is told while it is made, and adds up', { skip: problem }, async () => {
  const request = { file: file(), model: 'gpt-4o-transcribe', stream: true, keywords: ['Kubernetes'] };
  const events: Anything[] = [];
  for await (const event of await client().audio.transcriptions.create(request)) events.push(event);
  const done = events.pop();
  assert.equal(done.type, 'transcript.text.done');
  assert.equal(events.map(({ delta }) => delta).join(''), done.text);
  assert.ok(done.text.length > 20);
});

test('the models are listed', { skip: problem }, async () => {
  const ids: string[] = [];
  for await (const { id } of client().models.list()) ids.push(id);
  assert.deepEqual(ids, [live.server.context.recogniser?.engine.model.manifest.name]);
});

test("what is refused is the SDK's own error", { skip: problem }, async () => {
  const { AuthenticationError, BadRequestError, NotFoundError } = OpenAI;
  await assert.rejects(client('wrong').models.list(), AuthenticationError);
  const create = (it: Anything, body: object) =>
    it.audio.transcriptions.create({ model: 'whisper-1', ...body });
  await assert.rejects(create(client('wrong'), { file: file() }), AuthenticationError);
  const noise = await OpenAI.toFile(Buffer.from('this is no audio'), 'speech.wav');
  await assert.rejects(create(client(), { file: noise }), (error: Anything) => {
    assert.ok(error instanceof BadRequestError);
    assert.deepEqual([error.code, error.param], ['unsupported_media', 'file']);
    return true;
  });
  await assert.rejects(client().files.list(), NotFoundError);
});

/** A Realtime session; resolves when the socket is open or has failed. */
async function connect(apiKey = 'secret') {
  const { OpenAIRealtimeWS } = sdk('openai/realtime/ws');
  const ca = readFileSync(certificate?.tlsCert ?? '');
  const over = new OpenAI({ baseURL: `https://localhost:${secure.server.port}/v1`, apiKey });
  const realtime = new OpenAIRealtimeWS({ intent: 'transcription', options: { ca } }, over);
  const events: Anything[] = [];
  const wakes = new Set<() => void>();
  let failed: Anything = null;
  const wake = () => {
    for (const it of wakes) it();
  };
  realtime.on('event', (event: Anything) => {
    events.push(event);
    wake();
  });
  realtime.on('error', (error: Anything) => {
    failed = error;
    wake();
  });
  const until = async (type: string, count = 1) => {
    const found = () => events.filter((event) => event.type === type);
    while (found().length < count) {
      if (failed !== null) throw failed;
      await new Promise<void>((resolve) => {
        wakes.add(resolve);
      });
      wakes.clear();
    }
    return found()[count - 1];
  };
  return { realtime, events, until };
}

/** The sample's samples, 16 kHz. */
const samples = () => new Int16Array(readFileSync(sampleWavPath).buffer.slice(44));

const COMPLETED = 'conversation.item.input_audio_transcription.completed';
const DELTA = 'conversation.item.input_audio_transcription.delta';

function append(realtime: Anything, pcm: Int16Array): void {
  for (const piece of cut(bytesOf(pcm), 3_200)) {
    const audio = Buffer.from(piece).toString('base64');
    realtime.send({ type: 'input_audio_buffer.append', audio });
  }
}

const input = { format: { type: 'audio/pcm', rate: 16_000 }, noise_reduction: { type: 'near_field' } };

test('a Realtime session tells turns in their order', { skip: skipTls }, async () => {
  const { realtime, events, until } = await connect();
  await until('session.created');
  realtime.send({ type: 'session.update', session: { type: 'transcription', audio: { input } } });
  await until('session.updated');
  append(realtime, samples());
  append(realtime, new Int16Array(32_000));
  const completed = await until(COMPLETED);
  const its = events.filter((event) => (event.item_id ?? event.item?.id) === completed.item_id);
  const types = its.map(({ type }) => type).filter((type) => type !== DELTA);
  assert.deepEqual(types, [
    'input_audio_buffer.speech_started',
    'input_audio_buffer.speech_stopped',
    'input_audio_buffer.committed',
    'conversation.item.added',
    COMPLETED,
  ]);
  const deltas = its.filter(({ type }) => type === DELTA);
  assert.ok(deltas.length > 2, 'there are interims');
  assert.ok(its.indexOf(deltas[0]) < types.length, 'and they come before the end');
  assert.equal(deltas.map(({ delta }) => delta).join(''), completed.transcript);
  realtime.close();
});

test('a Realtime session with commits by hand gives one item per commit', { skip: skipTls }, async () => {
  const { realtime, events, until } = await connect();
  await until('session.created');
  const byHand = { ...input, turn_detection: null };
  realtime.send({ type: 'session.update', session: { type: 'transcription', audio: { input: byHand } } });
  append(realtime, samples());
  realtime.send({ type: 'input_audio_buffer.commit' });
  append(realtime, samples());
  realtime.send({ type: 'input_audio_buffer.commit' });
  const first = await until(COMPLETED);
  const second = await until(COMPLETED, 2);
  assert.ok(first.transcript.length > 20 && second.transcript.length > 20);
  assert.notEqual(first.item_id, second.item_id);
  assert.equal(events.filter(({ type }) => type.startsWith('input_audio_buffer.speech')).length, 0);
  realtime.close();
});

test('a wrong key ends a Realtime session before it begins', { skip: skipTls }, async () => {
  const { until } = await connect('wrong');
  await assert.rejects(until('session.created'), /401/);
});
