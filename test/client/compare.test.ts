/** What the page that compares two servers decides: which words differ, and where audio may go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { placeOf, shareable } from '#static/compare/addresses.js';
import { differences, differencesSoFar } from '#static/compare/differences.js';

const marked = (a: string, b: string, compare = differences) => {
  const [wordsA, wordsB] = [a, b].map((text) => text.split(' ').filter((it) => it !== '')) as [
    string[],
    string[],
  ];
  const differs = compare(wordsA, wordsB);
  const show = (words: string[], flags: boolean[]) =>
    words.map((it, i) => (flags[i] ? `[${it}]` : it)).join(' ');
  return [show(wordsA, differs.a), show(wordsB, differs.b)];
};

test('words that only one has are marked, in the middle and at both ends', () => {
  assert.deepEqual(marked('the cat sat down', 'a cat sat'), ['[the] cat sat [down]', '[a] cat sat']);
  assert.deepEqual(marked('one two three', 'one three'), ['one [two] three', 'one three']);
  assert.deepEqual(marked('', 'one'), ['', '[one]']);
});

test('capitals and punctuation make no difference', () => {
  assert.deepEqual(marked('Hello, World.', 'hello world'), ['Hello, World.', 'hello world']);
});

test('while both listen, what the other has not told yet is not marked', () => {
  assert.deepEqual(marked('one two three', 'one', differencesSoFar), ['one two three', 'one']);
  assert.deepEqual(marked('one two', '', differencesSoFar), ['one two', '']);
  assert.deepEqual(marked('one two three', 'one too', differencesSoFar), ['one [two] [three]', 'one [too]']);
});

test('what is not marked is the same on both sides, whatever the texts', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const differs = differences(a, b);
      const left = (words: string[], flags: boolean[]) => words.filter((_, i) => !flags[i]);
      assert.deepEqual(left(a, differs.a), left(b, differs.b));
    }),
    { seed: 1 },
  );
});

test('two long texts with nothing in common are compared in bounded time and space', () => {
  const [a, b] = ['a', 'b'].map((letter) => Array.from({ length: 5_000 }, (_, i) => letter + i)) as [
    string[],
    string[],
  ];
  assert.ok(differences(a, b).a.every((it) => it));
});

const PAGE = 'https://speech.example/app/compare';
const OWN = 'wss://speech.example/app/ws/transcribe';
test('an address may be short; its scheme is that of the page', () => {
  assert.equal(placeOf('other.example:9000', PAGE, OWN).url, 'wss://other.example:9000');
  assert.equal(placeOf('localhost:9000', 'http://localhost:8000/', OWN).url, 'ws://localhost:9000');
  assert.equal(placeOf(' https://x.example/speech/ ', PAGE, OWN).url, 'https://x.example/speech/');
});

test('this server is known as such, and no other', () => {
  assert.deepEqual(placeOf('', PAGE, OWN), { url: undefined, host: 'speech.example', isOwn: true });
  assert.equal(placeOf('https://speech.example/app/', PAGE, OWN).isOwn, true);
  assert.equal(placeOf('speech.example:9000', PAGE, OWN).isOwn, false);
  assert.equal(placeOf('wss://speech.example@evil.example/', PAGE, OWN).isOwn, false);
});

test('an address of another kind is refused', () => {
  for (const text of ['ftp://x.example', 'javascript://x/%0aalert(1)', 'ws://', 'a b'])
    assert.throws(() => placeOf(text, PAGE, OWN), TypeError, text);
});

test('what is kept in the address of the page has no keys', () => {
  assert.equal(shareable('wss://u:p@x.example/ws?token=secret#t'), 'wss://x.example/ws');
  assert.equal(shareable('x.example:9000?token=secret'), 'x.example:9000');
  assert.equal(shareable(''), '');
});
