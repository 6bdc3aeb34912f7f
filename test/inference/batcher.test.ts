import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Slot } from '../../src/inference/stream-table.js';
import { FakeEngine, type FakeEngineOptions, microtasks } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

/** An engine with `count` tenants on slots 0, 1, 2 … */
function crowd(count: number, options: FakeEngineOptions = {}) {
  const engine = new FakeEngine({ slots: count, ...options });
  const tenants = Array.from({ length: count }, () => new Tenant());
  const slots = tenants.map((tenant) => engine.lease(tenant)).filter((slot) => slot !== null);
  assert.equal(slots.length, count);
  return { engine, tenants, slots, lane: engine.lanes[0]! };
}

const chunk = (token?: number): Int16Array => marked(CHUNK, token === undefined ? [] : [[0, token]]);

test('everything that is ready when a lane is free goes through it together', () => {
  const { engine, slots, lane } = crowd(5);
  for (const slot of slots) write(slot, chunk());
  engine.pump();
  assert.deepEqual(lane.batches, [[0, 1, 2, 3, 4]]);
});

test('while the lane is busy ready streams gather, and the batch grows', async () => {
  const { engine, slots, lane } = crowd(4);
  write(slots[0]!, chunk());
  engine.pump();
  for (const slot of slots.slice(1)) write(slot, chunk());
  assert.equal(engine.pump(), false, 'no lane is free');
  assert.equal(engine.waiting, 3);
  lane.finish();
  await microtasks();
  assert.deepEqual(lane.batches, [[0], [1, 2, 3]]);
});

test('a lane goes on with what gathered before the results of its last batch are told', async () => {
  const { engine, tenants, slots, lane } = crowd(2);
  write(slots[0]!, chunk());
  engine.pump();
  write(slots[1]!, chunk());
  let running: readonly number[] = [];
  tenants[0]!.onStep = () => {
    running = lane.slots;
  };
  lane.finish();
  await microtasks();
  assert.deepEqual(running, [1]);
});

test('a batch holds no more streams than it may', () => {
  const { engine, slots, lane } = crowd(5, { maxBatch: 3 });
  for (const slot of slots) write(slot, chunk());
  engine.pump();
  assert.deepEqual(lane.batches, [[0, 1, 2]]);
  assert.equal(engine.waiting, 2);
});

test('a stream with many chunks waiting takes turns with the others', async () => {
  const { engine, slots, lane } = crowd(3, { maxBatch: 1 });
  write(slots[0]!, marked(3 * CHUNK, []));
  for (const slot of slots.slice(1)) write(slot, chunk());
  await engine.settle();
  assert.deepEqual(lane.batches.flat(), [0, 1, 2, 0, 0]);
});

test('a flush overtakes the live audio that waits, that of its own stream too', async () => {
  const { engine, slots, lane } = crowd(3, { maxBatch: 1 });
  for (const slot of slots) write(slot, chunk());
  slots[2]!.flush(0);
  await engine.settle();
  assert.deepEqual(lane.batches.flat(), [2, 0, 1]);
});

test('a stream that is flushed while its step is in a lane is flushed next', async () => {
  const { engine, tenants, slots, lane } = crowd(2, { maxBatch: 1 });
  write(slots[0]!, marked(CHUNK + 10, [[CHUNK + 5, 4]]));
  engine.pump();
  write(slots[1]!, chunk());
  slots[0]!.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(lane.batches.flat(), [0, 0, 0, 1]);
  assert.deepEqual(tenants[0]!.valid, [CHUNK, 10, 0]);
  assert.deepEqual(tenants[0]!.tokens, [4]);
  assert.equal(tenants[0]!.flushes, 1);
});

test('the steps of a flush follow one another, beside whatever else waits', async () => {
  const { engine, slots, lane } = crowd(3);
  write(slots[0]!, marked(10, []));
  slots[0]!.flush(2 * CHUNK);
  engine.pump();
  for (const slot of slots.slice(1)) write(slot, chunk());
  await engine.settle();
  assert.deepEqual(lane.batches, [[0], [0, 1, 2], [0]]);
});

test('few ready streams stay together; many are shared out among the idle lanes', () => {
  const few = crowd(7, { lanes: 2 });
  for (const slot of few.slots) write(slot, chunk());
  few.engine.pump();
  assert.deepEqual(few.engine.lanes.map((lane) => lane.slots.length).sort(), [0, 7]);
  const many = crowd(8, { lanes: 2 });
  for (const slot of many.slots) write(slot, chunk());
  many.engine.pump();
  assert.deepEqual(many.engine.lanes.map((lane) => lane.slots.length), [4, 4]); // biome-ignore format: short
});

test('uploads fill a batch of their own when nothing is live', () => {
  const engine = new FakeEngine({ slots: 6, maxBulkBesideLive: 2 });
  for (let i = 0; i < 6; i++) write(engine.lease(new Tenant(), true)!, chunk());
  engine.pump();
  assert.equal(engine.lanes[0]?.slots.length, 6);
});

test('beside live streams only a few uploads ride along, after them', () => {
  const engine = new FakeEngine({ slots: 6, maxBulkBesideLive: 2 });
  const uploads = Array.from({ length: 5 }, () => engine.lease(new Tenant(), true)!);
  for (const slot of uploads) write(slot, chunk());
  const live = engine.lease(new Tenant())!;
  write(live, chunk());
  engine.pump();
  assert.deepEqual(engine.lanes[0]?.slots, [live.index, uploads[0]?.index, uploads[1]?.index]);
});

test('live streams that fill the batch leave uploads waiting', () => {
  const engine = new FakeEngine({ slots: 4, maxBatch: 3 });
  write(engine.lease(new Tenant(), true)!, chunk());
  for (let i = 0; i < 3; i++) write(engine.lease(new Tenant())!, chunk());
  engine.pump();
  assert.equal(engine.waiting, 1);
  assert.deepEqual(engine.lanes[0]?.slots, [1, 2, 3]);
});

test('a stream that left while it waited is passed over', async () => {
  const { engine, tenants, slots, lane } = crowd(2);
  for (const slot of slots) write(slot, chunk());
  engine.release(slots[0]!);
  await engine.settle();
  assert.deepEqual(lane.batches, [[1]]);
  assert.deepEqual(tenants[0]!.valid, []);
});

test('the next tenant of a slot that left while it waited is timed from its own chunk', async () => {
  const { engine, slots } = crowd(1);
  write(slots[0]!, chunk());
  engine.release(slots[0]!);
  engine.nowMs = 1_000;
  const slot = engine.lease(new Tenant())!;
  write(slot, chunk());
  engine.nowMs = 1_005;
  await engine.settle();
  assert.equal(slot.arrivedMs, 1_000);
});

test('a step that fails has changed nothing: the same chunks run again', async () => {
  const { engine, tenants, slots, lane } = crowd(2);
  write(slots[0]!, chunk(3));
  await engine.settle(); // token 3 is in the state
  write(slots[0]!, chunk(4));
  write(slots[1]!, chunk(5));
  engine.pump();
  lane.fail(new Error('out of memory'), true);
  await microtasks();
  assert.deepEqual(tenants[0]!.tokens, [], 'nothing is told of a failed step');
  for (const slot of slots) slot.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(tenants.map((tenant) => tenant.tokens), [[3, 4], [5]]); // biome-ignore format: short
  assert.deepEqual(engine.events, ['failed 0']);
});

test('while a lane recovers the others go on', async () => {
  const { engine, slots } = crowd(1, { lanes: 2 });
  const [first, second] = [engine.lanes[1]!, engine.lanes[0]!]; // the last to come is the first to go
  first.onRecover = () => new Promise(() => {});
  write(slots[0]!, chunk());
  engine.pump();
  assert.deepEqual(first.slots, [0]);
  first.fail();
  await microtasks();
  engine.pump();
  assert.deepEqual(second.slots, [0]);
  assert.equal(engine.batcher.busyLanes, 2, 'the one that recovers is busy with that');
});

test('a stream whose step fails three times in a row is given up', async () => {
  const { engine, tenants, slots, lane } = crowd(1, { maxFailures: 3 });
  write(slots[0]!, chunk());
  for (let i = 0; i < 3; i++) {
    assert.equal(tenants[0]!.faults, 0);
    engine.pump();
    lane.fail();
    await microtasks();
  }
  assert.equal(tenants[0]!.faults, 1);
  assert.equal(engine.waiting, 0);
});

test('a stream whose step succeeds after failures starts counting anew', async () => {
  const { engine, tenants, slots, lane } = crowd(1, { maxFailures: 2 });
  for (let i = 0; i < 3; i++) {
    write(slots[0]!, chunk());
    engine.pump();
    lane.fail();
    await engine.settle();
  }
  assert.equal(tenants[0]!.faults, 0);
  assert.equal(tenants[0]!.valid.length, 3);
});

test('a tenant that throws when it is told its result is given up, and the others are told theirs', async () => {
  const { engine, tenants, slots } = crowd(3);
  tenants[1]!.onStep = () => {
    throw new Error('a defect');
  };
  for (const slot of slots) write(slot, chunk());
  await engine.settle();
  assert.deepEqual(tenants.map((tenant) => tenant.faults), [0, 1, 0]); // biome-ignore format: short
  assert.deepEqual([tenants[0]!.valid, tenants[2]!.valid], [[CHUNK], [CHUNK]]);
  assert.deepEqual(engine.events, ['stream failed 1']);
});

test('when the last lane is lost every stream is told, and each later one as soon as it has a chunk', async () => {
  const { engine, tenants, slots, lane } = crowd(2);
  lane.onRecover = () => Promise.reject(new Error('no memory'));
  write(slots[0]!, chunk());
  engine.pump();
  lane.fail();
  await microtasks();
  assert.deepEqual(engine.events, ['failed 0', 'lost 0']);
  assert.deepEqual(tenants.map((tenant) => tenant.faults), [1, 1]); // biome-ignore format: short
  engine.release(slots[1]!);
  const late = new Tenant();
  write(engine.lease(late)!, chunk());
  assert.equal(late.faults, 1);
  assert.match(String(await engine.lost), /no memory/);
});

test('when one of two lanes is lost nobody is given up', async () => {
  const { engine, tenants, slots } = crowd(2, { lanes: 2 });
  for (const lane of engine.lanes) lane.onRecover = () => Promise.reject(new Error('gone'));
  for (const slot of slots) write(slot, chunk());
  engine.pump();
  engine.lanes[1]?.fail();
  await engine.settle();
  assert.deepEqual(tenants.map((tenant) => tenant.valid), [[CHUNK], [CHUNK]]); // biome-ignore format: short
  assert.deepEqual(tenants.map((tenant) => tenant.faults), [0, 0]); // biome-ignore format: short
});

test('a batch is told how long its first stream had waited for a lane', async () => {
  const { engine, slots } = crowd(1);
  engine.nowMs = 50;
  write(slots[0]!, chunk());
  engine.nowMs = 58;
  const waits: number[] = [];
  const observer = Reflect.get(engine.batcher, 'observer') as { onBatch: (...args: unknown[]) => void };
  observer.onBatch = (_lane, _count, _answer, waitMs) => void waits.push(Number(waitMs));
  await engine.settle();
  assert.deepEqual(waits, [8]);
});

test('slots are idle again after their step, whoever owns them', async () => {
  const { engine, slots } = crowd(2);
  for (const slot of slots) write(slot, chunk());
  engine.pump();
  engine.release(slots[1]!);
  const inFlight = (all: readonly Slot[]) => all.map((slot) => slot.inFlight);
  assert.deepEqual(inFlight(slots), [true, true]);
  await engine.settle();
  assert.deepEqual(inFlight(slots), [false, false]);
});

test('a stream that sends faster than anybody speaks goes behind the live ones', async () => {
  const { engine, slots, lane } = crowd(3, { maxBatch: 2 });
  const seconds = (count: number) => marked(16_000 * count, []);
  write(slots[0]!, seconds(2)); // all at once: a file
  write(slots[1]!, chunk());
  write(slots[2]!, chunk());
  engine.pump();
  assert.deepEqual(lane.batches, [[1, 2]]);
  assert.equal(slots[0]!.ahead, true);
  engine.nowMs += 2_000;
  assert.equal(slots[0]!.ahead, false, 'after two seconds it is live again');
  await engine.settle();
});

test('a chunk that waited behind others is timed from its own arrival', async () => {
  const { engine, slots } = crowd(1);
  const arrived: number[] = [];
  slots[0]!.owner!.onStep = (slot) => void arrived.push(slot.arrivedMs);
  for (const nowMs of [100, 200, 300]) {
    engine.nowMs = nowMs;
    write(slots[0]!, chunk());
  }
  engine.nowMs = 900;
  await engine.settle();
  assert.deepEqual(arrived, [100, 200, 300]);
});

test('a rest that waited for its flush is timed from the flush, not from when the speaker fell silent', async () => {
  const { engine, slots } = crowd(1);
  write(slots[0]!, marked(CHUNK / 2, []));
  engine.nowMs = 5_000;
  slots[0]!.flush(CHUNK);
  await engine.settle();
  assert.equal(slots[0]!.arrivedMs, 5_000);
});
