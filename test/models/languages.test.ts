import assert from 'node:assert/strict';
import { test } from 'node:test';
import { languagesOf, promptOf, speaks } from '../../src/models/languages.js';

const many = {
  language: 'und',
  prompts: { auto: 7, languages: { 'en-US': 0, 'en-GB': 1, 'de-DE': 2, fr: 3 } },
};

test('a tag is its own number, in whatever letters', () => {
  assert.deepEqual(
    ['en-GB', 'EN-gb', 'en_GB', 'fr'].map((it) => promptOf(many, it)),
    [1, 1, 1, 3],
  );
});

test('a language without that region is the first with the same language', () => {
  assert.deepEqual(
    ['en', 'en-NZ', 'de', 'fr-CA'].map((it) => promptOf(many, it)),
    [0, 0, 2, 3],
  );
});

test('auto, and no language, leave it to the model', () => {
  assert.deepEqual(
    ['auto', ''].map((it) => promptOf(many, it)),
    [7, 7],
  );
});

test('a language that the model does not have has no number', () => {
  assert.equal(promptOf(many, 'fi'), null);
  assert.equal(speaks(many, 'fi'), false);
});

test('a model that cannot be told a language has no numbers, and speaks its own in every region', () => {
  assert.equal(promptOf({ language: 'en' }, 'en'), undefined);
  assert.ok(speaks({ language: 'en' }, 'en-GB'));
  assert.ok(!speaks({ language: 'en' }, 'de'));
});

test('a model of two languages speaks both', () => {
  assert.deepEqual(
    ['zh-CN', 'en', 'de'].map((it) => speaks({ language: 'zh,en' }, it)),
    [true, true, false],
  );
});

test('people are told every language that the model can be told', () => {
  assert.equal(languagesOf(many), 'en-US, en-GB, de-DE, fr');
  assert.equal(languagesOf({ language: 'en' }), 'en');
});
