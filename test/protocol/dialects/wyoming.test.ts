import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/limits.js';
import type { Input, StreamEvent } from '../../../src/protocol/dialect.js';
import { wyoming } from '../../../src/protocol/dialects/wyoming.js';
import type { Word } from '../../../src/transcript/words.js';
import { fakeManifest } from '../../helpers/fake-model.js';
import { recordingConfig } from '../../helpers/recording-config.js';
import { framed, unframed } from '../../helpers/wyoming-client.js';

function opened() {
  const dialect = wyoming({ manifest: fakeManifest(), defaults: recordingConfig(), resumes: false });
  const read = (frames: readonly (string | Uint8Array)[]) =>
    unframed(Buffer.concat(frames.map((frame) => Buffer.from(frame as Uint8Array)))).messages;
  return {
    dialect,
    tell: (event: StreamEvent) => read(dialect.render(event)),
    said: (inputs: readonly Input[]) => inputs.flatMap((it) => (it.type === 'say' ? read(it.frames) : [])),
    partial: (text: string, stableWords: number) =>
      read(
        dialect.render({
          type: 'partial',
          channel: 0,
          segmentId: 1,
          words: wordsOf(text),
          stableWords,
          audioEndSamples: 0,
          processingMs: 0,
          withWords: true,
        }),
      ),
    final: (text: string) =>
      read(
        dialect.render({
          type: 'segment',
          channel: 0,
          segment: { id: 1, words: wordsOf(text), reason: 'silence' },
          audioEndSamples: 0,
          processingMs: 0,
          withWords: true,
        }),
      ),
    stop: (text: string) =>
      read(dialect.render({ type: 'stopped', text, truncated: false, segments: 1, samples: 0 })),
  };
}

const wordsOf = (text: string): Word[] =>
  text
    .split(' ')
    .filter((it) => it !== '')
    .map((it) => ({ text: it, startSamples: 0, endSamples: 0, tokens: 1, logpSum: 0 }));

const FORMAT = { rate: 16_000, width: 2, channels: 1 };
const typesOf = (inputs: readonly { type: string }[]) => inputs.map(({ type }) => type);

/** What inputs come to: neighbouring audio as one, with its bytes copied. */
function joined(inputs: readonly Input[]): Input[] {
  const all: Input[] = [];
  for (const input of inputs) {
    const last = all.at(-1);
    if (input.type !== 'audio') all.push(input);
    else if (last?.type === 'audio')
      all.splice(-1, 1, { type: 'audio', bytes: Buffer.concat([last.bytes, input.bytes]) });
    else all.push({ type: 'audio', bytes: Buffer.from(input.bytes) });
  }
  return all;
}

const utterance = Buffer.concat([
  framed('describe'),
  framed('transcribe', { language: 'en', transcript_names: ['Zoë'], transcript_terms: ['étagère', ''] }),
  framed('audio-start', FORMAT),
  framed('audio-chunk', { ...FORMAT, timestamp: 0 }, Buffer.from('{"type":"describe"}\n')),
  framed('audio-chunk', FORMAT, Buffer.alloc(3_200, 7), true),
  framed('audio-stop'),
  framed('ping', { text: 'naïve' }),
]);

test('messages are read by their bytes, however TCP cuts them', () => {
  const whole = joined(opened().dialect.parse(utterance));
  assert.deepEqual(typesOf(whole), ['say', 'configure', 'start', 'audio', 'stop', 'say']);
  const audio = whole[3]?.type === 'audio' ? whole[3].bytes : Buffer.alloc(0);
  assert.equal(audio.length, 20 + 3_200);
  for (const size of [1, 2, 7, 100, 1_000]) {
    const { dialect } = opened();
    const inputs: Input[] = [];
    for (let at = 0; at < utterance.length; at += size) {
      inputs.push(...joined(dialect.parse(utterance.subarray(at, at + size))));
    }
    assert.deepEqual(joined(inputs), whole, `pieces of ${size} bytes`);
  }
});

test('names and terms are phrases of the next utterance, and of no other', () => {
  const { dialect } = opened();
  const configured = (inputs: readonly Input[]) => {
    const found = inputs.find(({ type }) => type === 'configure');
    return found?.type === 'configure' ? found.config : {};
  };
  const { hotwords, sample_rate, channels } = configured(dialect.parse(utterance));
  assert.deepEqual(
    [hotwords?.map(({ phrase }) => phrase), sample_rate, channels],
    [['Zoë', 'étagère'], 16_000, 1],
  );
  assert.deepEqual(
    configured(dialect.parse(framed('audio-start', { ...FORMAT, rate: 48_000 }))).hotwords,
    [],
  );
});

test('what this server is stands in the fields that clients need', () => {
  const it = opened();
  const [info, pong] = it.said(it.dialect.parse(utterance));
  assert.deepEqual([info?.type, pong], ['info', { type: 'pong', data: { text: 'naïve' } }]);
  const { asr, ...others } = info?.data ?? {};
  const [program] = asr;
  const [model] = program.models;
  for (const it of [program, model]) {
    assert.deepEqual(
      [typeof it.name, typeof it.description, typeof it.version, it.installed],
      ['string', 'string', 'string', true],
    );
    assert.deepEqual(Object.keys(it.attribution), ['name', 'url']);
  }
  assert.deepEqual(
    [model.languages, program.supports_transcript_streaming, program.requires_external_vad],
    [['en'], true, true],
  );
  assert.deepEqual(others, { tts: [], handle: [], intent: [], wake: [], mic: [], snd: [] });
});

test('pieces of the transcript only append and add up to it', () => {
  const it = opened();
  const told = [
    ...it.tell({ type: 'started', config: recordingConfig() }),
    ...it.partial('one two', 1),
    ...it.partial('one two', 1),
    ...it.final('one two'),
    ...it.partial('three four five', 2),
    ...it.final('three four five'),
    ...it.stop('one two three four five'),
  ];
  const chunks = told.filter(({ type }) => type === 'transcript-chunk').map(({ data }) => data.text);
  assert.deepEqual(chunks, ['one', ' two', ' three four', ' five']);
  assert.deepEqual(typesOf(told.filter(({ type }) => type !== 'transcript-chunk')), [
    'transcript-start',
    'transcript',
    'transcript-stop',
  ]);
  assert.equal(told.at(-2)?.data.text, chunks.join(''));
});

test('an end without a beginning is answered, and a second beginning ends the first', () => {
  const it = opened();
  assert.deepEqual(typesOf(it.said(it.dialect.parse(framed('audio-stop')))), [
    'transcript',
    'transcript-stop',
  ]);
  const twice = Buffer.concat([framed('audio-start', FORMAT), framed('audio-start', FORMAT)]);
  assert.deepEqual(typesOf(it.dialect.parse(twice)), ['configure', 'start', 'stop', 'configure', 'start']);
});

test('a chunk without a beginning begins', () => {
  const inputs = opened().dialect.parse(framed('audio-chunk', { ...FORMAT, rate: 8_000 }, Buffer.alloc(4)));
  assert.deepEqual(typesOf(inputs), ['configure', 'start', 'audio']);
});

test('what is not known is passed over, with its payload', () => {
  const bytes = Buffer.concat([framed('select-program', { name: 'x' }, Buffer.alloc(100)), framed('ping')]);
  const it = opened();
  assert.deepEqual(it.said(it.dialect.parse(bytes)), [{ type: 'pong', data: {} }]);
});

for (const [name, bytes, code] of [
  ['no JSON', Buffer.from('GET / HTTP/1.1\n'), 'INVALID_JSON'],
  ['no object', Buffer.from('[1]\n'), 'INVALID_JSON'],
  ['no type', Buffer.from('{}\n'), 'INVALID_MESSAGE'],
  ['a length that is none', Buffer.from('{"type":"ping","data_length":-1}\n'), 'INVALID_MESSAGE'],
  ['an endless line', Buffer.alloc(LIMITS.maxControlBytes + 1, 0x20), 'MESSAGE_TOO_LARGE'],
  ['too much data', Buffer.from('{"type":"ping","data_length":99999999}\n'), 'MESSAGE_TOO_LARGE'],
  [
    'too long a payload',
    Buffer.from('{"type":"audio-chunk","payload_length":99999999}\n'),
    'MESSAGE_TOO_LARGE',
  ],
  ['samples of 4 bytes', framed('audio-start', { ...FORMAT, width: 4 }), 'UNSUPPORTED_ENCODING'],
  ['a rate that is none', framed('audio-start', { ...FORMAT, rate: 1 }), 'UNSUPPORTED_SAMPLE_RATE'],
] as const) {
  test(`${name} ends the connection with ${code}`, () => {
    const it = opened();
    const [fail, ...rest] = it.dialect.parse(bytes);
    assert.deepEqual([fail?.type === 'fail' && fail.code, rest], [code, []]);
    const [error] = it.tell({ type: 'error', code, fatal: true });
    assert.deepEqual([error?.type, error?.data.code], ['error', code]);
  });
}

test('the end of what the client sends is its goodbye', () => {
  assert.deepEqual(opened().dialect.parse(new Uint8Array(0)), [{ type: 'close' }]);
});
