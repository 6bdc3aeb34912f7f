import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiError, parseTranscription, TranscriptionEvents } from '../../src/protocol/openai.js';
import type { Word } from '../../src/transcript/words.js';

const parse = (...pairs: [string, string][]) => parseTranscription(pairs, { language: 'en-US' });

test('without fields it is JSON with segments, not streamed', () => {
  assert.deepEqual(parse(['model', 'whisper-1'], ['prompt', 'x'], ['temperature', '0.2']), {
    wanted: {},
    format: 'json',
    words: false,
    segments: true,
    stream: false,
    warnings: [],
  });
});

test('granularities are those that are given, with brackets or without', () => {
  const of = (...names: string[]) => {
    const { words, segments } = parse(
      ...names.map((it): [string, string] => ['timestamp_granularities[]', it]),
    );
    return [words, segments];
  };
  assert.deepEqual(
    [of('word'), of('segment'), of('word', 'segment')],
    [
      [true, false],
      [false, true],
      [true, true],
    ],
  );
  assert.equal(parse(['timestamp_granularities', 'word']).words, true);
  assert.equal(parse(['timestamp_granularities[0]', 'word']).words, true);
});

for (const [name, value] of [
  ['response_format', 'diarized_json'],
  ['timestamp_granularities[]', 'letter'],
] as const) {
  test(`${name}: ${value} is refused by the field's name`, () => {
    assert.throws(
      () => parse([name, value]),
      (error: { code: 'BAD_REQUEST'; detail: string }) => {
        assert.equal(openAiError(error.code, error.detail).param, name.replace('[]', ''));
        return true;
      },
    );
  });
}

test('keywords are phrases to listen for, with their boost if they have one', () => {
  const { wanted } = parse(
    ['keywords[]', 'etcd'],
    ['keywords[]', 'Kubernetes:5'],
    ['keywords[]', 'at 10:30'],
    ['keywords[]', ' '],
  );
  assert.deepEqual(wanted.hotwords, [
    { phrase: 'etcd', boost: 2 },
    { phrase: 'Kubernetes', boost: 5 },
    { phrase: 'at 10:30', boost: 2 },
  ]);
});

test('a chunking strategy sets the silence, within what there is, in each form that SDKs send', () => {
  const silence = (...pairs: [string, string][]) => parse(...pairs).wanted.silence_duration;
  assert.equal(silence(['chunking_strategy', 'auto']), undefined);
  assert.equal(silence(['chunking_strategy', '{"type":"server_vad","silence_duration_ms":350}']), 0.35);
  assert.equal(silence(['chunking_strategy[silence_duration_ms]', '350']), 0.35);
  assert.equal(silence(['chunking_strategy', '{"silence_duration_ms":1}']), 0.1);
  assert.equal(silence(['chunking_strategy', '{"silence_duration_ms":1e9}']), 10);
  assert.equal(silence(['chunking_strategy', '{"silence_duration_ms":"soon"}']), undefined);
});

test('another language is told in a warning', () => {
  assert.deepEqual(parse(['language', 'en']).warnings, []);
  assert.equal(parse(['language', 'de']).warnings[0]?.code, 'NOT_SUPPORTED');
});

const segment = (...texts: string[]) => ({
  id: 1,
  reason: 'silence' as const,
  words: texts.map((text): Word => ({ text, startSamples: 0, endSamples: 0, tokens: 2, logpSum: 0 })),
});
const told = (text: string) =>
  text
    .split('\n\n')
    .filter((it) => it !== '')
    .map((it) => it.replace('data: ', ''));

test('deltas add up to the text at the end, and segments without words make none', () => {
  const events = new TranscriptionEvents();
  const all = [segment('one', 'two'), segment(), segment('three')].map((it) => events.segment(it)).join('');
  const deltas = told(all).map((it) => JSON.parse(it));
  assert.deepEqual(deltas, [
    { type: 'transcript.text.delta', delta: 'one two' },
    { type: 'transcript.text.delta', delta: ' three' },
  ]);
  const [done, end, ...rest] = told(events.done(16_000));
  assert.deepEqual(JSON.parse(done ?? ''), {
    type: 'transcript.text.done',
    text: 'one two three',
    usage: { type: 'tokens', input_tokens: 10, output_tokens: 6, total_tokens: 16 },
  });
  assert.deepEqual([end, rest], ['[DONE]', []]);
});

test('an error has a message, a type, a parameter and a code', () => {
  const { message, ...error } = openAiError('CORRUPT_AUDIO', 'at byte 7');
  assert.match(message, /byte 7/);
  assert.deepEqual(error, { type: 'invalid_request_error', param: 'file', code: 'corrupt_audio' });
  assert.deepEqual(openAiError('UNAUTHORIZED', undefined).code, 'invalid_api_key');
  assert.equal(openAiError('AT_CAPACITY', undefined).type, 'server_error');
  assert.ok(!openAiError('INTERNAL', '/a/path').message.includes('/a/path'));
});

test('the language of a file is passed on to a multilingual model', () => {
  const spoken = { language: 'und', prompts: { auto: 2, languages: { 'en-US': 0, 'de-DE': 1 } } };
  const { wanted, warnings } = parseTranscription([['language', 'de']], spoken);
  assert.deepEqual([wanted, warnings], [{ language: 'de' }, []]);
  assert.equal(parseTranscription([['language', 'fi']], spoken).warnings.length, 1);
});
