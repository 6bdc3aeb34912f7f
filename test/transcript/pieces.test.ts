import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { joinTexts, type Piece, pieceTable, type Reading } from '../../src/transcript/pieces.js';
import { joinWords, tokenTiming, type Word, WordList } from '../../src/transcript/words.js';
import { FRAME, fakeManifest } from '../helpers/fake-model.js';

const timing = tokenTiming(fakeManifest({ timing: { startShiftMs: 0, endShiftMs: 0 } }));

/** The words of tokens said one a frame; the vocabulary has those and `more`. */
function wordsOf(said: readonly string[], more: readonly string[] = [], reading: Reading = {}): Word[] {
  const tokens = [...new Set(['<blk>', ...said, ...more])];
  return listOf(
    pieceTable(tokens, reading),
    said.map((token) => tokens.indexOf(token)),
  ).words;
}
function listOf(pieces: readonly Piece[], ids: readonly number[]): WordList {
  const list = new WordList(pieces, timing);
  for (const [i, id] of ids.entries()) list.add(id, -0.1, i * FRAME);
  return list;
}
const shown = (words: readonly Word[]) => [joinWords(words), ...words.map((word) => word.text)];

test('a token table knows where words begin, and gives specials no letters', () => {
  assert.deepEqual(pieceTable(['<blk>', '▁he', 'llo', '▁', '<en-US>', '▁<fr-FR>']), [
    { beginsWord: false, text: '' },
    { beginsWord: true, text: 'he' },
    { beginsWord: false, text: 'llo' },
    { beginsWord: true, text: '' },
    { beginsWord: false, text: '' },
    { beginsWord: true, text: '' },
  ]);
});

test('language tags and unknown words leave no trace', () => {
  assert.deepEqual(shown(wordsOf(['▁hel', '<unk>', 'lo', '▁', '<en-US>', '▁you'])), [
    'hello you',
    'hello',
    'you',
  ]);
});

test('a vocabulary of capitals is read in small letters, of the language', () => {
  assert.deepEqual(shown(wordsOf(['▁ZE', 'RO'])), ['zero', 'zero']);
  assert.deepEqual(shown(wordsOf(['▁IŞ', 'IK'], [], { language: 'tr' })), ['ışık', 'ışık']);
  assert.deepEqual(shown(wordsOf(['▁ZE', 'RO'], [], { letterCase: 'keep' })), ['ZERO', 'ZERO']);
  assert.deepEqual(
    shown(wordsOf(['▁Ber', 'lin'])),
    ['Berlin', 'Berlin'],
    'capitals that mean something stay',
  );
  assert.deepEqual(shown(wordsOf(['▁ZE', 'RO'], [], { language: 'no language' })), ['zero', 'zero']);
});

test('where no token begins a word every token is one', () => {
  assert.deepEqual(shown(wordsOf(['hello', 'world'])), ['hello world', 'hello', 'world']);
});

test('letters make words between tokens for the space', () => {
  for (const space of [' ', '<space>'])
    assert.deepEqual(shown(wordsOf(['h', 'i', space, 'y', 'o', 'u'])), ['hi you', 'hi', 'you'], space);
});

test('each Chinese or Japanese character is a word, and no space stands between two of them', () => {
  assert.deepEqual(shown(wordsOf(['你', '好'])), ['你好', '你', '好']);
  assert.deepEqual(shown(wordsOf(['▁你', '好', '▁世界'])), ['你好世界', '你', '好', '世', '界']);
  assert.deepEqual(shown(wordsOf(['コーヒー', 'を'])), ['コーヒーを', 'コ', 'ー', 'ヒ', 'ー', 'を']);
});

test('between characters and letters stands a space, whether the tokens have one or not', () => {
  assert.deepEqual(shown(wordsOf(['▁hello', '你', '▁world'])), ['hello 你 world', 'hello', '你', 'world']);
  assert.deepEqual(shown(wordsOf(['你', 'ok', 'ay', '好'], ['▁'])), ['你 okay 好', '你', 'okay', '好']);
});

test('punctuation goes on with the word before it', () => {
  assert.deepEqual(shown(wordsOf(['你', '好', '。', '你'], ['▁'])), ['你好。你', '你', '好。', '你']);
  assert.deepEqual(shown(wordsOf(['▁oh', ',', '▁no', '!'])), ['oh, no!', 'oh,', 'no!']);
  assert.deepEqual(shown(wordsOf(['▁don', "'", 't'])), ["don't", "don't"]);
});

test('Thai pieces are words of their own without spaces, save where the tokens have one', () => {
  const words = wordsOf(['▁สวัส', 'ดี', '▁ค', 'รับ']);
  assert.deepEqual(shown(words), ['สวัสดี ครับ', 'สวัส', 'ดี', 'ค', 'รับ']);
  assert.deepEqual(
    shown(wordsOf(['▁ก', 'ี่', 'คน'])),
    ['กี่คน', 'กี่', 'คน'],
    'a vowel sign belongs to its letter',
  );
});

test('a space inside of a piece or behind it parts words too', () => {
  assert.deepEqual(shown(wordsOf(['▁new▁york', 'er'])), ['new yorker', 'new', 'yorker']);
  assert.deepEqual(shown(wordsOf(['the▁', 'cat▁', 'sat'])), ['the cat sat', 'the', 'cat', 'sat']);
});

test('a piece of several characters shares its time out among them, and each is as sure as the piece', () => {
  const [first, second] = wordsOf(['世界'], ['▁']);
  assert.deepEqual([first?.startSamples, first?.endSamples], [0, FRAME / 2]);
  assert.deepEqual([second?.startSamples, second?.endSamples], [FRAME / 2, FRAME]);
  assert.deepEqual([first?.logpSum, first?.tokens, second?.logpSum, second?.tokens], [-0.1, 1, -0.1, 1]);
});

const BYTES = ['▁', '<0xE4>', '<0xBD>', '<0xA0>', '<0xC3>', '<0xA9>', '▁caf'];

test('bytes become a character when it is complete, timed from its first byte to its last', () => {
  const pieces = pieceTable(BYTES);
  const list = new WordList(pieces, timing);
  assert.deepEqual([list.add(1, -1, 0), list.add(2, -2, FRAME)], [false, false]);
  assert.equal(joinWords(list.words), '', 'what is not complete is not shown');
  assert.equal(list.hasText(1), true, 'though it may become text');
  assert.equal(list.add(3, -3, 2 * FRAME), true);
  assert.deepEqual(list.words, [
    { text: '你', startSamples: 0, endSamples: 3 * FRAME, tokens: 3, logpSum: -6 },
  ]);
});

test('bytes of a letter go on with their word', () => {
  assert.deepEqual(shown(wordsOf(['▁caf', '<0xC3>', '<0xA9>', '▁ok'])), ['café ok', 'café', 'ok']);
  assert.deepEqual(
    shown(wordsOf(['▁É', '<0xC3>', '<0x89>'])),
    ['éé', 'éé'],
    'small where the vocabulary is capitals',
  );
});

test('bytes that something else interrupts are dropped, and those at the end of a segment', () => {
  assert.deepEqual(shown(wordsOf(['▁a', '<0xE4>', '<0xBD>', '▁b'])), ['a b', 'a', 'b']);
  const pieces = pieceTable(BYTES);
  const list = listOf(pieces, [6, 1, 2]);
  assert.deepEqual(shown(list.takeAll(9 * FRAME)), ['caf', 'caf']);
  list.add(3, -1, 9 * FRAME);
  assert.deepEqual(shown(list.words), [''], 'a lone last byte is nothing');
});

test('a draft goes on with the bytes of its list and leaves them there', () => {
  const list = listOf(pieceTable(BYTES), [1, 2]);
  const draft = list.draft();
  draft.add(3, -1, 2 * FRAME);
  assert.deepEqual([joinWords(draft.words), joinWords(list.words)], ['你', '']);
  list.add(3, -1, 2 * FRAME);
  assert.equal(joinWords(list.words), '你');
});

test('byte-level pieces are joined before they are text', () => {
  // "Ġcafé", and "你" cut after its second byte.
  const said = ['ĠcafÃ©', 'Ġ', 'ä½', 'ł', 's'];
  assert.deepEqual(shown(wordsOf(said)), ['café 你 s', 'café', '你', 's']);
});

const MIXED = [
  '▁he',
  'llo',
  '▁',
  '你',
  '▁世界',
  'か',
  '。',
  '▁,',
  'ก',
  'ี่',
  '▁คน',
  '<unk>',
  ...BYTES.slice(1),
  '<0x20>',
];

test('text only ever grows at its end and times never go back, whatever scripts and bytes come', () => {
  const pieces = pieceTable(MIXED);
  const said = fc.array(fc.nat(MIXED.length - 1), { maxLength: 60 });
  fc.assert(
    fc.property(said, (ids) => {
      const list = new WordList(pieces, timing);
      let before = '';
      ids.forEach((id, i) => {
        const changed = list.add(id, -0.1, i * FRAME);
        const text = joinWords(list.words);
        assert.ok(text.startsWith(before) && changed === text.length > before.length, `${before} → ${text}`);
        assert.doesNotMatch(text, /^ | $| {2}|\ufffd/u);
        before = text;
      });
      let at = 0;
      for (const word of list.words) {
        assert.ok(word.text !== '' && word.tokens > 0 && word.startSamples >= at);
        assert.ok(word.endSamples >= word.startSamples);
        at = word.startSamples;
      }
    }),
    { seed: 9, numRuns: 500 },
  );
});

test('segments are joined by a space, except between characters', () => {
  assert.equal(joinTexts(['one two', 'three']), 'one two three');
  assert.equal(joinTexts(['你好。', '世界', 'ok', '好']), '你好。世界 ok 好');
  assert.equal(joinTexts([]), '');
});
