import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_WAIT, waitPolicy } from '../../src/inference/wait.js';
import { FakeEngine, microtasks } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

/** Steps of a 66 M parameter model on one core, as measured. */
const LARGE = [
  { batch: 1, ms: 20.7 },
  { batch: 4, ms: 44.7 },
  { batch: 16, ms: 120.9 },
];

test('a model whose lone step is dear waits an eighth of its chunk, if lone steps would take a fifth of the time', () => {
  const policy = waitPolicy(LARGE, 4, 320, 'auto');
  assert.deepEqual([policy.maxMs, policy.enough, policy.fromStreams], [40, 16, 13]);
  assert.equal(waitPolicy(LARGE, 8, 320, 'auto').fromStreams, 25, 'more lanes have time for more streams');
});

test('with so few streams that no other is expected within the wait, none waits', () => {
  assert.equal(waitPolicy(LARGE, 2, 320, 'auto').fromStreams, 320 / 40);
});

test('a small model of long chunks waits for ten of its steps', () => {
  const small = [
    { batch: 1, ms: 3 },
    { batch: 8, ms: 10 },
  ];
  const policy = waitPolicy(small, 2, 320, 'auto');
  assert.deepEqual([policy.maxMs, policy.enough, policy.fromStreams], [30, 8, 43]);
  assert.deepEqual(waitPolicy(small, 2, 100, 'auto'), NO_WAIT, 'words of short chunks come at once');
});

test('short steps, and those that gain nothing in a batch, do not wait', () => {
  const short = [
    { batch: 1, ms: 1.4 },
    { batch: 64, ms: 27 },
  ];
  const alike = [
    { batch: 1, ms: 20 },
    { batch: 4, ms: 70 },
  ];
  assert.deepEqual(waitPolicy(short, 2, 100, 'auto'), NO_WAIT);
  assert.deepEqual(waitPolicy(alike, 2, 320, 'auto'), NO_WAIT);
  assert.deepEqual(
    waitPolicy([{ batch: 1, ms: 400 }], 2, 320, 'auto'),
    NO_WAIT,
    'too slow for a second measurement',
  );
});

test('a wait that is asked for holds, and 0 is none', () => {
  assert.equal(waitPolicy([{ batch: 1, ms: 1.4 }], 2, 100, 7).maxMs, 7);
  assert.deepEqual(waitPolicy(LARGE, 2, 320, 0), NO_WAIT);
});

/** Tenants on the slots of an engine that waits 20 ms for 3 streams, from 2 streams on. */
function waiting(count: number, lanes = 1) {
  const engine = new FakeEngine({ slots: 6, lanes, wait: { maxMs: 20, enough: 3, fromStreams: 2 } });
  const slots = Array.from({ length: count }, () => engine.lease(new Tenant())!); // there are six
  return { engine, slots, lane: engine.lanes[0]!, ready: (i: number) => write(slots[i]!, marked(CHUNK, [])) };
}

test('ready streams wait for others, until the first has waited its time', () => {
  const { engine, lane, ready } = waiting(4);
  ready(0);
  engine.pump();
  assert.deepEqual(lane.batches, []);
  engine.pass(12);
  ready(1);
  engine.pump();
  engine.pass(7);
  assert.deepEqual(lane.batches, []);
  engine.pass(1);
  assert.deepEqual(lane.batches, [[0, 1]]);
});

test('a batch that is large enough goes at once', () => {
  const { engine, lane, ready } = waiting(4);
  for (const i of [0, 1, 2]) ready(i);
  engine.pump();
  assert.deepEqual(lane.batches, [[0, 1, 2]]);
});

test('no lane stands idle while an upload could run: live streams go with it at once', () => {
  const { engine, lane, ready } = waiting(4);
  ready(0);
  engine.pump();
  assert.deepEqual(lane.batches, []);
  const upload = engine.lease(new Tenant(), true)!; // a fifth of six
  write(upload, marked(CHUNK, []));
  engine.pump();
  assert.deepEqual(lane.batches, [[0, upload.index]]);
});

test('a stream that is alone waits for nobody', () => {
  const { engine, lane, ready } = waiting(1);
  ready(0);
  engine.pump();
  assert.deepEqual(lane.batches, [[0]]);
});

test('a flush waits for nothing, and takes two of those along that still wait', async () => {
  const wait = { maxMs: 20, enough: 5, fromStreams: 2 };
  const engine = new FakeEngine({ slots: 6, lanes: 1, wait });
  const slots = Array.from({ length: 4 }, () => engine.lease(new Tenant())!); // there are six
  for (const slot of slots) write(slot, marked(CHUNK, []));
  engine.pump();
  engine.pass(15);
  slots[3]!.flush(0);
  engine.pump();
  const { batches } = engine.lanes[0]!;
  assert.deepEqual(batches, [[3, 0, 1]]);
  engine.lanes[0]!.finish();
  await microtasks();
  assert.deepEqual(batches, [[3, 0, 1]], 'the wait of the last one is not over');
  engine.pass(5);
  assert.deepEqual(batches, [[3, 0, 1], [2]]);
});

test('a flush takes those along that have waited their time, or are enough', async () => {
  const { engine, slots, lane, ready } = waiting(6);
  ready(0);
  engine.pump();
  engine.pass(20);
  ready(1);
  engine.pass(20); // the lane is busy
  slots[2]!.flush(CHUNK);
  lane.finish();
  await microtasks();
  assert.deepEqual(lane.batches, [[0], [2, 1]]);
  for (const i of [3, 4, 5]) ready(i);
  slots[1]!.flush(CHUNK);
  lane.finish();
  await microtasks();
  assert.deepEqual(lane.batches.at(-1), [1, 3, 4, 5]);
});

test('after its wait a stream runs on any lane, and those behind it wait for their own time', async () => {
  const { engine, ready } = waiting(4, 2);
  ready(0);
  engine.pump();
  engine.pass(20);
  engine.pass(5);
  ready(1);
  engine.pump();
  const batches = () => engine.lanes.flatMap((lane) => lane.batches);
  assert.deepEqual(batches(), [[0]]);
  engine.pass(20);
  assert.deepEqual(batches(), [[1], [0]]);
  await engine.settle();
  assert.equal(engine.waiting, 0);
});

test('who leaves while waiting is not waited for', () => {
  const { engine, slots, lane, ready } = waiting(4);
  ready(0);
  engine.pump();
  engine.pass(15);
  ready(1);
  engine.release(slots[0]!);
  engine.pump();
  engine.pass(5);
  assert.deepEqual(lane.batches, [], 'the second has waited 5 ms');
  engine.pass(15);
  assert.deepEqual(lane.batches, [[1]]);
});
