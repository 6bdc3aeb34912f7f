/** Recordings that are longer than 31 and 32 bits of samples: 37 and 75 hours. Each continues from a record that says so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCheckpoint } from '../../src/session/checkpoint.js';
import { decodeSession, encodeSession, type KeptSession } from '../../src/session/record.js';
import type { RecordingState } from '../../src/session/recording.js';
import { FakeFleet, type FakeNode, FINGERPRINT, turns } from '../helpers/fake-fleet.js';
import { bytesOf, CHUNK, marked, spoken } from '../helpers/fake-model.js';
import type { FakeTransport } from '../helpers/fake-transport.js';

const RATE = 16_000;
/** Steps of 100 ms: three words in 1.5 s of speech, one second of silence, and so on for 20 s. */
const STEPS = Array.from({ length: 200 }, (_, i) => {
  const isSpeech = i % 25 < 15;
  const word = ['one', 'two', 'three'][Math.floor(i / 5) % 3] ?? 'one';
  if (!isSpeech) return marked(CHUNK, []);
  return spoken(CHUNK, i % 5 === 1 ? [[(i * 97) % CHUNK, word]] : []);
});
/** So many are heard before the record is made. */
const FIRST = 30;

function later({ stream, transcript }: RecordingState, by: number): RecordingState {
  const { words, endpointer, lastPartialAt } = transcript;
  const { tail } = words;
  return {
    stream: { ...stream, read: stream.read + by },
    transcript: {
      ...transcript,
      audioSamples: transcript.audioSamples + by,
      lastPartialAt: lastPartialAt === null ? null : lastPartialAt + by,
      lastTokenAt: transcript.lastTokenAt + by,
      endpointer: {
        ...endpointer,
        speechStart: endpointer.speechStart + by,
        speechEnd: endpointer.speechEnd + by,
      },
      words: {
        ...words,
        words: words.words.map((word) => ({
          ...word,
          startSamples: word.startSamples + by,
          endSamples: word.endSamples + by,
        })),
        tail: tail === null ? null : { ...tail, start: tail.start + by, end: tail.end + by },
        takenUntil: words.takenUntil + by,
        tokenEnd: words.tokenEnd + by,
        heardUntil: words.heardUntil + by,
      },
    },
  };
}

/** The record of a session as if everything had happened so many samples later. */
function laterRecord(bytes: Uint8Array, by: number): Uint8Array {
  const { recording, ...rest } = decodeSession(bytes);
  if (recording === null) throw new Error('nothing is recorded');
  const { checkpoints, ...plain } = recording;
  const channels = checkpoints.map((each) => later(readCheckpoint(each).state, by));
  const session: KeptSession = { ...rest, recording: { ...plain, channels } };
  return encodeSession(session, FINGERPRINT);
}

async function send({ engine }: FakeNode, onFrame: (frame: Uint8Array) => void, from: number, to: number) {
  for (const step of STEPS.slice(from, to)) {
    onFrame(bytesOf(step));
    await engine.settle();
  }
}

/** What the second server tells, with the times of everything less `by` samples. */
async function record(by: number) {
  const fleet = new FakeFleet();
  const first = fleet.node();
  first.say({ type: 'start_recording', config: { silence_duration: 0.3, vad_events: true } });
  await turns();
  await send(first, (frame) => first.session.onFrame(frame), 0, FIRST);
  assert.ok(await first.session.handover.keep());
  for (const held of fleet.store.held.values()) {
    if (held.record !== null && held.record.tokens.length > 0)
      held.record = { ...held.record, bytes: laterRecord(held.record.bytes, by) };
  }
  const second = fleet.node();
  const token = first.socket.last('connection').resume_token ?? '';
  const seen = first.socket.messages.at(-1)?.seq ?? 0;
  const taken = await fleet.take(second, token, { seen, told: null, has: 0 });
  assert.ok(taken !== null);
  const { session, transport } = taken;
  const { received_samples: samples } = transport.last('resumed');
  assert.equal(samples % CHUNK, by % CHUNK);
  await send(second, (frame) => session.onFrame(frame), (samples - by) / CHUNK, STEPS.length);
  fleet.nowMs += 60_000;
  await session.handover.keep();
  session.sweep(performance.now() + 5_000);
  session.onFrame(JSON.stringify({ type: 'stop_recording' }));
  await second.engine.settle();
  return told(transport, by);
}

const less = (seconds: number, by: number) => Math.round((seconds - by / RATE) * 1e6) / 1e6;

function told(transport: FakeTransport, by: number) {
  const finals = transport.of('transcription');
  const { total_duration, final_transcript } = transport.last('recording_stopped');
  return {
    words: finals.flatMap(({ words = [] }) =>
      words.map(({ word, start, end, confidence }) => [word, less(start, by), less(end, by), confidence]),
    ),
    finals: finals.map(({ segment_id, reason, start }) => [segment_id, reason, less(start ?? 0, by)]),
    partials: transport.of('partial').map(({ text, audio_end }) => [text, less(audio_end, by)]),
    speech: transport.of('speech_ended').map(({ audio_time }) => less(audio_time, by)),
    acks: transport.of('ack').map(({ received_samples }) => received_samples - by),
    total: less(total_duration, by),
    final_transcript,
  };
}

/** A whole number of steps before the bound, so that it is crossed in mid-sentence. */
const before = (bound: number): number => Math.floor((bound - 10 * RATE) / CHUNK) * CHUNK;

for (const [what, by] of [
  ['31 bits', before(2 ** 31)],
  ['32 bits', before(2 ** 32)],
  ['33 bits', before(2 ** 33)],
] as const) {
  test(`a recording goes on over more samples than ${what} hold: the same words, and times to the sample`, async () => {
    const [near, far] = [await record(0), await record(by)];
    assert.ok(near.words.length > 15 && near.acks.length > 0);
    assert.deepEqual(far, near);
  });
}
