/** Sessions as bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCheckpoint } from '../../src/session/checkpoint.js';
import { decodeSession, encodeSession, type KeptSession } from '../../src/session/record.js';
import { Transcript } from '../../src/transcript/transcript.js';
import { FINGERPRINT } from '../helpers/fake-fleet.js';
import { fakeManifest, pieces } from '../helpers/fake-model.js';
import { recordingConfig } from '../helpers/recording-config.js';

const listener = { onPartial: () => {}, onSegment: () => {}, onSpeech: () => {} };
const transcript = new Transcript(fakeManifest(), pieces, recordingConfig(), listener).save();

const count = fc.nat(2 ** 31 - 1);
const state = fc.record({
  stream: fc.record({
    read: count,
    state: fc.uint8Array({ maxLength: 64 }),
    hotwords: fc.int32Array({ maxLength: 8 }),
  }),
  transcript: fc.constant(transcript),
});
const recordings = fc.record({
  config: fc.record({
    ...Object.fromEntries(
      Object.entries(recordingConfig()).map(([name, value]) => [name, fc.constant(value)]),
    ),
    sample_rate: fc.integer({ min: 8000, max: 48_000 }),
    silence_duration: fc.double({ min: 0.1, max: 10, noNaN: true }),
    hotwords: fc.array(
      fc.record({ phrase: fc.string({ minLength: 1, maxLength: 9 }), boost: fc.constant(2) }),
      {
        maxLength: 3,
      },
    ),
  }),
  headerBytes: count,
  deaf: fc.boolean(),
  begun: fc.boolean(),
  blame: fc.array(fc.record({ failures: count, at: count }), { maxLength: 2 }),
  channels: fc.array(state, { minLength: 1, maxLength: 2 }),
}) as unknown as fc.Arbitrary<NonNullable<KeptSession['recording']>>;
const pair = fc.array(count, { minLength: 2, maxLength: 2 });
const sessions: fc.Arbitrary<KeptSession> = fc.record({
  configured: fc.constantFrom({}, { language: '' }, { vad_threshold: null }, { words: false, metrics: true }),
  controls: count,
  outbox: fc.record({
    told: fc.record({ phase: count, events: pair, again: pair }),
    sent: fc.record({
      before: count,
      frames: fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 9 }),
      kinds: fc.string({ unit: fc.constantFrom('-', 'o', 'p', '0', '1', 'e'), maxLength: 9 }),
      told: fc.option(fc.record({ phase: count, events: pair })),
    }),
  }),
  recording: fc.option(recordings),
});

/** As it was before it was written. */
function readBack(bytes: Uint8Array): KeptSession {
  const { recording, ...rest } = decodeSession(bytes);
  if (recording === null) return { ...rest, recording };
  const { checkpoints, ...plain } = recording;
  return {
    ...rest,
    recording: { ...plain, channels: checkpoints.map((each) => readCheckpoint(each).state) },
  };
}

test('any session comes back as it was', () => {
  fc.assert(
    fc.property(sessions, (session) => {
      const back = readBack(encodeSession(session, FINGERPRINT));
      assert.deepEqual(structuredClone(back), JSON.parse(JSON.stringify(session), revive(session)));
    }),
    { seed: 1, numRuns: 200 },
  );
});

/** JSON has no typed arrays: those of the session itself are put in their places again. */
function revive(session: KeptSession) {
  const channels = structuredClone(session.recording?.channels);
  return (name: string, value: unknown) => (name === 'channels' && Array.isArray(value) ? channels : value);
}

/** A copy: `slice` of a Buffer would be a view. */
const whole = Uint8Array.from(
  encodeSession(
    {
      configured: {},
      controls: 2,
      outbox: {
        told: { phase: 1, events: [3, 0], again: [0, 0] },
        sent: { before: 4, frames: ['{}'], kinds: '0', told: { phase: 1, events: [2, 0] } },
      },
      recording: {
        config: recordingConfig(),
        headerBytes: 44,
        deaf: false,
        begun: true,
        blame: [],
        channels: [
          { stream: { read: 0, state: new Uint8Array(0), hotwords: new Int32Array(0) }, transcript },
        ],
      },
    },
    FINGERPRINT,
  ),
);

test('whatever byte is changed, and wherever it is cut short: refused, never taken for something else', () => {
  fc.assert(
    fc.property(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (at, change, isCut) => {
        const bytes = isCut ? whole.slice(0, at) : whole.slice();
        if (!isCut) bytes[at]! ^= change;
        // The header is not under the hash, and says what it is.
        assert.throws(() => decodeSession(bytes), { code: 'RESUME_EXPIRED' });
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test('a record of another version is refused as that', () => {
  const bytes = whole.slice();
  bytes[4]!++;
  assert.throws(() => decodeSession(bytes), { detail: 'The record is of another version.' });
});

test('comes back from memory that is not aligned', () => {
  const moved = new Uint8Array(whole.length + 1);
  moved.set(whole, 1);
  assert.deepEqual(decodeSession(moved.subarray(1)), decodeSession(whole));
});
