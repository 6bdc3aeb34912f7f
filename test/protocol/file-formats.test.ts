import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderAs, verboseJson, warningsHeader } from '../../src/protocol/file-formats.js';
import { renderFile } from '../../src/protocol/file-result.js';
import type { Segment } from '../../src/transcript/transcript.js';

const S = 16_000;
const word = (text: string, start: number, end: number) => ({
  text,
  startSamples: start * S,
  endSamples: end * S,
  tokens: 1,
  logpSum: -0.1,
});
const segment = (id: number, ...words: ReturnType<typeof word>[]): Segment => ({
  id,
  words,
  reason: 'silence',
});
const AS_IT_IS = { scale: 1, bias: 0 };
const one = {
  segments: [segment(1, word('hello', 0.5, 1), word('world', 1, 1.5)), segment(2, word('again', 3, 3.5))],
  text: 'hello world again',
};
const two = { segments: [segment(1, word('yes', 2, 2.3))], text: 'yes' };
const mixed = renderFile({ channels: [one], samples: 4 * S, warnings: ['hotwords: none'] }, AS_IT_IS);
const apart = renderFile({ channels: [one, two], samples: 4 * S, warnings: [] }, AS_IT_IS, true);

test('a mixed file has the fields it always had', () => {
  assert.deepEqual(Object.keys(mixed), [
    'text',
    'confidence',
    'words',
    'segments',
    'audio_duration_s',
    'warnings',
  ]);
  assert.deepEqual(mixed.warnings, [{ code: 'NOT_SUPPORTED', detail: 'hotwords: none' }]);
});

test('channels kept apart come by themselves and together in order of time', () => {
  assert.deepEqual(apart.channels?.map(({ channel, text }) => [channel, text]), [[0, 'hello world again'], [1, 'yes']]); // biome-ignore format: pairs
  assert.equal(apart.text, 'hello world yes again');
  assert.deepEqual(apart.segments.map(({ segment_id, channel }) => [segment_id, channel]), [[1, 0], [2, 1], [3, 0]]); // biome-ignore format: pairs
  assert.deepEqual(apart.words.map(({ channel }) => channel), [0, 0, 1, 0]); // biome-ignore format: short
});

test('text is one line, or one per turn', () => {
  assert.equal(renderAs('text', mixed, 'en'), 'hello world again\n');
  assert.equal(renderAs('text', apart, 'en'), 'channel 0: hello world\nchannel 1: yes\nchannel 0: again\n');
});

test('subtitles have their times, and say whose turn it is', () => {
  const srt = renderAs('srt', mixed, 'en');
  assert.match(srt, /^1\n00:00:00,500 --> 00:00:01,500\nhello world\n\n2\n00:00:03,000 --> /);
  const vtt = renderAs('vtt', apart, 'en');
  assert.match(
    vtt,
    /^WEBVTT\nLanguage: en\n\n00:00:00\.500 --> 00:00:01\.500\nchannel 0: hello world\n\n00:00:02\.000/,
  );
  assert.match(vtt, /channel 1: yes/);
});

test("verbose_json has every field that OpenAI's clients require", () => {
  const verbose = verboseJson(mixed, { language: 'en' });
  assert.deepEqual(Object.keys(verbose), [
    'task',
    'language',
    'duration',
    'text',
    'words',
    'segments',
    'usage',
    'warnings',
  ]);
  assert.deepEqual(verbose.words?.[0], { word: 'hello', start: 0.5, end: 1 });
  const [first] = verbose.segments ?? [];
  assert.deepEqual(Object.keys(first ?? {}), [
    'id',
    'seek',
    'start',
    'end',
    'text',
    'tokens',
    'temperature',
    'avg_logprob',
    'compression_ratio',
    'no_speech_prob',
  ]);
  assert.deepEqual([first?.id, first?.start, first?.end], [0, 0.5, 1.5]);
  assert.ok(Math.abs((first?.avg_logprob ?? 1) - Math.log(mixed.segments[0]!.confidence)) < 1e-3);
  assert.deepEqual(verbose.usage, { type: 'duration', seconds: 4 });
  assert.ok(!('words' in verboseJson(mixed, { language: 'en', words: false })));
  assert.ok(!('segments' in verboseJson(mixed, { language: 'en', segments: false })));
});

test('warnings in a header are one line of ASCII', () => {
  const header = warningsHeader([{ code: 'UNKNOWN_PARAMETER', detail: 'größe\n: 漢' }]);
  assert.match(header, /^[\x20-\x7e]+$/);
  assert.equal(JSON.parse(header)[0].detail, 'größe\n: 漢');
});
