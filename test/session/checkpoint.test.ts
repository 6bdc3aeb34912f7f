/** Checkpoints as bytes; that a recording goes on from one unchanged is for test/e2e/checkpoint.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/session/checkpoint.js';
import type { RecordingState } from '../../src/session/recording.js';
import { Transcript } from '../../src/transcript/transcript.js';
import { fakeManifest, pieces } from '../helpers/fake-model.js';
import { recordingConfig } from '../helpers/recording-config.js';

const FINGERPRINT = new Uint8Array(32).fill(7);
const STATE_BYTES = 64;

function stateOf(changes: Partial<RecordingState['stream']> = {}): RecordingState {
  const listener = { onPartial: () => {}, onSegment: () => {}, onSpeech: () => {} };
  const transcript = new Transcript(fakeManifest(), pieces, recordingConfig(), listener).save();
  const tail = { start: 1, end: 2, tokens: 1, logpSum: -0.5, bytes: [0xe2, 0x82] };
  const word = { text: 'né “x”', startSamples: -3, endSamples: 5, tokens: 2, logpSum: -1 / 3, joined: true };
  return {
    stream: {
      read: 1_600,
      state: new Uint8Array(STATE_BYTES).fill(9),
      hotwords: Int32Array.of(1, -2, 3),
      ...changes,
    },
    transcript: { ...transcript, words: { ...transcript.words, words: [word], tail } },
  };
}

test('comes back as it was, to the last bit of every number', () => {
  const state = stateOf();
  const bytes = encodeCheckpoint(state, FINGERPRINT);
  assert.deepEqual(decodeCheckpoint(bytes, FINGERPRINT, STATE_BYTES), state);
});

test('a stream that has not begun has no state', () => {
  const state = stateOf({ read: 0, state: new Uint8Array(0), hotwords: new Int32Array(0) });
  assert.deepEqual(decodeCheckpoint(encodeCheckpoint(state, FINGERPRINT), FINGERPRINT, STATE_BYTES), state);
});

test('comes back from memory that is not aligned', () => {
  const bytes = encodeCheckpoint(stateOf(), FINGERPRINT);
  const moved = new Uint8Array(bytes.length + 1);
  moved.set(bytes, 1);
  assert.deepEqual(decodeCheckpoint(moved.subarray(1), FINGERPRINT, STATE_BYTES), stateOf());
});

test('another model or arithmetic cannot go on with it', () => {
  const bytes = encodeCheckpoint(stateOf(), FINGERPRINT);
  assert.throws(() => decodeCheckpoint(bytes, new Uint8Array(32), STATE_BYTES), {
    code: 'RESUME_EXPIRED',
    detail: 'The checkpoint is of another model or arithmetic.',
  });
  assert.throws(() => decodeCheckpoint(bytes, FINGERPRINT, STATE_BYTES + 1), { code: 'RESUME_EXPIRED' });
});

test('a checkpoint of another version is refused as that', () => {
  const bytes = encodeCheckpoint(stateOf(), FINGERPRINT);
  bytes[4]!++;
  assert.throws(() => decodeCheckpoint(bytes, FINGERPRINT, STATE_BYTES), /another version/);
});

test('whatever byte is changed, and wherever it is cut short: refused, never taken for something else', () => {
  const whole = encodeCheckpoint(stateOf(), FINGERPRINT);
  fc.assert(
    fc.property(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (at, change, isCut) => {
        const bytes = isCut ? whole.slice(0, at) : whole.slice();
        if (!isCut) bytes[at]! ^= change;
        assert.throws(() => decodeCheckpoint(bytes, FINGERPRINT, STATE_BYTES), { code: 'RESUME_EXPIRED' });
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

const count = fc.nat(2 ** 31 - 1);
const place = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
/** JSON has no −0, and nothing that is no number comes out of a model that works. */
const logp = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const text = fc.string({ unit: 'binary', maxLength: 12 });
const states: fc.Arbitrary<RecordingState> = fc.record({
  stream: fc.record({
    read: count,
    state: fc.oneof(
      fc.constant(new Uint8Array(0)),
      fc.uint8Array({ minLength: STATE_BYTES, maxLength: STATE_BYTES }),
    ),
    hotwords: fc.int32Array({ maxLength: 40 }),
  }),
  transcript: fc.record({
    audioSamples: count,
    segments: count,
    told: fc.record({ texts: fc.array(text), truncated: fc.boolean() }),
    words: fc.record({
      words: fc.array(
        fc.record({
          text,
          startSamples: place,
          endSamples: place,
          tokens: count,
          logpSum: logp,
          joined: fc.boolean(),
        }),
      ),
      opening: fc.boolean(),
      lastKind: fc.constantFrom(
        'letters' as const,
        'unspaced' as const,
        'character' as const,
        'mark' as const,
      ),
      tail: fc.option(
        fc.record({
          start: place,
          end: place,
          tokens: count,
          logpSum: logp,
          bytes: fc.array(fc.nat(255), { maxLength: 4 }),
        }),
      ),
      takenUntil: place,
      tokenEnd: place,
      heard: count,
      heardUntil: place,
    }),
    endpointer: fc.record({ speaking: fc.boolean(), speechStart: place, speechEnd: place, run: count }),
    changed: fc.boolean(),
    holding: fc.boolean(),
    shownPreview: text,
    lastPartialAt: fc.option(place),
    lastTokenAt: place,
  }),
});

test('any recording comes back as it was', () => {
  fc.assert(
    fc.property(states, (state) => {
      const bytes = encodeCheckpoint(state, FINGERPRINT);
      assert.deepEqual(decodeCheckpoint(bytes, FINGERPRINT, STATE_BYTES), structuredClone(state));
    }),
    { seed: 1, numRuns: 300 },
  );
});
