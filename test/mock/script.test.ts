import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_SCRIPT, parseScript, readScript } from '../../src/mock/script.js';

const word = (text: string, start: number, end: number) => ({ word: text, start, end });
const ofWords = (...words: object[]) => ({ utterances: [{ words }] });

test('a text is spread over words of a quarter of a second', () => {
  const { words, speech } = parseScript({ utterances: [{ at: 1, text: ' hello  world ', confidence: 0.5 }] });
  assert.deepEqual(words, [
    { text: 'hello', guess: 'hello', confidence: 0.5, start: 16_000, end: 20_000 },
    { text: 'world', guess: 'world', confidence: 0.5, start: 20_800, end: 24_800 },
  ]);
  assert.deepEqual(speech, [[16_000, 24_800]]);
});

test('what is left out has a default, and a script without faults has none', () => {
  const { language, stepMs, capacity, repeatEvery, faults } = parseScript(ofWords(word('a', 0, 1)));
  assert.deepEqual([language, stepMs, capacity, repeatEvery], ['en', 5, 64, Infinity]);
  assert.deepEqual(faults, { refuseStarts: 0, cutAfter: Infinity, failAfter: Infinity });
});

const WRONG: readonly (readonly [string, unknown, RegExp])[] = [
  ['is no object', 'hello', /top level/],
  ['has a field that is not known', { ...ofWords(word('a', 0, 1)), latency: 3 }, /latency/],
  ['has no words', { utterances: [] }, /utterances/],
  ['has a word with a space', ofWords(word('a b', 0, 1)), /utterances\.0/],
  ['has a special token', ofWords(word('<unk>', 0, 1)), /utterances\.0/],
  ['has a special token in a text', { utterances: [{ at: 0, text: 'a <unk>' }] }, /utterances\.0/],
  ['has a word that ends before it starts', ofWords(word('a', 2, 1)), /"a" must end after it starts/],
  ['has words out of order', ofWords(word('a', 1, 2), word('b', 1.5, 3)), /"b" starts before "a" ends/],
  ['repeats before its last word', { ...ofWords(word('a', 1, 2)), repeatEvery: 1.5 }, /repeatEvery/],
  ['has steps that are longer than a chunk', { ...ofWords(word('a', 1, 2)), stepMs: 200 }, /stepMs/],
];
for (const [what, script, message] of WRONG) {
  test(`a script that ${what} is refused with the place`, () => {
    assert.throws(() => parseScript(script), { code: 'CONFIG_INVALID', detail: message });
  });
}

test('a script is read from a file; one that cannot be is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'script-'));
  try {
    const path = join(folder, 'script.json');
    writeFileSync(path, JSON.stringify(DEFAULT_SCRIPT));
    assert.deepEqual(readScript(path), parseScript(DEFAULT_SCRIPT));
    writeFileSync(path, '{');
    assert.throws(() => readScript(path), { code: 'CONFIG_INVALID', detail: /is not JSON/ });
    assert.throws(() => readScript(join(folder, 'none')), {
      code: 'CONFIG_INVALID',
      detail: /cannot be read/,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
