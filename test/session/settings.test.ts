import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LANGUAGE } from '../../src/protocol/parse.js';
import { Settings, unsupportedLanguage } from '../../src/session/settings.js';
import { recordingConfig } from '../helpers/recording-config.js';

const settings = (ofDialect = {}) => new Settings(recordingConfig(), ofDialect);

test('settings are the defaults, the dialect’s, what configure asked for, what the start asked for', () => {
  const it = settings({ sample_rate: 8_000, words: false });
  assert.deepEqual([it.current.sample_rate, it.current.words, it.current.channels], [8_000, false, 1]);
  it.configure({ words: true, silence_duration: 2 });
  it.begin({ silence_duration: 3 });
  assert.deepEqual([it.current.sample_rate, it.current.words, it.current.silence_duration], [8_000, true, 3]);
  it.end();
  assert.equal(it.current.silence_duration, 2, 'the start’s hold for its recording only');
});

test('configure in the middle of a recording holds for it and for those that follow', () => {
  const it = settings();
  it.begin({ silence_duration: 3 });
  assert.equal(it.configure({ silence_duration: 4 }).silence_duration, 4);
  it.end();
  assert.equal(it.current.silence_duration, 4);
});

test('the format is locked while recording, to another value than the one in force', () => {
  const it = settings();
  it.begin({ sample_rate: 48_000 });
  assert.throws(() => it.configure({ sample_rate: 8_000 }), { code: 'CONFIG_LOCKED', detail: 'sample_rate' });
  assert.equal(it.configure({ sample_rate: 48_000 }).sample_rate, 48_000);
  it.end();
  assert.equal(it.configure({ sample_rate: 8_000 }).sample_rate, 8_000);
});

test('a format that the audio itself has holds for this recording', () => {
  const it = settings();
  it.begin({});
  it.reformat({ sample_rate: 44_100, encoding: 'float32', channels: 2 });
  assert.deepEqual(
    [it.current.sample_rate, it.current.encoding, it.current.channels],
    [44_100, 'float32', 2],
  );
  it.end();
  assert.equal(it.current.sample_rate, 16_000);
});

test('the default language is the model’s, also after another one was asked for', () => {
  const it = settings();
  it.configure({ language: 'fr' });
  it.begin({ language: DEFAULT_LANGUAGE });
  assert.equal(it.current.language, 'en');
});

test('a model of one language takes every region of it', () => {
  for (const language of ['en', 'EN', 'en-US', DEFAULT_LANGUAGE, undefined]) {
    assert.equal(unsupportedLanguage(language, { language: 'en' }), null, language);
  }
  assert.match(unsupportedLanguage('fi', { language: 'en' }) ?? '', /only knows en/);
});

test('a multilingual model takes the languages that it can be told, and names them otherwise', () => {
  const prompts = { auto: 2, languages: { 'en-US': 0, 'de-DE': 1 } };
  for (const language of ['de', 'en-GB', 'auto', DEFAULT_LANGUAGE]) {
    assert.equal(unsupportedLanguage(language, { language: 'und', prompts }), null, language);
  }
  assert.match(unsupportedLanguage('fi', { language: 'und', prompts }) ?? '', /only knows en-US, de-DE/);
});
