/** Steps that do not return: what becomes of their streams, of the places that they still may write to, and of their lanes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hangLimitMs, Watchdog } from '../../src/inference/watchdog.js';
import { FakeEngine, type FakeEngineOptions, microtasks } from '../helpers/fake-engine.js';
import { CHUNK, marked, markerOf, tokenOf } from '../helpers/fake-model.js';
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

test('when more threads hang than the engine can spare it is lost, and nobody is blamed alone', async () => {
  const { engine, tenants } = crowd(4, { lanes: 1, slots: 12 });
  for (let i = 0; i < 3; i++) {
    timeOver(engine);
    await microtasks();
    engine.pump();
    assert.equal(engine.events.includes('stuck'), false);
  }
  timeOver(engine);
  assert.match(String(await engine.lost), /4 steps hang/);
  assert.deepEqual(tenants.map(({ faults }) => faults), [0, 0, 0, 0]); // biome-ignore format: short
  assert.deepEqual(engine.events.slice(0, 4), ['hung 0 4', 'hung 0 1', 'hung 0 1', 'hung 0 1']);
});

/** A token for which every step hangs, and the stream of a crowd that has it. */
const POISON = 'one';
const POISONED = tokenOf(POISON);

/** Lets the engine run until every step that can return has returned and those that hang are known to. */
async function live(engine: FakeEngine): Promise<void> {
  const isStuck = () => engine.lanes.some((lane) => lane.slots.length > 0);
  await engine.settle();
  while (isStuck()) {
    timeOver(engine);
    await engine.settle();
  }
}

for (const lanes of [1, 2, 3]) {
  test(`a stream whose audio makes every step hang is found and given up, and it alone, on ${lanes} lanes`, async () => {
    const { engine, tenants, slots } = crowd(8, { lanes, slots: 24 });
    for (const lane of engine.lanes) lane.hangsOn = markerOf(POISON);
    tenants[POISONED]!.onFault = function (slot, code) {
      Tenant.prototype.onFault.call(this, slot, code);
      engine.release(slot);
    };
    await live(engine);
    assert.deepEqual(tenants.map(({ fault }) => fault).filter(Boolean), ['AUDIO_FAILED']);
    for (const [token, { tokens }] of tenants.entries()) {
      assert.deepEqual(tokens, token === POISONED ? [] : [token, token]);
    }
    assert.ok(!engine.events.includes('stuck'), 'the engine goes on');
    assert.equal(engine.stats.hungSteps, 3, 'one in a batch, two alone');
    assert.ok(slots.every(({ blame }, i) => i === POISONED || blame.failures === 0));
  });
}

test('streams of a step that hung run alone until they are beyond it, then with others again', async () => {
  const { engine, lane, slots } = crowd(3);
  timeOver(engine);
  await microtasks();
  const before = lane.batches.length;
  await engine.settle();
  const sizes = lane.batches.slice(before).map(({ length }) => length);
  assert.deepEqual(sizes.slice(0, 3), [1, 1, 1]);
  assert.ok(
    sizes.slice(3).some((size) => size > 1),
    `${sizes}`,
  );
  assert.ok(slots.every(({ suspect }) => !suspect));
});

test('a stream that is blamed where it comes from runs alone here, and has its last attempts', async () => {
  const engine = new FakeEngine({ slots: 8, hangLimitMs: LIMIT_MS, auto: false });
  const lane = engine.lanes[0]!;
  lane.hangsOn = markerOf(POISON);
  const tenants = [new Tenant(), new Tenant(), new Tenant()];
  for (const [token, tenant] of [0, POISONED, 2].entries()) {
    const slot = engine.lease(tenants[token]!);
    assert.ok(slot);
    if (token < 2) slot.blame = { failures: 2, at: 0 };
    for (let i = 0; i < 3; i++) write(slot, marked(CHUNK, [[0, tenant]]));
  }
  await live(engine);
  assert.deepEqual(tenants.map(({ fault }) => fault), [null, 'AUDIO_FAILED', null]); // biome-ignore format: short
  assert.ok(lane.batches.every((batch) => batch.length === 1 || !batch.includes(1)));
  assert.deepEqual([tenants[0]?.tokens, tenants[2]?.tokens], [[0, 0], [2, 2]]); // biome-ignore format: short
  assert.equal(engine.stats.hungSteps, 1);
});

test('a step that hung and returns while its stream is being given up leaves its place free', async () => {
  const { engine, tenants, slots, lane } = crowd(1);
  slots[0]!.blame = { failures: 2, at: 0 };
  timeOver(engine);
  assert.equal(tenants[0]?.fault, 'AUDIO_FAILED');
  lane.wake();
  await microtasks();
  engine.release(slots[0]!); // sessions return their slots a little later
  assert.deepEqual([engine.quarantined, engine.table.vacancies], [0, 8]);
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
