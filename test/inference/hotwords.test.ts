import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compileHotwords, EDGE_INTS, HotwordCompiler } from '../../src/inference/hotwords.js';
import { PieceSpeller } from '../../src/inference/speller.js';
import { parseTokens } from '../../src/models/store.js';
import { alphabetOf } from '../../src/models/vocabulary.js';
import { inPackage } from '../../src/paths.js';

// The pieces of a BPE vocabulary: those of the embedded model up to 1.2.0.
const path = inPackage('test', 'fixtures', 'bpe-tokens.txt');
const tokens = parseTokens(readFileSync(path, 'utf8'), path);

const icefallBytes = (text: string): string =>
  [...Buffer.from(text)].map((byte) => alphabetOf('icefall-bytes')?.chars[byte]).join('');

/** Edges in use, as rows. */
function rows(edges: Int32Array): number[][] {
  const all = Array.from({ length: edges.length / EDGE_INTS }, (_, i) => [
    ...edges.subarray(i * EDGE_INTS, (i + 1) * EDGE_INTS),
  ]);
  return all.filter((edge) => edge[1] !== 0);
}

test('phrases are spelled as the tokenizer that made the vocabulary spells them', () => {
  const speller = new PieceSpeller(tokens);
  // From sentencepiece 0.2.3 with this vocabulary.
  const expected: [string, number[]][] = [
    ['rotterdam', [67, 48, 100, 482, 81]],
    ['Acetylsalicylic  acid', [3, 487, 58, 489, 483, 479, 63, 64, 489, 483, 64, 3, 487, 60]],
    ["O'Brien", [10, 495, 492, 250, 23]],
    ['kubernetes', [102, 365, 12, 478, 58, 34]],
    ["zanzibar's", [206, 28, 498, 402, 35, 495, 479]],
    ['a', [3]],
    ['the quick brown fox', [4, 305, 376, 253, 343, 275, 496]],
  ];
  for (const [phrase, ids] of expected) assert.deepEqual(speller.spellings(phrase), [ids], phrase);
});

test('what has letters that the model does not know has no spelling', () => {
  const speller = new PieceSpeller(tokens);
  for (const phrase of ['mämmi', 'r2d2', '東京', '  ', 'a-b'])
    assert.deepEqual(speller.spellings(phrase), [], phrase);
});

test('phrases share the beginning of their way, and where one ends nothing is owed', () => {
  const { edges, left } = new HotwordCompiler(tokens, 16).compile([
    { phrase: 'mira', boost: 1 },
    { phrase: 'mirador', boost: 2 },
  ]);
  assert.deepEqual(left, []);
  // mira: 14 88 475, mirador: 14 88 45 32
  assert.deepEqual(rows(edges), [
    [0, 14, 1, 2000, 2000],
    [1, 88, 2, 2000, 4000],
    [2, 475, 0, 1000, 0],
    [2, 45, 3, 2000, 6000],
    [3, 32, 0, 2000, 0],
  ]);
});

test('a phrase that goes on as another keeps what it gained up to its own end', () => {
  const { edges } = new HotwordCompiler(tokens, 16).compile([
    { phrase: 'a', boost: 1 },
    { phrase: 'a the', boost: 1 },
  ]);
  assert.deepEqual(rows(edges), [
    [0, 3, 1, 1000, 0],
    [1, 4, 0, 1000, 0],
  ]);
});

test('phrases without room, without a spelling or without a boost are left out and told by their place', () => {
  const compiler = new HotwordCompiler(tokens, 6);
  const { edges, left } = compiler.compile([
    { phrase: 'rotterdam', boost: 2 },
    { phrase: 'kubernetes', boost: 2 },
    { phrase: 'mämmi', boost: 2 },
    { phrase: 'the', boost: -1 },
    { phrase: 'a', boost: 2 },
  ]);
  assert.deepEqual(
    left.map(({ index }) => index),
    [1, 2, 3],
  );
  assert.equal(rows(edges).length, 6);
});

test('two lists never share a node, so that a search in the middle of the first finds no way on in the second', () => {
  const compiler = new HotwordCompiler(tokens, 16);
  const nodes = () =>
    rows(compiler.compile([{ phrase: 'rotterdam', boost: 2 }]).edges).flatMap(([from, , to]) => [from!, to!]);
  const first = new Set(nodes());
  assert.deepEqual(
    nodes().filter((node) => node !== 0 && first.has(node)),
    [],
  );
});

test('a word that is a piece is spelled with it, and one that is none has no spelling where pieces are words', () => {
  const speller = new PieceSpeller(['<blk>', '▁a', '▁new', '▁york', '▁newer', 'r', 'k', '▁o’clock']);
  assert.deepEqual(speller.spellings('New York'), [[2, 3]]);
  assert.deepEqual(speller.spellings('newer'), [[4]]);
  assert.deepEqual(speller.spellings('new yorker'), []);
});

test("phrases are spelled in the vocabulary's own case, however they are written", () => {
  const capitals = new PieceSpeller(['<blk>', '▁ZE', 'RO', '▁', 'I']);
  for (const phrase of ['zero', 'Zero', 'ZERO'])
    assert.deepEqual(capitals.spellings(phrase), [[1, 2]], phrase);
  const turkish = ['<blk>', '▁İ', 'Z'];
  assert.deepEqual(new PieceSpeller(turkish, { language: 'tr' }).spellings('iz'), [[1, 2]]);
});

test('where capitals and small letters differ, a phrase is listened for in the ways it may be written', () => {
  const speller = new PieceSpeller(['▁new', '▁New', '▁york', '▁York', '▁NEW']);
  assert.deepEqual(speller.spellings('new york'), [[0, 2], [1, 3]]); // biome-ignore format: short
  assert.deepEqual(speller.spellings('New york'), [[1, 2], [0, 2], [1, 3]]); // biome-ignore format: short
  const { edges, left } = new HotwordCompiler(['▁new', '▁New', '▁NEW'], 2).compile([
    { phrase: 'new', boost: 1 },
  ]);
  assert.deepEqual(left, []);
  assert.equal(rows(edges).length + 1, 2, 'as many as there is room for; id 0 is among them');
});

test('Chinese is spelled by characters, without the sign of a beginning where it need not be', () => {
  const speller = new PieceSpeller(['<blk>', '你', '好', '你好', '▁ok', '▁世', '界', '▁']);
  assert.deepEqual(speller.spellings('你好'), [[3]]);
  assert.deepEqual(speller.spellings('好你 ok'), [[2, 1, 4]]);
  assert.deepEqual(speller.spellings('ok好'), [[4, 2]]);
  assert.deepEqual(speller.spellings('世界'), [[5, 6]]);
  assert.deepEqual(speller.spellings('東京'), []);
  assert.deepEqual(new PieceSpeller(['<blk>', '你', '好']).spellings('你好'), [[1, 2]], 'without any ▁');
});

test('letters are spelled with the token for the space between words', () => {
  const speller = new PieceSpeller(['<blk>', ' ', 'h', 'i', 'a']);
  assert.deepEqual(speller.spellings('hi ha'), [[2, 3, 1, 2, 4]]);
});

test('what is no piece is spelled in bytes where the vocabulary has them, and never as a special', () => {
  const speller = new PieceSpeller(['<unk>', '▁caf', '<0xC3>', '<0xA9>', '▁', 'n']);
  assert.deepEqual(speller.spellings('café'), [[1, 2, 3]]);
  assert.deepEqual(speller.spellings('cafè'), [], 'a byte is missing');
  assert.deepEqual(new PieceSpeller(['<unk>', 'one']).spellings('<unk>'), []);
});

test('byte-level vocabularies are spelled in the names of their bytes', () => {
  const gpt = new PieceSpeller(['Ġ', 'c', 'Ã', '©', 'Ã©', 'Ġc']);
  assert.deepEqual(gpt.spellings('cé'), [[5, 4]]);
  const icefall = ['<blk>', ...['你', '好'].map((char) => `▁${icefallBytes(char)}`), `▁${icefallBytes('é')}`];
  assert.deepEqual(new PieceSpeller(icefall).spellings('你好'), [[1, 2]]);
});

test('where pieces are not made by merging, the likeliest ones spell a word', () => {
  // As a unigram tokenizer has them: no "▁hel", and the frequent ones first.
  const speller = new PieceSpeller(['<blk>', '▁the', '▁hello', 'lo', '▁he', 'l', 'o', '▁', 'h', 'e', 'loop']);
  assert.deepEqual(speller.spellings('hello'), [[2]]);
  assert.deepEqual(speller.spellings('hellolo'), [[2, 3]]);
  assert.deepEqual(speller.spellings('loop'), [[7, 10]]);
  assert.deepEqual(speller.spellings('help'), []);
});

test('what is left out is told with its place and the reason', () => {
  const { warning } = compileHotwords(new HotwordCompiler(['<blk>', '▁one'], 8), [
    { phrase: 'one', boost: 1 },
    { phrase: 'two', boost: 1 },
  ]);
  assert.equal(warning, "hotwords.1 is left out, it cannot be spelled with the model's tokens");
});
