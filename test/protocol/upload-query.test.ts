import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUpload } from '../../src/protocol/upload-query.js';

const parse = (query: string, language = 'en') => parseUpload(new URLSearchParams(query), { language });

test('without parameters the answer is JSON of the mixed channels', () => {
  assert.deepEqual(parse(''), { wanted: {}, format: 'json', separate: false, raw: undefined, warnings: [] });
});

test('what recognition goes by is checked like any configuration', () => {
  assert.deepEqual(parse('silence_duration=0.5&hotwords=one&hotwords=two:3').wanted, {
    silence_duration: 0.5,
    hotwords: [
      { phrase: 'one', boost: 2 },
      { phrase: 'two', boost: 3 },
    ],
  });
  for (const query of [
    'silence_duration=',
    'vad_threshold=2',
    'max_segment_duration=x',
    'hotwords=',
    'hotwords=a:99',
    'format=docx',
  ]) {
    assert.throws(() => parse(query), { code: 'BAD_REQUEST' }, query);
  }
});

test('the last of several values counts, and lists may be written with brackets', () => {
  assert.equal(parse('format=srt&format=vtt').format, 'vtt');
  assert.equal(parse('response_format=verbose_json').format, 'verbose_json');
  assert.equal(parse('hotwords[]=a&hotwords[]=b').wanted.hotwords?.length, 2);
  for (const yes of ['true', 'True', '1', '']) assert.equal(parse(`multichannel=${yes}`).separate, true, yes);
  assert.equal(parse('multichannel=false').separate, false);
});

test('raw samples are described by encoding, rate and channels', () => {
  assert.deepEqual(parse('encoding=mulaw&sample_rate=8000&channels=2').raw, {
    encoding: 'mulaw',
    sample_rate: 8_000,
    channels: 2,
  });
  assert.deepEqual(parse('encoding=linear16').raw, { encoding: 'pcm16', sample_rate: 16_000, channels: 1 });
  assert.equal(parse('sample_rate=8000').raw, undefined, 'a file says it itself');
});

test('each of the unknown and unsupported is named once, with its code', () => {
  const codes = (query: string) =>
    parse(query).warnings.map(({ code, detail }) => `${code} ${detail.split(':')[0]}`);
  assert.deepEqual(codes('smart_format=true&punctuate=True&x=1&x=2&model=nova-3&token=k'), [
    'NOT_SUPPORTED smart_format',
    'NOT_SUPPORTED punctuate',
    'UNKNOWN_PARAMETER x',
  ]);
  assert.deepEqual(
    codes('diarize=false&redact=none&smart_format=0'),
    [],
    'what is not wanted is not missing',
  );
  const many = Array.from({ length: 60 }, (_, i) => `p${i}=1`).join('&');
  assert.equal(parse(many).warnings.length, 20);
});

test("a language that is not the model's is a warning, its names and regions are none", () => {
  for (const own of ['en', 'EN', 'en-GB', 'en_US', 'english', 'auto', 'multi', '']) {
    assert.deepEqual(parse(`language=${own}`).warnings, [], own);
  }
  for (const other of ['de', 'de-DE', 'german', 'x'.repeat(200)]) {
    const [warning] = parse(`language=${other}`).warnings;
    assert.match(warning?.detail ?? '', /^language: the model knows en, not "/);
    assert.ok((warning?.detail.length ?? 0) < 120);
  }
});

test('the language of a file is passed on to a multilingual model, and no other', () => {
  const prompts = { auto: 2, languages: { 'en-US': 0, 'de-DE': 1 } };
  const request = (query: string) => parseUpload(new URLSearchParams(query), { language: 'und', prompts });
  assert.deepEqual(request('language=de'), { ...request(''), wanted: { language: 'de' } });
  assert.deepEqual(request('language=auto').wanted, { language: 'auto' });
  const { wanted, warnings } = request('language=fi');
  assert.deepEqual(wanted, {});
  assert.match(warnings[0]?.detail ?? '', /knows en-US, de-DE, not "fi"/);
  assert.deepEqual(parse('language=en').wanted, {});
});

test('a model of two languages takes both, by tag or by name', () => {
  const warningsFor = (asked: string) =>
    parseUpload(new URLSearchParams({ language: asked }), { language: 'zh,en' }).warnings;
  assert.deepEqual(['zh-TW', 'en', 'Chinese', 'english'].flatMap(warningsFor), []);
  assert.equal(warningsFor('fi').length, 1);
});
