import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  captions,
  clockTime,
  timecode,
  toJson,
  toSrt,
  toText,
  toTimestampedText,
  toVtt,
} from '#static/transcript-formats.js';

type Segment = Parameters<typeof toText>[0][number];

function segment(id: number, text: string, start: number, each = 0.4): Segment {
  const words = text
    .split(' ')
    .map((word, i) => ({ word, start: start + i * each, end: start + (i + 0.8) * each, confidence: 0.9 }));
  return { segment_id: id, text, words, start, end: words.at(-1)?.end ?? start, reason: 'silence' };
}

const two = [segment(1, 'hello world', 0.5), segment(2, 'tea & <cake>', 61)];

describe('transcript formats', () => {
  it('writes plain text, one segment a line', () => {
    assert.equal(toText(two), 'hello world\ntea & <cake>\n');
  });

  it('puts no space between Chinese characters, in captions and transcripts', () => {
    const words = [...'你好', 'ok', ...'世界'].map((word, i) => ({
      word,
      start: i,
      end: i + 0.5,
      confidence: 0.9,
    }));
    const chinese = { ...segment(1, '你好 ok 世界', 0), words, end: 4.5 };
    assert.deepEqual(captions([chinese])[0]?.lines, ['你好 ok 世界']);
    assert.match(toJson([chinese, segment(2, '好。', 5), segment(3, 'yes', 6)]), /"你好 ok 世界好。 yes"/);
  });

  it('writes nothing for nothing', () => {
    assert.equal(toText([]), '');
    assert.equal(toSrt([]), '');
    assert.equal(toText([{ ...segment(1, 'x', 0), text: '  ' }]), '');
  });

  it('writes text with times', () => {
    assert.equal(toTimestampedText(two).split('\n')[0], '[00:00:00.500 → 00:00:01.220] hello world');
  });

  it('writes JSON that holds everything', () => {
    const parsed = JSON.parse(toJson(two, { model: 'm' })) as {
      segments: Segment[];
      transcript: string;
      model: string;
    };
    assert.deepEqual(parsed.segments, two);
    assert.equal(parsed.transcript, 'hello world tea & <cake>');
    assert.equal(parsed.model, 'm');
  });

  it('writes SRT with commas and counted captions', () => {
    assert.equal(
      toSrt(two),
      '1\n00:00:00,500 --> 00:00:01,300\nhello world\n\n2\n00:01:01,000 --> 00:01:02,120\ntea & <cake>\n',
    );
  });

  it('writes WebVTT with its markup escaped and its language named', () => {
    const vtt = toVtt(two, { language: 'en' });
    assert.match(vtt, /^WEBVTT\nLanguage: en\n\n00:00:00\.500 --> 00:00:01\.300\nhello world\n/);
    assert.match(vtt, /tea &amp; &lt;cake&gt;/);
  });

  it('falls back to the segment’s own times where words were switched off', () => {
    const plain = { ...segment(1, 'no words here', 2), words: [], end: 4 };
    assert.deepEqual(captions([plain]), [{ start: 2, end: 4, lines: ['no words here'] }]);
  });

  it('formats times', () => {
    assert.equal(timecode(3_661.0004), '01:01:01.000');
    assert.equal(timecode(59.9996), '00:01:00.000');
    assert.equal(clockTime(59.96), '1:00.0');
    assert.equal(clockTime(-1), '0:00.0');
  });

  it('cuts any transcript into captions of two short lines, in order, without overlap, losing no word', () => {
    const word = fc.stringMatching(/^[a-z]{1,12}$/);
    const text = fc.array(word, { minLength: 1, maxLength: 60 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 5 }),
        fc.double({ min: 0.1, max: 1, noNaN: true }),
        (texts, each) => {
          let at = 0;
          const segments = texts.map((t, i) => {
            const made = segment(i + 1, t, at, each);
            at = made.end + 0.1;
            return made;
          });
          const made = captions(segments);
          assert.equal(made.flatMap((c) => c.lines).join(' '), texts.join(' '));
          for (const [i, caption] of made.entries()) {
            assert.ok(caption.lines.length <= 2);
            assert.ok(caption.lines.every((line) => line.length <= 84));
            assert.ok(caption.end > caption.start);
            const next = made[i + 1];
            if (next) assert.ok(caption.end <= next.start + 1e-9);
          }
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});
