/** Steps that do not return: what becomes of their streams, of the places that they still may write to, and of their lanes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hangLimitMs, Watchdog } from '../../src/inference/watchdog.js';
import { FakeEngine, type FakeEngineOptions, microtasks } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

const LIMIT_MS = 1_000;
const LOOKS = 5;

/** So many streams with three chunks each, one token in each, the first chunk of all of them in a lane. */
function crowd(count: number, options: FakeEngineOptions = {}) {
  const engine = new FakeEngine({ slots: 8, hangLimitMs: LIMIT_MS, ...options });
  const tenants = Array.from({ length: count }, () => new Tenant());
  const slots = tenants.map((tenant, token) => {
    const slot = engine.lease(tenant);
    assert.ok(slot);
    for (let i = 0; i < 3; i++) write(slot, marked(CHUNK, [[0, token]]));
    return slot;
  });
  engine.pump();
  return { engine, tenants, slots, lane: engine.lanes[0]! };
}

function look(engine: FakeEngine, times = LOOKS): void {
  for (let i = 0; i < times; i++) engine.batcher.lookForHung();
}
function timeOver(engine: FakeEngine): void {
  engine.pass(LIMIT_MS);
  look(engine);
}

/** Each token comes a chunk late: three chunks tell two. */
const TOLD = [0, 1].map((token) => [token, token]);

for (const fails of [false, true]) {
  test(`the streams of a step that hangs are heard elsewhere, and its late ${fails ? 'failure' : 'answer'} changes nothing`, async () => {
    const { engine, tenants, slots, lane } = crowd(2);
    const left = slots.map(({ place }) => place);
    timeOver(engine);
    assert.deepEqual([engine.quarantined, engine.table.leased], [2, 4]);
    assert.ok(slots.every(({ place }) => !left.includes(place)));
    await engine.settle();
    assert.deepEqual(tenants.map(({ tokens }) => tokens), TOLD); // biome-ignore format: short
    const states = () => slots.map((slot) => [...slot.save().state]);
    const before = states();
    assert.ok(lane.wake(fails));
    await engine.settle();
    assert.deepEqual(states(), before);
    assert.deepEqual(tenants.map(({ tokens }) => tokens), TOLD); // biome-ignore format: short
    assert.deepEqual([engine.quarantined, engine.table.leased, engine.stats.hungSteps], [0, 2, 1]);
    assert.deepEqual(engine.events, ['hung 0 2', 'late 0']);
  });
}

test('a tenant on a place that came back begins with silence and hears itself alone', async () => {
  const { engine, slots, lane } = crowd(1, { slots: 2 });
  timeOver(engine);
  await engine.settle();
  engine.release(slots[0]!);
  lane.wake();
  await engine.settle();
  const late = Array.from({ length: 2 }, () => new Tenant());
  for (const [i, tenant] of late.entries()) {
    const slot = engine.lease(tenant);
    assert.ok(slot);
    for (let chunks = 0; chunks < 2; chunks++) write(slot, marked(CHUNK, [[0, 5 + i]]));
  }
  await engine.settle();
  assert.deepEqual(late.map(({ tokens }) => tokens), [[5], [6]]); // biome-ignore format: short
});

test('a stream that leaves while its step hangs leaves its place when the step returns', async () => {
  const { engine, slots, lane } = crowd(1);
  engine.release(slots[0]!);
  timeOver(engine);
  assert.deepEqual([engine.quarantined, engine.table.vacancies], [1, 7], 'nobody had to move');
  lane.wake();
  await microtasks();
  assert.deepEqual([engine.quarantined, engine.table.vacancies], [0, 8]);
});

test('a step is looked at several times before it hangs: a main thread that stood still has heard no answer', async () => {
  const { engine, tenants, lane } = crowd(1);
  engine.pass(60_000);
  look(engine, LOOKS - 1);
  assert.deepEqual(engine.events, []);
  lane.finish();
  await engine.settle();
  look(engine);
  assert.deepEqual([engine.events, tenants[0]?.valid.length], [[], 3]);
});

test('a step that takes long, but not too long, is waited for', () => {
  const { engine } = crowd(1);
  engine.pass(LIMIT_MS - 1);
  look(engine, 100);
  assert.equal(engine.quarantined, 0);
});

test('where no place is left for the streams of a step the engine is lost, and nobody is told a wrong word', async () => {
  const { engine, tenants } = crowd(2, { slots: 3 });
  timeOver(engine);
  assert.match(String(await engine.lost), /a step of 2 streams hangs, and no free slots are left/);
  assert.deepEqual([engine.events, tenants[0]?.faults, tenants[0]?.valid], [['hung 0 2', 'stuck'], 0, []]);
});

test('while one lane hangs the others go on, and the engine is lost when more threads hang than it can spare', async () => {
  const { engine, tenants, lane } = crowd(1, { lanes: 1 });
  timeOver(engine);
  await microtasks();
  engine.pump();
  assert.equal(lane.slots.length, 1, 'it runs again');
  timeOver(engine);
  await microtasks();
  engine.pump();
  assert.deepEqual([engine.quarantined, engine.events.includes('stuck')], [2, false]);
  timeOver(engine);
  assert.match(String(await engine.lost), /3 steps hang/);
  assert.equal(tenants[0]?.faults, 0);
});

test('a stream whose steps hang again and again, alone, is given up; the others are heard', async () => {
  const { engine, tenants, slots } = crowd(2, { lanes: 6, slots: 16 });
  tenants[0]!.onFault = () => {
    tenants[0]!.faults++;
    engine.release(slots[0]!);
  };
  /** Lets every step come back but those with the first stream. */
  const round = async () => {
    engine.pump();
    for (const lane of engine.lanes) if (!lane.slots.includes(slots[0]!.place)) lane.finish();
    await microtasks();
  };
  for (let i = 0; i < 8 && tenants[0]!.faults === 0; i++) {
    await round();
    timeOver(engine);
    for (let more = 0; more < 4; more++) await round();
  }
  await engine.settle();
  assert.deepEqual(tenants.map(({ faults }) => faults), [1, 0]); // biome-ignore format: short
  assert.deepEqual(tenants[1]?.tokens, TOLD[1]);
});

test('a lane that cannot be replaced is lost, and with the last one the engine', async () => {
  const { engine, tenants, lane } = crowd(1);
  lane.onRecover = () => Promise.reject(new Error('no memory for a second session'));
  timeOver(engine);
  assert.match(String(await engine.lost), /no memory for a second session/);
  assert.deepEqual([engine.capacity.streams, tenants[0]?.faults], [0, 1]);
});

test('where no lane is left streams may be brought to safety before they are given up', async () => {
  const { engine, tenants, slots, lane } = crowd(2, { givesUp: false });
  lane.onRecover = () => Promise.reject(new Error('no memory'));
  const states = () => slots.map((slot) => slot.save());
  const before = states();
  lane.fail();
  await microtasks();
  assert.match(String(await engine.lost), /no memory/);
  write(slots[0]!, marked(CHUNK, []));
  engine.pump();
  assert.deepEqual([tenants.map(({ faults }) => faults), states()], [[0, 0], before]);
  engine.release(slots[1]!); // brought to safety
  engine.batcher.giveUp();
  assert.deepEqual(tenants.map(({ faults }) => faults), [1, 0]); // biome-ignore format: short
});

test('a step has ten seconds, or twenty times what the largest batch takes', () => {
  assert.equal(hangLimitMs([{ batch: 1, ms: 3 }, { batch: 64, ms: 56 }], 64), 10_000); // biome-ignore format: short
  assert.equal(hangLimitMs([{ batch: 1, ms: 400 }, { batch: 2, ms: 800 }], 8), 64_000); // biome-ignore format: short
  assert.equal(hangLimitMs([], 8), 10_000);
  assert.equal(Watchdog.periodMs(10_000), 2_000);
});
