import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ResultViews } from '../../src/inference/layout.js';
import type { Manifest } from '../../src/models/manifest.js';
import {
  type Segment,
  Transcript,
  type TranscriptListener,
  type Tuning,
} from '../../src/transcript/transcript.js';
import { joinWords, type Word } from '../../src/transcript/words.js';
import {
  CHUNK,
  FRAME,
  FRAMES,
  fakeManifest,
  pieces,
  SYMBOLS,
  TOKENS,
  tokenOf,
} from '../helpers/fake-model.js';

const TUNING: Tuning = {
  partials: true,
  partial_interval_ms: 0,
  vad_threshold: null,
  silence_duration: 0.3,
  max_segment_duration: 30,
};

class Told implements TranscriptListener {
  readonly partials: { id: number; text: string; stable: string; end: number; words: readonly Word[] }[] = [];
  readonly segments: Segment[] = [];
  readonly speech: string[] = [];
  /** Partials and segments in order. */
  readonly log: string[] = [];
  onPartial(id: number, words: readonly Word[], stableWords: number, end: number): void {
    const partial = {
      id,
      text: joinWords(words),
      stable: joinWords(words.slice(0, stableWords)),
      end,
      words,
    };
    this.partials.push(partial);
    this.log.push(`partial ${id} ${partial.text}`.trimEnd());
  }
  onSegment(segment: Segment): void {
    this.segments.push(segment);
    this.log.push(`${segment.reason} ${segment.id} ${joinWords(segment.words)}`.trimEnd());
  }
  onSpeech(change: 'started' | 'ended', samples: number): void {
    this.speech.push(`${change} ${samples}`);
  }
}

interface FrameResult {
  tokens?: readonly (string | number)[];
  vad?: number;
  rms?: number;
}

/** One step's result from its frames; no voice, no tokens where nothing is said. */
function result(...frames: readonly FrameResult[]): ResultViews {
  const tokens = new Int32Array(FRAMES * SYMBOLS).fill(-1);
  frames.forEach((frame, f) => {
    (frame.tokens ?? []).forEach((token, i) => {
      tokens[f * SYMBOLS + i] = typeof token === 'number' ? token : tokenOf(token);
    });
  });
  return {
    tokens,
    logp: new Float32Array(FRAMES * SYMBOLS).fill(-0.1),
    vad: Float32Array.from({ length: FRAMES }, (_, f) => frames[f]?.vad ?? 0),
    rms: Float32Array.from({ length: FRAMES }, (_, f) => frames[f]?.rms ?? 0),
    times: new Int32Array(0),
    preview: new Int32Array(0),
    previewLogp: new Float32Array(0),
  };
}

/** [token, age, span] */
type Held = readonly [string | number, number, number];
const flat = (held: readonly Held[]): number[] =>
  held.flatMap(([token, age, span]) => [typeof token === 'number' ? token : tokenOf(token), age, span]);

/** The result of a step after which the search holds these and has not said them. */
function holding(step: ResultViews, ...held: readonly Held[]): ResultViews {
  const room = held.length + 1;
  const preview = new Int32Array(3 * room).fill(-1);
  preview.set(flat(held));
  return { ...step, preview, previewLogp: new Float32Array(room).fill(-0.2) };
}

/** The result with an age and a span for each of its tokens. */
const aged = (step: ResultViews, age: number, span: number): ResultViews => ({
  ...step,
  times: Int32Array.from({ length: 2 * step.tokens.length }, (_, i) => (i % 2 === 0 ? age : span)),
});

const speech = (...tokens: string[]): ResultViews =>
  result({ tokens, vad: 1, rms: 0.1 }, { vad: 1, rms: 0.1 });
const silence = result();

function transcribe(
  tuning: Partial<Tuning> = {},
  shifts: Manifest['timing'] = { startShiftMs: 0, endShiftMs: 0 },
) {
  const told = new Told();
  const manifest = fakeManifest({ timing: shifts });
  const transcript = new Transcript(manifest, pieces, { ...TUNING, ...tuning }, told);
  const steps = (...results: readonly ResultViews[]) => {
    for (const it of results) transcript.step(it, CHUNK);
  };
  return { told, transcript, steps };
}

test('words are told as they come, and a pause ends the segment', () => {
  const { told, steps, transcript } = transcribe();
  steps(speech('hello'), speech('world'), silence, silence, silence);
  assert.deepEqual(told.log, ['partial 1 hello', 'partial 1 hello world', 'silence 1 hello world']);
  assert.equal(transcript.text, 'hello world');
});

test('the segment ends by the energy of the audio when there is a threshold', () => {
  const { told, steps } = transcribe({ vad_threshold: 0.05 });
  const noisy = result({ vad: 1, rms: 0.01 }, { vad: 1, rms: 0.01 }); // the model hears speech, the level is low
  steps(speech('hello'), noisy, noisy, noisy);
  assert.deepEqual(told.log.at(-1), 'silence 1 hello');
});

test('noise that the model takes for speech does not keep a segment open for ever', () => {
  const { told, steps } = transcribe({ silence_duration: 0.3 });
  steps(speech('hello'), ...Array.from({ length: 12 }, () => speech()));
  assert.deepEqual(told.log, ['partial 1 hello']);
  steps(speech());
  assert.deepEqual(told.log.at(-1), 'silence 1 hello', '1.3 s without a token');
});

test('a token that comes after the voice has ended keeps the segment open for another pause', () => {
  const { told, steps } = transcribe();
  steps(speech('hello'), silence, result({ tokens: ['s'] }), silence, silence);
  assert.deepEqual(told.segments, []);
  steps(silence);
  assert.deepEqual(told.log.at(-1), 'silence 1 hellos');
});

test('the pause counts from where a late model heard the word, not from where it said it', () => {
  const { told, steps } = transcribe({}, { startShiftMs: -300, endShiftMs: -200 });
  steps(speech(), silence, result({ tokens: ['hello'] })); // said two chunks late
  assert.deepEqual(told.segments, []);
  steps(silence);
  assert.deepEqual(told.log.at(-1), 'silence 1 hello');
});

test('however short the pause asked for, what was said before it has the time to come out', () => {
  const { told, steps } = transcribe({ silence_duration: 0.1 }, { startShiftMs: -300, endShiftMs: -200 });
  steps(speech('hello'), speech(), silence, silence);
  assert.deepEqual(told.segments, []);
  steps(result({ tokens: ['world'] }));
  steps(silence);
  assert.deepEqual(told.log.at(-1), 'silence 1 hello world');
});

test("a word's end follows the voice, also through the steps of a flush", () => {
  const { told, transcript, steps } = transcribe(
    {},
    { startShiftMs: -200, endShiftMs: -100, speechEndShiftMs: 0 },
  );
  steps(speech(), speech('hello'), speech());
  transcript.step(result({ vad: 1 }), 0); // answers for audio before the stop
  transcript.close('stop');
  assert.equal(told.segments[0]?.words[0]?.endSamples, 3 * CHUNK, 'the end of the audio');
  transcript.flushed();
  steps(speech(), speech('world'), result({ vad: 1 }), silence);
  transcript.close('stop');
  const { endSamples } = told.segments[1]!.words[0]!;
  assert.equal(endSamples, 5 * CHUNK + FRAME);
});

test('silence without a word ends no segment', () => {
  const { told, steps } = transcribe();
  steps(...Array.from({ length: 50 }, () => silence));
  assert.deepEqual(told.log, []);
});

test('a long segment is cut before the word that is being said', () => {
  const { told, steps } = transcribe({ max_segment_duration: 1 });
  steps(speech('one'), ...Array.from({ length: 8 }, () => speech()), speech('two'), speech('s'));
  assert.deepEqual(told.segments.map((segment) => segment.reason), ['max_duration']); // biome-ignore format: short
  assert.equal(joinWords(told.segments[0]?.words ?? []), 'one');
  assert.deepEqual(told.log.at(-1), 'partial 2 twos');
});

test('word times count from the start of the recording, in every segment', () => {
  const { told, steps } = transcribe();
  steps(speech('one'), silence, silence, silence, silence, speech('two'), silence, silence, silence);
  const starts = told.segments.flatMap((segment) => segment.words.map((word) => word.startSamples));
  assert.deepEqual(starts, [0, 5 * CHUNK]);
  assert.deepEqual(told.segments.map((segment) => segment.id), [1, 2]); // biome-ignore format: short
});

test('partials come no more often than asked, and the last news is not lost', () => {
  const { told, steps } = transcribe({ partial_interval_ms: 300 });
  steps(speech('one'), speech('two'), speech('three'), speech());
  assert.deepEqual(told.partials.map((partial) => partial.text), ['one', 'one two three']); // biome-ignore format: short
});

test('partials can be turned off, and on again while recording', () => {
  const { told, steps, transcript } = transcribe({ partials: false });
  steps(speech('one'));
  assert.deepEqual(told.log, []);
  transcript.configure(TUNING);
  steps(speech('two'));
  assert.deepEqual(told.log, ['partial 1 one two']);
});

test('a new silence_duration holds from the next step on', () => {
  const { told, steps, transcript } = transcribe({ silence_duration: 5 });
  steps(speech('one'), silence, silence);
  transcript.configure({ ...TUNING, silence_duration: 0.1 });
  steps(silence);
  assert.deepEqual(told.log.at(-1), 'silence 1 one');
});

test('a partial says how much audio it covers', () => {
  const { told, steps } = transcribe();
  steps(silence, speech('one'));
  assert.equal(told.partials[0]?.end, 2 * CHUNK);
});

test('speech that goes on at the stop ends with it, once', () => {
  const { told, steps, transcript } = transcribe();
  steps(speech('one'), speech());
  transcript.flushed();
  transcript.close('finalize');
  assert.deepEqual(told.speech, ['started 0'], 'a finalize is no end of speech');
  transcript.close('stop');
  assert.deepEqual(told.speech, ['started 0', `ended ${2 * CHUNK}`]);
  assert.equal(transcript.speaking, false);
});

test('speech is told with the place where it began and ended', () => {
  const { told, steps } = transcribe();
  steps(silence, speech(), speech(), silence, silence, silence);
  assert.deepEqual(told.speech, [`started ${CHUNK}`, `ended ${3 * CHUNK}`]);
});

test('closing gives what is open its reason', () => {
  const { told, steps, transcript } = transcribe();
  steps(speech('one'));
  transcript.close('stop');
  transcript.close('stop');
  assert.deepEqual(told.log, ['partial 1 one', 'stop 1 one']);
});

test('a finalize is answered even when nothing was said, and adds no space to the text', () => {
  const { told, steps, transcript } = transcribe();
  transcript.close('finalize');
  steps(speech('one'));
  transcript.close('finalize');
  assert.deepEqual(told.log, ['finalize 1', 'partial 2 one', 'finalize 2 one']);
  assert.equal(transcript.text, 'one');
});

test('times go on after a flush as if its silence had not been', () => {
  const { told, transcript } = transcribe();
  transcript.step(speech('one'), CHUNK);
  transcript.step(result({ tokens: ['two'], vad: 1 }), 500); // 500 samples of audio, the rest is flush
  transcript.step(result({ tokens: ['s'] }), 0);
  transcript.flushed();
  transcript.close('finalize');
  const two = told.segments[0]?.words.at(-1);
  assert.deepEqual([two?.text, two?.startSamples, two?.endSamples], ['twos', CHUNK, CHUNK + 500]);
  transcript.step(speech('three'), CHUNK);
  transcript.close('stop');
  assert.equal(told.segments[1]?.words[0]?.startSamples, CHUNK + 500);
});

test('the silence of a flush is no pause: it ends no segment', () => {
  const { told, transcript, steps } = transcribe({ silence_duration: 0.1 });
  steps(speech('one'));
  for (let i = 0; i < 5; i++) transcript.step(silence, 0);
  transcript.flushed();
  assert.deepEqual(told.segments, []);
  assert.deepEqual(told.speech, ['started 0'], 'the speaker has not fallen silent');
});

test('what the search has not said is shown behind the words, never stable, and makes the word before it so', () => {
  const { told, steps } = transcribe();
  steps(
    holding(speech(), ['one', 0, 0]),
    holding(speech('one'), ['two', 1, 0], ['three', 0, 0]),
    speech('two'),
  );
  assert.deepEqual(told.partials.map(({ text, stable }) => [text, stable]), [
    ['one', ''], ['one two three', 'one'], ['one two', 'one'],
  ]); // biome-ignore format: a plain list
});

test('an unchanged preview is told once, and what it no longer holds is taken back', () => {
  const { told, steps } = transcribe();
  const held = holding(speech(), ['one', 3, 0]);
  steps(held, held, holding(speech(), ['one', 5, 2]), holding(speech(), ['two', 0, 0]), speech(), speech());
  assert.deepEqual(told.log, ['partial 1 one', 'partial 1 two', 'partial 1']);
});

test('a preview that goes on with the last word leaves it open', () => {
  const { told, steps } = transcribe();
  steps(speech('one'), holding(speech('two'), ['s', 1, 0], ['three', 0, 0]));
  assert.deepEqual([told.partials[1]?.text, told.partials[1]?.stable], ['one twos three', 'one']);
  steps(speech('ing'));
  assert.deepEqual([told.partials[2]?.text, told.partials[2]?.stable], ['one twoing', 'one']);
});

test('a word of a preview has times and confidence like any other, and cuts off the word before it', () => {
  const { told, steps } = transcribe({}, { startShiftMs: 0, endShiftMs: 0, speechEndShiftMs: 0 });
  // Spoken in frames 2 and 3; the step's last frame is 5. The word before it ended with frame 0, and speech went on.
  steps(speech(), speech(), holding(aged(speech('one'), 4, 0), ['two', 2, 1]));
  const [one, two] = told.partials[0]!.words;
  assert.deepEqual([one?.startSamples, one?.endSamples], [0, 2 * FRAME]);
  assert.deepEqual([two?.startSamples, two?.endSamples], [2 * FRAME, 6 * FRAME]);
  assert.ok(Math.abs(two!.logpSum + 0.2) < 1e-6);
});

test('a preview is told no more often than words', () => {
  const { told, steps } = transcribe({ partial_interval_ms: 300 });
  const words = ['one', 'two', 'three', 'four'];
  steps(...words.map((word) => holding(speech(), [word, 0, 0])));
  assert.deepEqual(told.log, ['partial 1 one', 'partial 1 four']);
});

test('no pause ends a segment while the search holds words, and the words that come belong to it', () => {
  const { told, steps } = transcribe();
  const held = holding(silence, ['two', 3, 0]);
  steps(speech('one'), ...Array.from({ length: 20 }, () => held));
  assert.deepEqual(told.segments, []);
  steps(result({}, { tokens: ['two'] }), silence, silence, silence);
  assert.deepEqual(told.log, [
    'partial 1 one',
    'partial 1 one two',
    'partial 1 one two',
    'silence 1 one two',
  ]);
});

test('a segment that lasts too long is cut though the search holds words: they open the next', () => {
  const { told, steps } = transcribe({ max_segment_duration: 1 });
  steps(speech('one'), ...Array.from({ length: 9 }, () => holding(speech(), ['two', 0, 0])));
  assert.deepEqual(told.log, ['partial 1 one', 'partial 1 one two', 'max_duration 1 one', 'partial 2 two']);
});

test('a pause counts from where a word was heard, as its age has it', () => {
  const { told, steps } = transcribe();
  steps(speech(), silence, silence, aged(result({ tokens: ['one'] }), 5, 0));
  assert.deepEqual(told.log, ['silence 1 one']);
});

test('an age beyond all bounds does not end a segment sooner than the word before would', () => {
  const { told, steps } = transcribe();
  steps(speech('one'), aged(speech('two'), 1_000_000, 0));
  assert.deepEqual(told.segments, []);
});

test('nothing of a preview is left after a flush: a stop takes back what came to nothing', () => {
  const { told, transcript, steps } = transcribe();
  steps(holding(speech(), ['one', 0, 0]));
  transcript.flushed();
  transcript.close('stop');
  transcript.close('stop');
  assert.deepEqual(told.log, ['partial 1 one', 'partial 1']);
  assert.equal(transcript.text, '');
});

test('nothing of a preview is left after a flush: a finalize holds what was said alone', () => {
  const { told, transcript, steps } = transcribe();
  steps(holding(speech('one'), ['two', 0, 0]));
  transcript.flushed();
  transcript.close('finalize');
  steps(silence, speech('three'), silence, silence, silence);
  assert.deepEqual(told.log, ['partial 1 one two', 'finalize 1 one', 'partial 2 three', 'silence 2 three']);
});

// ---- properties ---------------------------------------------------------------------------------------------

const frame = fc.record({
  tokens: fc.array(fc.nat(TOKENS.length - 1), { maxLength: SYMBOLS }),
  vad: fc.constantFrom(0, 0, 1, 1, -1),
  rms: fc.constantFrom(0, 0.005, 0.1),
});
const quietFrame = frame.map((it) => ({ ...it, tokens: [] as number[] }));
const step = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(frame, frame) },
  { weight: 5, arbitrary: fc.tuple(quietFrame, quietFrame) },
);
const action = fc.oneof(
  { weight: 12, arbitrary: fc.record({ op: fc.constant('step' as const), step }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('finalize' as const), step, valid: fc.nat(CHUNK) }) },
);
/** The first token that is a word of its own; all after it are. */
const FIRST_WORD = tokenOf('hello');
const wordToken = fc.integer({ min: FIRST_WORD, max: TOKENS.length - 1 });
const frames = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer());
/** What a search over whole words holds at the end of a step, and the times of the words that it says. */
const search = fc.record({
  held: fc.array(fc.tuple(wordToken, frames, frames), { maxLength: 3 }),
  said: fc.array(wordToken, { maxLength: 2 }),
  age: frames,
  span: frames,
});
const session = fc.record({
  actions: fc.array(action, { maxLength: 120 }),
  tuning: fc.record({
    partial_interval_ms: fc.constantFrom(0, 100, 250, 1_000),
    vad_threshold: fc.constantFrom(null, 0.01, 0),
    silence_duration: fc.constantFrom(0.1, 0.3, 1),
    max_segment_duration: fc.constantFrom(1, 2, 30),
  }),
  shifts: fc.record({
    startShiftMs: fc.integer({ min: -300, max: 50 }),
    endShiftMs: fc.integer({ min: -300, max: 50 }),
  }),
});

function play({ actions, tuning, shifts }: typeof session extends fc.Arbitrary<infer T> ? T : never) {
  const { told, transcript } = transcribe(tuning, shifts);
  for (const it of actions) {
    if (it.op === 'step') {
      transcript.step(result(...it.step), CHUNK);
    } else {
      transcript.step(result(...it.step), it.valid);
      transcript.step(silence, 0);
      transcript.flushed();
      transcript.close('finalize');
    }
  }
  transcript.flushed();
  transcript.close('stop');
  return { told, transcript };
}

test('whatever a search holds, segments hold what it said, stable text stays, and word times never go back', () => {
  fc.assert(
    fc.property(session, fc.infiniteStream(search), (it, searches) => {
      const { told, transcript } = transcribe(it.tuning, it.shifts);
      const said: number[] = [];
      for (const action of it.actions) {
        const next = searches.next().value;
        const [first, second] = action.step;
        const heard = result({ ...first, tokens: next.said }, { ...second, tokens: [] });
        said.push(...next.said);
        transcript.step(
          holding(aged(heard, next.age, next.span), ...next.held),
          action.op === 'step' ? CHUNK : action.valid,
        );
        if (action.op === 'step') continue;
        transcript.flushed();
        transcript.close('finalize');
      }
      transcript.flushed();
      transcript.close('stop');
      assert.equal(transcript.text, said.map((token) => pieces[token]!.text).join(' '));
      let at = 0;
      for (const word of told.segments.flatMap((segment) => segment.words)) {
        assert.ok(word.startSamples >= at && word.endSamples >= word.startSamples, JSON.stringify(word));
        assert.ok(word.endSamples <= transcript.audioSamples, 'no word points past the audio');
        at = word.endSamples;
      }
      for (const partial of told.partials) {
        const final = told.segments.find((segment) => segment.id === partial.id);
        assert.ok(joinWords(final?.words ?? []).startsWith(partial.stable), partial.stable);
        partial.words.forEach((word, i) => {
          const before = partial.words[i - 1]?.endSamples ?? 0;
          assert.ok(word.startSamples >= before && word.endSamples >= word.startSamples);
        });
      }
      const last = told.partials.at(-1);
      if (last && last.id > transcript.segments) assert.equal(last.text, '', 'a preview lingers');
    }),
    { seed: 11, numRuns: 300 },
  );
});

test('what a partial calls stable begins every later text of its segment', () => {
  fc.assert(
    fc.property(session, (it) => {
      const { told } = play(it);
      for (const partial of told.partials) {
        const final = told.segments.find((segment) => segment.id === partial.id);
        assert.ok(final, `segment ${partial.id} was never closed`);
        const later = told.partials.filter((other) => other.id === partial.id && other.end >= partial.end);
        for (const text of [...later.map((other) => other.text), joinWords(final.words)])
          assert.ok(text.startsWith(partial.stable), `"${text}" does not begin with "${partial.stable}"`);
      }
    }),
    { seed: 7, numRuns: 300 },
  );
});

test('each partial begins the next one of its segment', () => {
  fc.assert(
    fc.property(session, (it) => {
      const { told } = play(it);
      told.partials.forEach((partial, i) => {
        const next = told.partials[i + 1];
        if (next?.id === partial.id) assert.ok(next.text.startsWith(partial.text));
      });
    }),
    { seed: 8, numRuns: 200 },
  );
});

test('segments join to the final transcript, are numbered 1, 2, 3 …, and word times never go back', () => {
  fc.assert(
    fc.property(session, (it) => {
      const { told, transcript } = play(it);
      const texts = told.segments.map((segment) => joinWords(segment.words)).filter((text) => text !== '');
      assert.equal(transcript.text, texts.join(' '));
      assert.deepEqual(told.segments.map((segment) => segment.id), told.segments.map((_, i) => i + 1)); // biome-ignore format: short
      let at = 0;
      for (const word of told.segments.flatMap((segment) => segment.words)) {
        assert.ok(word.startSamples >= at, `a word at ${word.startSamples} after one that ended at ${at}`);
        assert.ok(word.endSamples >= word.startSamples);
        assert.ok(word.endSamples <= transcript.audioSamples, 'no word points past the audio');
        at = word.endSamples;
      }
    }),
    { seed: 9, numRuns: 300 },
  );
});

test('every letter of every token is in the final transcript', () => {
  fc.assert(
    fc.property(session, (it) => {
      const { told } = play(it);
      const letters = it.actions.flatMap(({ step: [a, b] }) => [...a.tokens, ...b.tokens]);
      const expected = letters.map((token) => pieces[token]?.text ?? '').join('');
      const words = told.segments.flatMap((segment) => segment.words);
      assert.equal(words.map((word) => word.text).join(''), expected);
      assert.ok(FRAME > 0);
    }),
    { seed: 10, numRuns: 200 },
  );
});
