import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../src/limits.js';
import { joinWords, tokenTiming, type Word, WordList, wordConfidence } from '../../src/transcript/words.js';
import { FRAME, fakeManifest, pieces, TOKENS, tokenOf } from '../helpers/fake-model.js';

const timing = tokenTiming(fakeManifest({ timing: { startShiftMs: 0, endShiftMs: 0 } }));
const FAR = Number.MAX_SAFE_INTEGER;

function listOf(...tokens: string[]): WordList {
  const list = new WordList(pieces, timing);
  tokens.forEach((token, i) => void list.add(tokenOf(token), -0.1, i * FRAME));
  return list;
}

test('a piece with ▁ begins a word, one without goes on with it', () => {
  assert.equal(joinWords(listOf('▁hello', 's', '▁world', 'ing').words), 'hellos worlding');
});

test('a bare ▁ begins a word with the letters that follow', () => {
  assert.equal(joinWords(listOf('▁one', '▁', 's').words), 'one s');
  assert.equal(joinWords(listOf('▁one', '▁').words), 'one');
});

test('specials like <unk> and ids that the table lacks add nothing', () => {
  const list = listOf('▁one');
  assert.equal(list.add(1, -1, 0), false);
  assert.equal(list.add(9_999, -1, 0), false);
  assert.equal(joinWords(list.words), 'one');
});

test('letters without a beginning are a word of their own', () => {
  assert.equal(joinWords(listOf('ing').words), 'ing');
});

test('a word runs from the frame of its first token to the end of the frame of its last, shifted', () => {
  const shifted = tokenTiming(fakeManifest({ timing: { startShiftMs: -10, endShiftMs: 20 } }));
  const list = new WordList(pieces, shifted);
  list.add(tokenOf('hello'), -0.1, 1_600);
  list.add(tokenOf('s'), -0.1, 3_200);
  const [word] = list.words;
  assert.deepEqual([word?.startSamples, word?.endSamples], [1_600 - 160, 3_200 + FRAME + 320]);
});

test('no word begins before zero', () => {
  const list = new WordList(pieces, tokenTiming(fakeManifest()));
  list.add(tokenOf('hello'), -0.1, 0);
  assert.deepEqual([list.words[0]?.startSamples, list.words[0]?.endSamples], [0, 0]);
});

test('a word that reaches into the next one ends where that begins', () => {
  const late = tokenTiming(fakeManifest({ timing: { startShiftMs: -100, endShiftMs: 0 } }));
  const list = new WordList(pieces, late);
  list.add(tokenOf('one'), -0.1, 8_000);
  list.add(tokenOf('two'), -0.1, 8_800);
  assert.deepEqual([list.words[0]?.endSamples, list.words[1]?.startSamples], [7_200, 7_200]);
});

/** Frames of 50 ms, `#` speech: a token in frame `token`, the list at the end. Ends are shifted by -100 ms, those of speech by -25. */
function heard(frames: string, ...tokens: number[]): WordList {
  const timing = { startShiftMs: -100, endShiftMs: -100, speechEndShiftMs: -25 };
  const list = new WordList(pieces, tokenTiming(fakeManifest({ timing })));
  [...frames].forEach((frame, i) => {
    if (tokens.includes(i)) list.add(tokenOf('one'), -0.1, i * FRAME);
    list.hear(frame === '#', i * FRAME);
  });
  return list;
}

test('a word goes on while there is speech from the end that its token gives', () => {
  // Frame 5 ends at 300 ms, the token gives 200: frames 4 and 5, and more.
  assert.equal(heard('######....', 5).words[0]?.endSamples, 275 * 16);
  assert.equal(heard('#########.', 5).words[0]?.endSamples, 425 * 16);
  assert.equal(heard('####.###..', 5).words[0]?.endSamples, 200 * 16, 'it was quiet there');
  assert.equal(heard('####.#....', 5).words[0]?.endSamples, 200 * 16);
});

test('however long the speech behind a word, the word is at most 300 ms longer for it', () => {
  assert.equal(heard('#'.repeat(40), 5).words[0]?.endSamples, 500 * 16);
  assert.equal(heard('#'.repeat(100), 5).words[0]?.endSamples, 500 * 16);
});

test('a word that goes on ends where the next one begins', () => {
  const { words } = heard('################', 5, 9);
  assert.deepEqual([words[0]?.endSamples, words[1]?.startSamples], [350 * 16, 350 * 16]);
});

test('speech from before a flush says nothing about the words after it', () => {
  const list = heard('########');
  list.forgetSpeech();
  list.add(tokenOf('one'), -0.1, 5 * FRAME);
  list.hear(true, 5 * FRAME);
  assert.equal(list.words[0]?.endSamples, 200 * 16);
});

test('a token that is said late begins and ends its word where it was heard, as its age and span have it', () => {
  const list = new WordList(
    pieces,
    tokenTiming(fakeManifest({ timing: { startShiftMs: -10, endShiftMs: 20 } })),
  );
  list.add(tokenOf('hello'), -0.1, 10 * FRAME, 4, 3); // from frame 3 to frame 6
  assert.deepEqual(
    [list.words[0]?.startSamples, list.words[0]?.endSamples],
    [3 * FRAME - 160, 7 * FRAME + 320],
  );
  list.add(tokenOf('s'), -0.1, 11 * FRAME, 3, 1); // frames 7 and 8
  assert.deepEqual(
    [list.words[0]?.startSamples, list.words[0]?.endSamples],
    [3 * FRAME - 160, 9 * FRAME + 320],
  );
  list.add(tokenOf('ing'), -0.1, 11 * FRAME, 9, 0);
  assert.equal(list.words[0]?.endSamples, 9 * FRAME + 320, 'letters that follow never shorten a word');
});

test('ages and spans below zero are zero, and none leads before the stream or the last segment', () => {
  const list = new WordList(pieces, timing);
  list.add(tokenOf('one'), -0.1, 8 * FRAME, -3, -2);
  assert.deepEqual([list.words[0]?.startSamples, list.words[0]?.endSamples], [8 * FRAME, 9 * FRAME]);
  list.takeAll(FAR);
  list.add(tokenOf('two'), -0.1, 10 * FRAME, 2_147_483_647, 2_147_483_647);
  assert.deepEqual([list.words[0]?.startSamples, list.words[0]?.endSamples], [9 * FRAME, 9 * FRAME]);
  const fresh = new WordList(pieces, timing);
  fresh.add(tokenOf('one'), -0.1, FRAME, 9, 9);
  assert.deepEqual([fresh.words[0]?.startSamples, fresh.words[0]?.endSamples], [0, 0]);
});

test('a word that is said late ends with the speech that was heard before it was said', () => {
  const timing = { startShiftMs: 0, endShiftMs: 0, speechEndShiftMs: -25 };
  const list = new WordList(pieces, tokenTiming(fakeManifest({ timing })));
  const hear = (frames: string, from: number) =>
    [...frames].forEach((frame, i) => void list.hear(frame === '#', (from + i) * FRAME));
  hear('####..###...', 0);
  list.add(tokenOf('one'), -0.1, 12 * FRAME, 10, 1); // frames 1 and 2
  list.add(tokenOf('two'), -0.1, 12 * FRAME, 5, 0); // frame 7
  hear('###', 12);
  const ends = list.words.map((word) => word.endSamples / 16);
  assert.deepEqual(ends, [200 - 25, 450 - 25], 'each with its own speech');
  hear('#'.repeat(40), 15);
  list.add(tokenOf('three'), -0.1, 55 * FRAME, 50, 0);
  assert.equal(
    list.words[2]!.endSamples,
    7 * FRAME,
    'what was heard so long ago is forgotten; it begins with the one before',
  );
});

test('what is added to a draft leaves the list as it is', () => {
  const list = listOf('one', 'two');
  const draft = list.draft();
  draft.add(tokenOf('s'), -0.1, 2 * FRAME);
  draft.add(tokenOf('three'), -0.1, 3 * FRAME);
  assert.equal(joinWords(draft.words), 'twos three');
  assert.equal(joinWords(list.words), 'one two');
  assert.equal(list.words[1]?.endSamples, 2 * FRAME);
});

test('no word of a segment begins before the last word of the segment before it ended', () => {
  const early = tokenTiming(fakeManifest({ timing: { startShiftMs: -200, endShiftMs: 0 } }));
  const list = new WordList(pieces, early);
  list.add(tokenOf('one'), -0.1, 8_000);
  const [one] = list.takeAll(FAR);
  list.add(tokenOf('two'), -0.1, 9_000);
  assert.equal(list.words[0]?.startSamples, one?.endSamples);
});

test('words that are taken never point past the audio', () => {
  const list = listOf('one', 'two');
  const [one, two] = list.takeAll(FRAME + 10);
  assert.deepEqual([one?.endSamples, two?.startSamples, two?.endSamples], [FRAME, FRAME, FRAME + 10]);
});

test('a cut leaves the word that may still grow, unless it is the only one', () => {
  const list = listOf('one', 'two', 'three');
  assert.equal(joinWords(list.takeComplete(FAR)), 'one two');
  assert.equal(joinWords(list.words), 'three');
  assert.equal(joinWords(list.takeComplete(FAR)), 'three');
  assert.ok(list.isEmpty);
});

test('a babbling model begins a new word after 48 tokens', () => {
  const list = listOf('one');
  for (let i = 0; i < LIMITS.maxWordTokens; i++) list.add(tokenOf('s'), -0.1, 0);
  assert.equal(list.words.length, 2);
});

test('confidence is the mean token probability when the calibration changes nothing', () => {
  const word: Word = { text: 'x', startSamples: 0, endSamples: 0, tokens: 2, logpSum: 2 * Math.log(0.8) };
  assert.ok(Math.abs(wordConfidence(word, { scale: 1, bias: 0 }) - 0.8) < 1e-9);
  assert.ok(wordConfidence(word, { scale: 1, bias: -1 }) < 0.8);
});

test('confidence is a probability whatever the model says', () => {
  const extreme = fc.constantFrom(0, -1e-12, -1, -1e9, Number.NEGATIVE_INFINITY, 5);
  fc.assert(
    fc.property(extreme, fc.integer({ min: 1, max: 48 }), (logpSum, tokens) => {
      const p = wordConfidence(
        { text: 'x', startSamples: 0, endSamples: 0, tokens, logpSum },
        { scale: 2, bias: 1 },
      );
      assert.ok(p > 0 && p < 1, `${p}`);
    }),
    { seed: 5 },
  );
});

test('the text is that of the tokens, and times never go back, whatever the tokens and the shifts', () => {
  const frames = fc.oneof(fc.constant(0), fc.integer({ min: -2, max: 40 }), fc.integer());
  const run = fc.record({
    tokens: fc.array(fc.tuple(fc.nat(TOKENS.length - 1), fc.nat(3), fc.boolean(), frames, frames), {
      maxLength: 60,
    }),
    shifts: fc.record({
      startShiftMs: fc.integer({ min: -300, max: 100 }),
      endShiftMs: fc.integer({ min: -300, max: 100 }),
      speechEndShiftMs: fc.option(fc.integer({ min: -100, max: 100 }), { nil: undefined }),
    }),
    cuts: fc.infiniteStream(fc.constantFrom('none', 'none', 'none', 'all', 'complete')),
  });
  fc.assert(
    fc.property(run, ({ tokens, shifts, cuts }) => {
      const list = new WordList(pieces, tokenTiming(fakeManifest({ timing: shifts })));
      const taken: Word[] = [];
      let frame = 0;
      for (const [token, pause, speech, age, span] of tokens) {
        for (let i = 0; i < pause; i++) list.hear(speech, frame++ * FRAME);
        list.add(token, -0.5, frame * FRAME, age, span);
        const cut = cuts.next().value;
        if (cut === 'all') taken.push(...list.takeAll((frame + 1) * FRAME));
        if (cut === 'complete' && !list.isEmpty) taken.push(...list.takeComplete((frame + 1) * FRAME));
      }
      taken.push(...list.takeAll((frame + 1) * FRAME));
      const letters = tokens.map(([token]) => pieces[token]?.text ?? '').join('');
      assert.equal(taken.map((word) => word.text).join(''), letters);
      let at = 0;
      for (const word of taken) {
        assert.ok(
          word.startSamples >= at && word.endSamples >= word.startSamples,
          `${at} ${JSON.stringify(word)}`,
        );
        at = word.endSamples;
      }
    }),
    { seed: 6, numRuns: 300 },
  );
});
