/**
 * Streams whose audio makes any step fail that they are in. Whatever else happens, they alone are given up, and all
 * others hear all of their audio.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeEngine, microtasks } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

const CHUNKS = 3;
/** Each failure costs a restart: the others have their turn between them. */
const MOST_RESTARTS = 3;

/** The tokens of a stream that was recognised: the fake model tells each one chunk late. */
const heard = (slot: number): number[] => [slot, slot];

/** Streams with three chunks each, one token in each chunk; the poisoned ones leave when they are given up. */
function crowdWith(poison: readonly number[], { count = 64, lanes = 1, maxBatch = 64 } = {}) {
  const engine = new FakeEngine({ slots: count, lanes, maxBatch });
  for (const lane of engine.lanes) for (const slot of poison) lane.poisoned.add(slot);
  const tenants = Array.from({ length: count }, (_, token) => {
    const tenant = new Tenant();
    const slot = engine.lease(tenant);
    assert.ok(slot);
    tenant.onFault = () => {
      tenant.faults++;
      engine.release(slot);
    };
    for (let i = 0; i < CHUNKS; i++) write(slot, marked(CHUNK, [[0, token]]));
    return tenant;
  });
  const faulted = () => tenants.flatMap(({ faults }, slot) => Array.from({ length: faults }, () => slot));
  return { engine, tenants, faulted, lane: engine.lanes[0]! };
}

test('one stream of 64 that makes its steps fail is found and given up, and it alone', async () => {
  const { engine, tenants, faulted, lane } = crowdWith([37]);
  await engine.settle();
  assert.deepEqual(faulted(), [37]);
  for (const [slot, { tokens }] of tenants.entries())
    assert.deepEqual(tokens, slot === 37 ? [] : heard(slot));
  assert.ok(lane.mostFailuresInARow <= MOST_RESTARTS, `${lane.mostFailuresInARow} failures in a row`);
  assert.deepEqual([engine.waiting, engine.batcher.busyLanes, engine.table.leased], [0, 0, 63]);
});

test('a lane that fails three times with a full batch condemns nobody: each stream is heard in the end', async () => {
  const { engine, tenants, faulted, lane } = crowdWith([]);
  for (let i = 0; i < 3; i++) {
    engine.pump();
    lane.fail();
    await microtasks();
  }
  await engine.settle();
  assert.deepEqual(faulted(), []);
  for (const { valid } of tenants) assert.equal(valid.length, CHUNKS);
});

test('while suspects are tried the others go on: every second batch is theirs', async () => {
  const { engine, tenants, lane } = crowdWith([0], { count: 9, maxBatch: 8 });
  engine.pump();
  lane.finish(); // 0 to 7 fail; 8 waits
  await microtasks();
  const batches = lane.batches.length;
  lane.finish();
  await microtasks();
  lane.finish();
  await microtasks();
  assert.ok(
    lane.batches.slice(batches - 1, batches + 1).some((batch) => batch.includes(8)),
    'one of the next two batches is not a trial',
  );
  await engine.settle();
  assert.equal(tenants[8]?.valid.length, CHUNKS);
});

test('a suspect that leaves is tried no more, and its slot is free', async () => {
  const { engine, lane, faulted } = crowdWith([1], { count: 4 });
  engine.pump();
  lane.finish();
  await microtasks();
  const [next] = lane.batches.slice(-1);
  for (const slot of engine.table.slots) if (!next?.includes(slot.index)) engine.release(slot);
  await engine.settle();
  assert.ok(faulted().every((slot) => slot === 1));
  assert.equal(engine.waiting, 0);
  assert.ok(lane.batches.slice(-3).every((batch) => batch.every((slot) => next?.includes(slot))));
});

test('when the last lane is lost in the search every suspect is told', async () => {
  const { engine, lane, faulted } = crowdWith([1], { count: 4 });
  engine.pump();
  lane.onRecover = () => Promise.reject(new Error('gone'));
  lane.finish();
  await microtasks();
  assert.deepEqual(faulted(), [0, 1, 2, 3]);
});

test('whoever the poisoned ones are, they alone are given up, on any lanes, in batches of any size', async () => {
  const situation = fc.record({
    count: fc.integer({ min: 1, max: 24 }),
    lanes: fc.integer({ min: 1, max: 3 }),
    maxBatch: fc.integer({ min: 1, max: 24 }),
    poison: fc.uniqueArray(fc.nat(23), { maxLength: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(situation, async ({ poison: wanted, ...rest }) => {
      const poison = wanted.filter((slot) => slot < rest.count).sort((a, b) => a - b);
      const { engine, tenants, faulted } = crowdWith(poison, rest);
      await engine.settle();
      assert.deepEqual(faulted(), poison);
      for (const [slot, { tokens }] of tenants.entries())
        assert.deepEqual(tokens, poison.includes(slot) ? [] : heard(slot));
      assert.deepEqual([engine.waiting, engine.batcher.busyLanes], [0, 0]);
    }),
    { seed: 16, numRuns: 300 },
  );
});
