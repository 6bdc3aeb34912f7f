import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { beforeEach, test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import { ProgressStream, progressStyle } from '../../src/server/upload-progress.js';
import type { Segment } from '../../src/transcript/transcript.js';

const LINES = progressStyle('application/x-ndjson')!;
const SEGMENT: Segment = { id: 1, words: [], reason: 'silence' };
const BIG = 'x'.repeat(64);

/** A client that reads when the test says so, behind an output that is full after 64 bytes. */
const ABOUT = { calibration: { scale: 1, bias: 0 }, separate: false };

function clientOf() {
  const read: string[] = [];
  let taken: (() => void) | null = null;
  const output = new Writable({
    highWaterMark: 64,
    write: (chunk, _encoding, done) => {
      read.push(JSON.parse(String(chunk)).type);
      taken = done;
    },
  });
  let stalls = 0;
  const progress = new ProgressStream(output, LINES, ABOUT, () => void stalls++);
  /** Reads all that was written. */
  const drain = async () => {
    while (output.writableLength > 0) {
      taken?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { output, progress, read, drain, stalls: () => stalls };
}

beforeEach((context) => {
  if ('mock' in context) context.mock.timers.enable({ apis: ['setTimeout'] });
});

test('progress is left out while the client does not read, segments and the result never are', async () => {
  const { progress, read, drain } = clientOf();
  progress.write('begun', { BIG });
  for (let i = 1; i <= 10; i++) progress.onProgress(i * 1_600, 16_000);
  progress.onSegment(SEGMENT, 0);
  progress.onSegment(SEGMENT, 0);
  progress.write('result', {});
  await drain();
  assert.deepEqual(read, ['begun', 'transcription', 'transcription', 'result']);
});

test('it accepts until the output is full, and says once when it has room again', async () => {
  const { progress, drain } = clientOf();
  let resumed = 0;
  assert.equal(progress.accepts(), true);
  progress.write('begun', { BIG });
  assert.equal(progress.accepts(), false);
  progress.whenAccepting(() => void resumed++);
  await drain();
  assert.deepEqual([progress.accepts(), resumed], [true, 1]);
  progress.write('more', { BIG });
  await drain();
  assert.equal(resumed, 1);
});

test('a client that reads nothing for a minute is given up; one that reads again in time is not', async (context) => {
  const { timers } = context.mock;
  const dead = clientOf();
  const slow = clientOf();
  for (const { progress } of [dead, slow]) {
    progress.write('begun', { BIG });
    progress.onSegment(SEGMENT, 0);
  }
  timers.tick(LIMITS.uploadStallMs - 1);
  await slow.drain();
  timers.tick(1);
  assert.deepEqual([dead.stalls(), slow.stalls()], [1, 0]);
  slow.progress.write('more', { BIG });
  timers.tick(LIMITS.uploadStallMs);
  assert.equal(slow.stalls(), 1, 'each wait is timed from its own beginning');
});

test('an upload that is over waits for nobody', (context) => {
  const { progress, output, stalls } = clientOf();
  progress.write('result', { BIG });
  progress.close();
  context.mock.timers.tick(LIMITS.uploadStallMs);
  assert.equal(stalls(), 0);
  assert.equal(output.listenerCount('drain'), 0);
});

test('events and lines are told by the Accept header', () => {
  const events = progressStyle('text/html, text/event-stream');
  assert.equal(events?.render('result', { a: 1 }), 'event: result\ndata: {"a":1}\n\n');
  assert.equal(LINES.render('result', { a: 1 }), '{"a":1,"type":"result"}\n');
  assert.equal(progressStyle('application/json'), null);
});
