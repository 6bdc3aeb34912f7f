import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRORS, type ErrorCode } from '../../src/errors.js';
import {
  type PartialInput,
  renderError,
  renderTranscription,
  renderWarning,
  toSeconds,
  writePartial,
} from '../../src/protocol/render.js';
import type { PartialMessage } from '../../src/protocol/types.js';
import type { Word } from '../../src/transcript/words.js';

const AS_IT_IS = { scale: 1, bias: 0 };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const word = (text: string, startSamples: number, endSamples: number, p = 0.9): Word => ({
  text, startSamples, endSamples, tokens: 1, logpSum: Math.log(p),
}); // biome-ignore format: a word
const WORDS = [word('hello', 1_600, 8_000), word('world', 8_800, 16_000, 0.5)];

test('samples become seconds, to the hundredth', () => {
  assert.deepEqual([0, 80, 79, 1_600, 16_007].map(toSeconds), [0, 0.01, 0, 0.1, 1]);
});

test('a transcription carries its words, their span and their mean confidence', () => {
  const message = renderTranscription({ id: 3, words: WORDS, reason: 'silence' }, 12.345, true, AS_IT_IS);
  const { timestamp, ...rest } = message;
  assert.match(timestamp, ISO);
  assert.deepEqual(rest, {
    type: 'transcription',
    segment_id: 3,
    text: 'hello world',
    is_final: true,
    words: [
      { word: 'hello', start: 0.1, end: 0.5, confidence: 0.9 },
      { word: 'world', start: 0.55, end: 1, confidence: 0.5 },
    ],
    start: 0.1,
    duration: 0.9,
    confidence: 0.7,
    reason: 'silence',
    processing_time_ms: 12.3,
  });
});

test('without words a transcription still has its span and confidence', () => {
  const message = renderTranscription({ id: 1, words: WORDS, reason: 'stop' }, 0, false, AS_IT_IS);
  assert.ok(!('words' in message));
  assert.deepEqual([message.start, message.duration, message.confidence], [0.1, 0.9, 0.7]);
});

test('characters without spaces between them are counted without, in texts and in what is stable', () => {
  const joined = (text: string, at: number): Word => ({ ...word(text, at, at + 800), joined: true });
  const words = [word('你', 0, 800), joined('好', 800), word('ok', 1_600, 2_400), word('吗', 2_400, 3_200)];
  assert.equal(renderTranscription({ id: 1, words, reason: 'stop' }, 0, true, AS_IT_IS).text, '你好 ok 吗');
  const stable = [0, 1, 2, 3, 4].map((stableWords) => {
    const { text, stable_chars } = partialOf({ words, stableWords });
    return text.slice(0, stable_chars);
  });
  assert.deepEqual(stable, ['', '你', '你好', '你好 ok', '你好 ok 吗']);
  assert.deepEqual(
    partialOf({ words }).words?.map((it) => it.word),
    ['你', '好', 'ok', '吗'],
  );
});

test('an empty segment has no span', () => {
  const message = renderTranscription({ id: 1, words: [], reason: 'finalize' }, 0, true, AS_IT_IS);
  assert.deepEqual([message.text, message.start, message.duration, message.confidence], ['', 0, 0, 0]);
});

const partialOf = (changes: Partial<PartialInput> = {}): PartialMessage =>
  JSON.parse(
    writePartial(
      { segmentId: 2, words: WORDS, stableWords: 1, audioEndSamples: 17_600, processingMs: 30.06, withWords: true, ...changes },
      AS_IT_IS,
    ),
  ); // biome-ignore format: one line of input

test('a partial says how many of its characters are stable', () => {
  const { timestamp, ...message } = partialOf();
  assert.match(timestamp, ISO);
  assert.deepEqual(message, {
    type: 'partial',
    segment_id: 2,
    text: 'hello world',
    is_final: false,
    words: [
      { word: 'hello', start: 0.1, end: 0.5, confidence: 0.9 },
      { word: 'world', start: 0.55, end: 1, confidence: 0.5 },
    ],
    stable_chars: 5,
    audio_end: 1.1,
    processing_time_ms: 30.1,
  });
  assert.equal(partialOf({ stableWords: 0 }).stable_chars, 0);
  assert.equal(partialOf({ stableWords: 2 }).stable_chars, 11);
  assert.ok(!('words' in partialOf({ withWords: false })));
});

test('a word that grew since the last partial is told anew', () => {
  const growing = word('hell', 0, 1_600);
  const words = [growing];
  partialOf({ words });
  growing.text = 'hello';
  growing.tokens = 2;
  assert.deepEqual(partialOf({ words }).words?.[0]?.word, 'hello');
  growing.endSamples = 800;
  assert.deepEqual(partialOf({ words }).words?.[0]?.end, 0.05);
});

test('whatever is in a word, a partial is JSON', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 5 }), (texts) => {
      const message = partialOf({ words: texts.map((text, i) => word(text, i * 800, i * 800 + 800)) });
      assert.equal(message.text, texts.join(' '));
      assert.deepEqual(
        message.words?.map((it) => it.word),
        texts,
      );
    }),
    { seed: 18 },
  );
});

test('every error of the table is rendered with its code, text and whether it may be tried again', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { timestamp, ...message } = renderError(code);
    assert.match(timestamp, ISO);
    assert.deepEqual(message, {
      type: 'error',
      error: ERRORS[code].text,
      code,
      retryable: ERRORS[code].retryable,
    });
  }
});

test('detail is there only when there is some', () => {
  assert.equal(renderError('BAD_REQUEST', 'why').detail, 'why');
  assert.ok(!('detail' in renderError('BAD_REQUEST')));
  assert.equal(renderWarning('AUDIO_IGNORED', 'why').detail, 'why');
  assert.equal(renderWarning('AUDIO_IGNORED').type, 'warning');
});

test('what went wrong inside is not told to strangers', () => {
  const { detail, code } = renderError('INTERNAL', "ENOENT: no such file '/srv/models/x.onnx'");
  assert.deepEqual([code, detail], ['INTERNAL', undefined]);
});
