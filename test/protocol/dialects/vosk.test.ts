import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/limits.js';
import type { StreamEvent } from '../../../src/protocol/dialect.js';
import { vosk } from '../../../src/protocol/dialects/vosk.js';
import type { Word } from '../../../src/transcript/words.js';
import { fakeManifest } from '../../helpers/fake-model.js';
import { recordingConfig } from '../../helpers/recording-config.js';

function opened() {
  const host = { manifest: fakeManifest(), defaults: recordingConfig(), resumes: true };
  const dialect = vosk.create({ url: new URL('ws://localhost/'), headers: {} }, host);
  const tell = (event: StreamEvent) => dialect.render(event).map((frame) => JSON.parse(String(frame)));
  return {
    dialect,
    tell,
    /** The answer to one frame of audio. */
    frame() {
      const [audio, said, ...rest] = dialect.parse(new Uint8Array(320));
      assert.deepEqual([audio?.type, said?.type, rest], ['audio', 'say', []]);
      return said?.type === 'say' ? said.frames.map((text) => JSON.parse(String(text))) : [];
    },
    say: (message: object | string) =>
      dialect.parse(typeof message === 'string' ? message : JSON.stringify(message)),
    partial: (text: string) =>
      tell({ type: 'partial', channel: 0, segmentId: 1, words: wordsOf(text), stableWords: 0, audioEndSamples: 0, processingMs: 0, withWords: true }), // biome-ignore format: an event
    final: (text: string, at = 0) =>
      tell({ type: 'segment', channel: 0, segment: { id: 1, words: wordsOf(text, at), reason: 'silence' }, audioEndSamples: 0, processingMs: 0, withWords: true }), // biome-ignore format: an event
    stop: () => tell({ type: 'stopped', text: '', truncated: false, segments: 1, samples: 0 }),
    close: () => tell({ type: 'closing', code: null }),
  };
}

/** Words of 0.1 s each, one after the other. Probability ½: confidence ½. */
const wordsOf = (text: string, at = 0): Word[] =>
  text.split(' ').filter((it) => it !== '').map((it, i) => ({
    text: it,
    startSamples: (at + i) * 1_600,
    endSamples: (at + i + 1) * 1_600,
    tokens: 1,
    logpSum: Math.log(0.5),
  })); // biome-ignore format: short

test('each frame has one answer, with what is known when it comes', () => {
  const it = opened();
  assert.deepEqual(it.frame(), [{ partial: '' }]);
  assert.deepEqual(it.partial('hello'), [], 'nothing is said by itself');
  assert.deepEqual(it.frame(), [{ partial: 'hello' }]);
  assert.deepEqual(it.frame(), [{ partial: 'hello' }]);
});

test('a final waits for the next frame; several come one a frame', () => {
  const it = opened();
  assert.deepEqual([it.final('hello world'), it.final('again', 2)], [[], []]);
  const result = [
    { conf: 0.5, end: 0.1, start: 0, word: 'hello' },
    { conf: 0.5, end: 0.2, start: 0.1, word: 'world' },
  ];
  assert.deepEqual(it.frame(), [{ result, text: 'hello world' }]);
  assert.equal(it.frame()[0].text, 'again');
  assert.deepEqual(it.frame(), [{ partial: '' }]);
});

test('more finals than frames are told together, so that they cannot gather', () => {
  const it = opened();
  for (let i = 0; i <= LIMITS.maxQueuedFinals; i++) it.final(`w${i}`, i);
  const [answer] = it.frame();
  assert.equal(answer.result.length, LIMITS.maxQueuedFinals + 1);
  assert.equal(answer.text, Array.from({ length: LIMITS.maxQueuedFinals + 1 }, (_, i) => `w${i}`).join(' '));
});

for (const eof of ['{"eof":1}', '{"eof" : 1}']) {
  test(`${eof} is goodbye: all that is left comes in one message`, () => {
    const it = opened();
    it.frame();
    it.final('one');
    assert.deepEqual(it.say(eof), [{ type: 'close' }]);
    it.final('two', 1);
    const [last, ...rest] = it.stop();
    assert.deepEqual([last.text, last.result.length, rest], ['one two', 2, []]);
    assert.deepEqual(it.close(), [], 'once');
  });
}

test('eof with nothing left is answered with an empty text, recording or not', () => {
  const heard = opened();
  heard.say({ eof: 1 });
  assert.deepEqual([heard.stop(), heard.close()], [[{ text: '' }], []]);
  const silent = opened();
  silent.say({ eof: 1 });
  assert.deepEqual(silent.close(), [{ text: '' }]);
});

test('without a config the audio has 8000 Hz; numbers in it may be floats or texts', () => {
  const it = opened();
  assert.equal(it.dialect.policy.defaults.sample_rate, 8_000);
  for (const sample_rate of [48_000, '48000.0', 47_999.9999]) {
    assert.deepEqual(it.say({ config: { sample_rate, words: 1 } }), [
      { type: 'configure', config: { sample_rate: 48_000 } },
    ]);
  }
  assert.deepEqual(it.tell({ type: 'configured', config: recordingConfig() }), [], 'and no answer');
});

test('a config that cannot be served ends the connection: what follows would be noise', () => {
  const [input] = opened().say({ config: { sample_rate: 96_000 } });
  assert.deepEqual([input?.type, input?.type === 'fail' && input.code], ['fail', 'UNSUPPORTED_SAMPLE_RATE']);
});

test('phrases of a list are listened for, all but those of the recogniser itself', () => {
  const phrase_list = ['Kubernetes', '[unk]', '', 7, 'x'.repeat(LIMITS.maxHotwordChars + 1)];
  assert.deepEqual(opened().say({ config: { phrase_list } }), [
    { type: 'configure', config: { hotwords: [{ phrase: 'Kubernetes', boost: 2 }] } },
  ]);
});

for (const words of [0, false, '0']) {
  test(`with words ${JSON.stringify(words)} a final is its text`, () => {
    const it = opened();
    it.say({ config: { words } });
    it.final('hello');
    assert.deepEqual(it.frame(), [{ text: 'hello' }]);
  });
}

test('alternatives stand in place of the text, if asked for', () => {
  const it = opened();
  it.say({ config: { max_alternatives: 3 } });
  it.final('hello');
  const result = [{ end: 0.1, start: 0, word: 'hello' }];
  assert.deepEqual(it.frame(), [{ alternatives: [{ confidence: 0.5, result, text: 'hello' }] }]);
});

test('nothing else is ever said: no greeting, no error, no number', () => {
  const it = opened();
  const quiet: StreamEvent[] = [
    { type: 'opened', sessionId: 's', clientId: 'c' },
    { type: 'started', config: recordingConfig() },
    { type: 'error', code: 'AT_CAPACITY', fatal: true },
    { type: 'warning', code: 'NOT_SUPPORTED' },
    { type: 'speech', channel: 0, change: 'started', atSamples: 0, wanted: true },
    { type: 'ack', receivedSamples: 1 },
    { type: 'pong' },
  ];
  for (const event of quiet) assert.deepEqual(it.tell(event), [], event.type);
  assert.equal(it.dialect.closeCode(null), 1000);
  assert.equal(it.dialect.closeCode('AT_CAPACITY'), 1013);
  assert.equal(it.dialect.closeCode('UNSUPPORTED_SAMPLE_RATE'), 1003);
});

test('text that is no JSON object is a mistake', () => {
  assert.throws(() => opened().say('hello'), { code: 'INVALID_JSON' });
  assert.deepEqual(opened().say({}), []);
});
