/** OpenAI's HTTP interface over a server with a scripted model. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { spoken } from '../helpers/fake-model.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { pcm16Wav } from '../helpers/wav.js';

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer({ authToken: 'secret', maxUploadMb: 1 });
});
after(() => running.stop());

// biome-ignore lint/suspicious/noExplicitAny: an answer
type Answer = any;
const bearer = { authorization: 'Bearer secret' };

/** "hello world", a pause, "one". */
const audio = () => {
  const pcm = new Int16Array(64_000);
  pcm.set(
    spoken(16_000, [
      [3_000, 'hello'],
      [8_000, 'world'],
    ]),
  );
  pcm.set(spoken(16_000, [[3_000, 'one']]), 40_000);
  return Buffer.from(pcm16Wav(pcm));
};

function post(
  fields: [string, string | Blob][],
  headers: Record<string, string> = bearer,
  path = 'transcriptions',
) {
  const form = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, value, 'speech.wav');
  }
  return fetch(`${running.http}/v1/audio/${path}`, { method: 'POST', headers, body: form });
}

const file = (): [string, Blob] => ['file', new Blob([audio()])];

async function refusal(response: Response, status: number) {
  assert.equal(response.status, status);
  const body = (await response.json()) as Answer;
  assert.deepEqual(Object.keys(body), ['error']);
  assert.deepEqual(Object.keys(body.error), ['message', 'type', 'param', 'code']);
  return body.error;
}

test('the text comes as JSON with what it took, wherever the fields stand', async () => {
  for (const fields of [
    [['model', 'whisper-1'], file()],
    [file(), ['model', 'whisper-1']],
  ] as [string, string | Blob][][]) {
    const response = await post(fields);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      text: 'hello world one',
      usage: { type: 'duration', seconds: 4 },
    });
  }
});

test('text, subtitles and verbose JSON come as asked for, in fields behind the file too', async () => {
  const as = async (format: string) => {
    const response = await post([file(), ['response_format', format]]);
    return [response.headers.get('content-type'), await response.text()] as const;
  };
  assert.deepEqual(await as('text'), ['text/plain; charset=utf-8', 'hello world one\n']);
  assert.match((await as('srt'))[1], /^1\n00:00:00,\d{3} --> /);
  assert.match((await as('vtt'))[1], /^WEBVTT/);
  const verbose = JSON.parse((await as('verbose_json'))[1]) as Answer;
  assert.deepEqual(
    [verbose.task, verbose.language, verbose.duration, verbose.segments.length],
    ['transcribe', 'en', 4, 2],
  );
  assert.equal(verbose.words, undefined);
});

test('words are told if they are asked for, and then segments only if they are too', async () => {
  const ask = async (...names: string[]) => {
    const wanted = names.map((it): [string, string] => ['timestamp_granularities[]', it]);
    return (await (await post([['response_format', 'verbose_json'], ...wanted, file()])).json()) as Answer;
  };
  const words = await ask('word');
  assert.deepEqual(
    words.words.map((it: Answer) => it.word),
    ['hello', 'world', 'one'],
  );
  assert.equal(words.segments, undefined);
  const both = await ask('word', 'segment');
  assert.deepEqual([both.words.length, both.segments.length], [3, 2]);
});

test('a stream of deltas adds up to the text at its end', async () => {
  const response = await post([file(), ['stream', 'true']]);
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  const lines = (await response.text()).split('\n\n').filter((it) => it !== '');
  assert.equal(lines.pop(), 'data: [DONE]');
  const events = lines.map((it) => JSON.parse(it.replace('data: ', '')) as Answer);
  const done = events.pop();
  assert.equal(done.type, 'transcript.text.done');
  assert.ok(events.length > 1 && events.every(({ type }) => type === 'transcript.text.delta'));
  assert.equal(events.map(({ delta }) => delta).join(''), done.text);
  assert.equal(done.text, 'hello world one');
});

test('the models are the one there is, under whatever name', async () => {
  const list = (await (await fetch(`${running.http}/v1/models`, { headers: bearer })).json()) as Answer;
  assert.deepEqual(
    [list.object, list.data.length, list.data[0].id, list.data[0].object],
    ['list', 1, 'fake', 'model'],
  );
  assert.ok(Number.isInteger(list.data[0].created) && list.data[0].created > 1.7e9);
  const one = (await (
    await fetch(`${running.http}/v1/models/whisper-1`, { headers: bearer })
  ).json()) as Answer;
  assert.equal(one.id, 'fake');
});

test('every refusal below /v1 has the body that these clients read, by whomever it is made', async () => {
  const get = (path: string, headers: Record<string, string> = bearer) =>
    fetch(`${running.http}${path}`, { headers });
  const wrong = { authorization: 'Bearer wrong' };
  assert.equal((await refusal(await post([file()], wrong), 401)).code, 'invalid_api_key');
  assert.equal((await refusal(await get('/v1/models', wrong), 401)).code, 'invalid_api_key');
  await refusal(await get('/v1/nothing'), 404);
  await refusal(await get('/v1/models/%zz'), 400);
  await refusal(await get('/v1/audio/transcriptions'), 405);
  const large = new Blob([new Uint8Array(3 << 20)]);
  assert.equal((await refusal(await post([['file', large]]), 413)).param, 'file');
  const noise = await post([['file', new Blob(['this is no audio at all'])]]);
  assert.equal((await refusal(noise, 400)).code, 'unsupported_media');
  const streamed = await post([
    ['stream', 'true'],
    ['file', new Blob(['this is no audio at all'])],
  ]);
  assert.equal((await refusal(streamed, 400)).param, 'file');
  assert.equal((await refusal(await post([['model', 'x']]), 400)).param, 'file');
  assert.equal(
    (await refusal(await post([file(), ['response_format', 'diarized_json']]), 400)).param,
    'response_format',
  );
  await refusal(await post([file()], bearer, 'translations'), 400);
  const malformed = { ...bearer, 'content-type': 'multipart/form-data; boundary=x' };
  const body = await fetch(`${running.http}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: malformed,
    body: 'y',
  });
  await refusal(body, 400);
});

test('an address elsewhere is refused in the words of this server', async () => {
  const { error } = (await (await fetch(`${running.http}/v2/models`)).json()) as Answer;
  assert.equal(typeof error, 'string');
});

test('a body in chunks without a length is taken, as Node clients send it', async () => {
  const socket = connect(running.server.port, '127.0.0.1');
  const wav = await readFile(sampleWavPath);
  const form = Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'),
    wav,
    Buffer.from('\r\n--b--\r\n'),
  ]);
  socket.write(
    'POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nConnection: close\r\n' +
      'Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  socket.write(`${form.length.toString(16)}\r\n`);
  socket.write(form);
  socket.write('\r\n0\r\n\r\n');
  assert.match(await text(socket), /^HTTP\/1.1 200 /);
});

test('without the dialect there is nothing', async () => {
  const other = await startScriptedServer({ dialects: 'vosk' });
  const response = await fetch(`${other.http}/v1/models`);
  assert.equal(response.status, 404);
  assert.equal(((await response.json()) as Answer).code, 'NOT_FOUND');
  await other.stop();
});
