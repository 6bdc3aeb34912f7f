import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alphabetOf, lettersOf, styleOf, takeUtf8, textOf } from '../../src/models/vocabulary.js';

/** Text as the tokens of a byte-level vocabulary write it. */
function named(text: string, style: 'byte-level' | 'icefall-bytes'): string {
  const alphabet = alphabetOf(style);
  assert.ok(alphabet);
  return [...Buffer.from(text)]
    .map((byte) => (byte === 0x20 ? alphabet.space : alphabet.chars[byte]))
    .join('');
}

test('a vocabulary shows its style', () => {
  assert.equal(styleOf(['<blk>', '▁he', 'llo']), 'sentencepiece');
  assert.equal(styleOf(['<blk>', '▁he', '你', '<0xE4>']), 'sentencepiece');
  assert.equal(styleOf(['<blk>', 'hello', 'world']), 'words');
  assert.equal(styleOf(['<blk>', '你', '好']), 'words');
  assert.equal(styleOf(['<blk>', 'h', 'e', ' ']), 'characters');
  assert.equal(styleOf(['<blk>', 'h', 'e', '<space>']), 'characters');
  assert.equal(styleOf(['Ġhe', 'llo', 'Ã©']), 'byte-level');
  const pieces = [' 你', '好', ' hello', '的', 's'].map((text) => named(text, 'icefall-bytes'));
  assert.equal(styleOf(['<blk>', '<sos/eos>', '<unk>', ...pieces]), 'icefall-bytes');
});

test("letters of a language that icefall's bytes are written with too are no bytes", () => {
  // Lithuanian: each letter is one that stands for a byte there, but the bytes make no text.
  assert.equal(styleOf(['▁ši', 'ų', '▁ačiū', 'ė', 'ž']), 'sentencepiece');
});

test('the names of bytes are those of GPT-2 and icefall', () => {
  const gpt = alphabetOf('byte-level');
  const icefall = alphabetOf('icefall-bytes');
  for (const alphabet of [gpt, icefall]) assert.equal(new Set(alphabet?.chars).size, 256);
  const codes = (bytes: number[], chars = gpt?.chars) => bytes.map((byte) => chars?.[byte]?.codePointAt(0));
  assert.deepEqual(codes([0, 0x20, 0x21, 0x7f, 0xa0, 0xad, 0xff]), [256, 288, 0x21, 289, 322, 323, 255]);
  // icefall leaves out U+0132, U+0133, U+013F, U+0140, U+0149 and U+017F.
  const ends = [0, 31, 32, 126, 127, 144, 145, 155, 156, 163, 164, 216, 217, 255];
  assert.deepEqual(
    codes(ends, icefall?.chars),
    [256, 287, 32, 126, 288, 305, 308, 318, 321, 328, 330, 382, 384, 422],
  );
});

test('specials have no text, bytes and spaces do', () => {
  for (const special of ['<unk>', '<blk>', '<sos/eos>', '<en-US>', '<|endoftext|>', ''])
    assert.equal(textOf(special, 'sentencepiece'), '', special);
  assert.equal(textOf('▁the', 'sentencepiece'), ' the');
  assert.equal(textOf('<', 'sentencepiece'), '<', 'a token of its own');
  assert.equal(textOf('<0x41>', 'sentencepiece'), 'A');
  assert.deepEqual(textOf('<0xE4>', 'sentencepiece'), [0xe4]);
  assert.equal(textOf('hello', 'words'), ' hello');
  assert.equal(textOf('<space>', 'characters'), ' ');
  assert.equal(textOf(named(' né', 'byte-level'), 'byte-level'), ' né');
  assert.equal(textOf(named(' 你', 'icefall-bytes'), 'icefall-bytes'), ' 你');
  assert.deepEqual(textOf(named('é', 'byte-level').slice(0, 1), 'byte-level'), [0xc3]);
});

test('capitals are told from small letters, and scripts that have neither from both', () => {
  assert.equal(lettersOf(['<blk>', '<unk>', '▁THE', "'S"], 'sentencepiece'), 'capital');
  assert.equal(lettersOf(['<blk>', '▁the', '1'], 'sentencepiece'), 'small');
  assert.equal(lettersOf(['▁The', '▁the'], 'sentencepiece'), 'both');
  assert.equal(lettersOf(['<blk>', '你', '好'], 'words'), 'none');
  assert.equal(lettersOf(['<blk>', '▁ДА'], 'sentencepiece'), 'capital');
});

test('UTF-8 cut anywhere comes out whole, character by character', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      (text, cuts) => {
        const bytes = [...Buffer.from(text)];
        let shown = '';
        let rest: number[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = cuts.next().value ?? 1;
          const taken = takeUtf8([...rest, ...bytes.slice(at, at + size)]);
          shown += taken.text;
          rest = taken.rest;
          assert.ok(rest.length <= 3);
          at += size;
        }
        assert.equal(shown, Buffer.from(text).toString().replaceAll('\ufeff', ''));
        assert.deepEqual(rest, []);
      },
    ),
    { seed: 21 },
  );
});

test('bytes that are no UTF-8 are dropped, and what follows them is not', () => {
  assert.deepEqual(takeUtf8([0x80, 0xff, 0x61]), { text: 'a', rest: [] });
  assert.deepEqual(takeUtf8([0xe4, 0xbd, 0x62]), { text: 'b', rest: [] });
  assert.deepEqual(takeUtf8([0xed, 0xa0, 0x80, 0x63]), { text: 'c', rest: [] }, 'half of a surrogate pair');
  assert.deepEqual(takeUtf8([0x64, 0xe4, 0xbd]), { text: 'd', rest: [0xe4, 0xbd] });
});
