/** Words corrected by hand, channels named, words found: what the transcript makes of its segments. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { correctWord } from '#static/transcript/corrections.js';
import { findIn } from '#static/transcript/finder.js';
import { wordTip } from '#static/transcript/words.js';
import { toJson, toSrt, toText, toTimestampedText, toVtt } from '#static/transcript-formats.js';

type Segment = Parameters<typeof toText>[0][number];

function segment(text: string, start = 0, speaker?: string): Segment {
  const words = text
    .split(' ')
    .map((word, i) => ({ word, start: start + i, end: start + i + 0.5, confidence: 0.3 }));
  const named = speaker === undefined ? {} : { channel: 0, speaker };
  return { segment_id: 1, text, words, start, end: start + words.length, reason: 'silence', ...named };
}

describe('a corrected word', () => {
  const heard = segment('the old prince');

  it('stands in the text of its segment and in every export, and leaves the segment before as it was', () => {
    const after = correctWord(heard, 2, ' print ');
    assert.equal(after.text, 'the old print');
    assert.deepEqual(after.words[2], { word: 'print', start: 2, end: 2.5, confidence: 0.3, heard: 'prince' });
    assert.equal(heard.text, 'the old prince');
    for (const render of [toText, toTimestampedText, toSrt, toVtt, toJson])
      assert.match(render([after]), /old print\b/);
    assert.match(toJson([after]), /"heard": "prince"/);
  });

  it('may become several words, or none; then it is in no export', () => {
    assert.equal(correctWord(heard, 0, 'in  the').text, 'in the old prince');
    const removed = correctWord(heard, 1, ' ');
    assert.equal(removed.text, 'the prince');
    for (const render of [toText, toSrt, toVtt]) assert.match(render([removed]), /the prince/);
  });

  it('keeps what was heard over several corrections, and is as before when that comes back', () => {
    const twice = correctWord(correctWord(heard, 2, 'prints'), 2, 'print');
    assert.equal(twice.words[2]?.heard, 'prince');
    assert.deepEqual(correctWord(twice, 2, 'prince'), heard);
  });

  it('says in its tip what was heard, not how sure the recogniser was', () => {
    const [word] = correctWord(segment('prince'), 0, 'print').words;
    assert.equal(word && wordTip(word), '0:00.0–0:00.5 · corrected, heard as “prince”');
    const [gone] = correctWord(segment('prince'), 0, '').words;
    assert.match((gone && wordTip(gone)) ?? '', /removed, heard as “prince”/);
  });
});

describe('a named channel', () => {
  const talk = [
    segment('good morning', 0, 'Agent'),
    segment('and bye', 5, 'Agent'),
    segment('hi', 9, 'A & B'),
  ];

  it('is named in text, in the order of the segments', () => {
    assert.equal(toText(talk), 'Agent: good morning\nAgent: and bye\nA & B: hi\n');
    assert.match(toTimestampedText(talk), /^\[00:00:00\.000 → 00:00:02\.000\] Agent: good morning\n/);
  });

  it('is named in subtitles where it begins to speak, and as a voice in WebVTT', () => {
    assert.deepEqual(
      toSrt(talk)
        .split('\n')
        .filter((line) => /[a-z]/.test(line)),
      ['Agent: good morning', 'and bye', 'A & B: hi'],
    );
    assert.match(toVtt(talk), /\n<v Agent>good morning\n[\s\S]*<v A &amp; B>hi\n/);
  });
});

describe('the search', () => {
  const words = ['In', 'the', 'old', 'print', 'the', 'other'];

  it('finds parts of words and several words, whatever their capitals and spaces', () => {
    assert.deepEqual(findIn(words, 'THE'), [[1], [4], [5]]);
    assert.deepEqual(findIn(words, ' the  old'), [[1, 2]]);
    assert.deepEqual(findIn(words, 'd pr'), [[2, 3]]);
    assert.deepEqual(findIn(words, 'nothing'), []);
    assert.deepEqual(findIn(words, '  '), []);
  });

  it('reads over a word that was taken out', () => {
    assert.deepEqual(findIn(['in', 'the', '', 'print'], 'the print'), [[1, 3]]);
  });
});
