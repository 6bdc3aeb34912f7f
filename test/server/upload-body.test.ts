/** What may stand around an uploaded file: content types that lie, forms that are malformed, fields behind the file. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { marked, spoken } from '../helpers/fake-model.js';
import { fixturesDir } from '../helpers/fixtures.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { pcm16Wav } from '../helpers/wav.js';

let running: ScriptedServer;
/** A WAV in which the scripted recogniser hears "one two". */
const wav = Buffer.from(pcm16Wav(spoken(24_000, [[100, 'one'], [5_000, 'two']]))); // biome-ignore format: pairs
before(async () => {
  running = await startScriptedServer();
});
after(() => running.stop());

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

async function post(query: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(`${running.http}/transcribe/file${query}`, { method: 'POST', ...init });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  const json = type.startsWith('application/json') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, type, text, headers: response.headers, json };
}

const errors = () => [...running.server.context.metrics.errors.keys()];

test('the bytes decide what a file is, whatever the content type says', async () => {
  const types = [
    'audio/wav',
    'text/plain',
    'application/json',
    'audio',
    'application/x-www-form-urlencoded',
    'video/mp4; codecs=x',
    'nonsense / type',
  ];
  for (const type of types) {
    const { status, json } = await post('', { body: wav, headers: { 'content-type': type } });
    assert.deepEqual([status, json.text], [200, 'one two'], type);
  }
});

const BOUNDARY = 'xxBOUNDARYxx';
const formHeaders = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
const filePart = (bytes: Uint8Array) =>
  Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: text/plain\r\n\r\n`,
    ),
    bytes,
    Buffer.from('\r\n'),
  ]);
const fieldPart = (name: string, value: string) =>
  Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
const end = Buffer.from(`--${BOUNDARY}--\r\n`);

test('fields of a form count before the file and behind it', async () => {
  const before = Buffer.concat([fieldPart('format', 'text'), filePart(wav), end]);
  const behind = Buffer.concat([filePart(wav), fieldPart('format', 'text'), end]);
  for (const body of [before, behind]) {
    const { status, text, type } = await post('', { body, headers: formHeaders });
    assert.deepEqual([status, text], [200, 'one two\n']);
    assert.match(type, /^text\/plain/);
  }
});

test('a malformed form is refused as the client’s fault, and nothing goes to the log as a defect', async () => {
  const bodies: Record<string, [Uint8Array | string, Record<string, string>]> = {
    'no boundary': ['x', { 'content-type': 'multipart/form-data' }],
    'no end': [filePart(wav), formHeaders],
    'cut in the file': [filePart(wav).subarray(0, 5_000), formHeaders],
    'cut in a header': [filePart(wav).subarray(0, 50), formHeaders],
    'no form at all': ['hello', formHeaders],
    'another boundary': [
      Buffer.concat([filePart(wav), end]),
      { 'content-type': 'multipart/form-data; boundary=other' },
    ],
    'a broken part header': [
      Buffer.concat([
        Buffer.from(`--${BOUNDARY}\r\nContent-Disposition\r\n\r\n`),
        wav,
        Buffer.from('\r\n'),
        end,
      ]),
      formHeaders,
    ],
    'two files': [Buffer.concat([filePart(wav), filePart(wav), end]), formHeaders],
    'no file': [Buffer.concat([fieldPart('format', 'text'), end]), formHeaders],
    'an empty file': [Buffer.concat([filePart(Buffer.alloc(0)), end]), formHeaders],
    nothing: ['', { 'content-type': 'audio/wav' }],
  };
  for (const [name, [body, headers]] of Object.entries(bodies)) {
    const { status, json } = await post('', { body, headers });
    assert.equal(status, 400, `${name}: ${JSON.stringify(json)}`);
    assert.ok(['BAD_REQUEST', 'UPLOAD_MISSING'].includes(String(json.code)), name);
  }
  assert.ok(!errors().includes('INTERNAL'));
  const { status } = await post('', { body: wav });
  assert.equal(status, 200, 'and the next one is answered');
});

test('raw samples are read as the query describes them', async () => {
  const samples = wav.subarray(44);
  const { json } = await post('?encoding=pcm16&sample_rate=16000', { body: samples });
  assert.equal(json.text, 'one two');
  const stereo = await post('?encoding=linear16&sample_rate=16000&channels=2', { body: samples });
  assert.equal(stereo.json.audio_duration_s, 0.75);
  for (const [query, code] of [
    ['?encoding=opus', 'UNSUPPORTED_ENCODING'],
    ['?encoding=pcm16&sample_rate=7', 'UNSUPPORTED_SAMPLE_RATE'],
    ['?encoding=pcm16&channels=3', 'UNSUPPORTED_CHANNELS'],
  ] as const) {
    const refused = await post(query, { body: samples });
    assert.deepEqual([refused.status, refused.json.code], [415, code]);
  }
});

test('a file that says itself what it is, is read so though the query calls it raw', async () => {
  const { json } = await post('?encoding=mulaw&sample_rate=8000', { body: wav });
  assert.equal(json.text, 'one two');
});

test('each format is answered in its own type', async () => {
  const ask = (format: string) => post(`?format=${format}`, { body: wav });
  const json = await ask('json');
  assert.equal((json.json.segments as unknown[]).length, 1);
  assert.equal((await ask('text')).text, 'one two\n');
  assert.match((await ask('srt')).text, /^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\none two\n$/);
  assert.match((await ask('vtt')).text, /^WEBVTT\n/);
  const verbose = (await ask('verbose_json')).json;
  assert.deepEqual(
    [verbose.task, verbose.language, verbose.text, verbose.duration],
    ['transcribe', 'en', 'one two', 1.5],
  );
  const refused = await ask('docx');
  assert.deepEqual([refused.status, refused.json.code], [400, 'BAD_REQUEST']);
});

test('what is not known and what is not done is named, and the rest goes on', async () => {
  const query = '?smart_format=true&diarize=false&colour=red&language=de-DE';
  const { json } = await post(query, { body: wav });
  assert.equal(json.text, 'one two');
  assert.deepEqual(json.warnings, [
    { code: 'NOT_SUPPORTED', detail: 'smart_format: not supported by this server' },
    { code: 'UNKNOWN_PARAMETER', detail: 'colour: unknown parameter' },
    { code: 'NOT_SUPPORTED', detail: 'language: the model knows en, not "de-DE"' },
  ]);
  const text = await post(`${query}&format=text`, { body: wav });
  assert.equal(text.text, 'one two\n');
  assert.deepEqual(JSON.parse(text.headers.get('x-warnings') ?? ''), json.warnings);
  const fine = await post('?language=en-GB&hotwords=one:3', { body: wav });
  assert.ok(!JSON.stringify(fine.json.warnings).includes('language'));
});

test('each channel gets a transcript of its own when that is asked for', async () => {
  const agent = marked(32_000, [[100, 'one']]);
  const customer = marked(32_000, [[16_000, 'two']]);
  const both = new Int16Array(64_000);
  for (let i = 0; i < 32_000; i++) {
    both[2 * i] = agent[i]!;
    both[2 * i + 1] = customer[i]!;
  }
  const { json } = await post('?multichannel=true', { body: Buffer.from(pcm16Wav(both, 16_000, 2)) });
  const channels = json.channels as { channel: number; text: string }[];
  assert.deepEqual(channels.map(({ channel, text }) => [channel, text]), [[0, 'one'], [1, 'two']]); // biome-ignore format: pairs
  assert.equal(json.text, 'one two');
  assert.deepEqual((json.words as { channel: number }[]).map(({ channel }) => channel), [0, 1]); // biome-ignore format: short
});

test('what is found in a file that cannot be read is named, with 415, and where it is damaged, with 422', async () => {
  const video = await post('', { body: Buffer.from('\x89PNG\r\n\x1a\n and more', 'latin1') });
  assert.equal(video.status, 415);
  assert.match(String(video.json.detail), /PNG/);
  const ogg = await readFile(`${fixturesDir}field-files/no_eos_telegram_android.ogg`);
  const cut = await post('', { body: ogg.subarray(0, 6_000) });
  assert.equal(cut.status, 422);
  assert.match(String(cut.json.detail), /page at byte \d+ is cut short/);
});
