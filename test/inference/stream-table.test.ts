import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batcher } from '../../src/inference/batcher.js';
import type { Slot, SlotOwner } from '../../src/inference/stream-table.js';
import { FakeEngine } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

function leased(engine: FakeEngine, tenant: SlotOwner = new Tenant()): Slot {
  const slot = engine.lease(tenant);
  assert.ok(slot);
  return slot;
}

test('a full table leases nothing', () => {
  const engine = new FakeEngine({ slots: 2 });
  leased(engine);
  leased(engine);
  assert.equal(engine.lease(new Tenant()), null);
  assert.deepEqual([engine.table.vacancies, engine.table.leased], [0, 2]);
});

test('each lease has a generation of its own', () => {
  const engine = new FakeEngine({ slots: 1 });
  const slot = leased(engine);
  const first = slot.generation;
  engine.release(slot);
  assert.notEqual(leased(engine).generation, first);
});

test('giving a slot back twice frees it once', () => {
  const engine = new FakeEngine({ slots: 2 });
  const slot = leased(engine);
  engine.release(slot);
  engine.release(slot);
  assert.equal(engine.table.vacancies, 2);
});

test('a slot given back while its step is in a lane is leased again only when the step has returned', async () => {
  const engine = new FakeEngine({ slots: 1 });
  const late = new Tenant();
  const slot = leased(engine, late);
  write(slot, marked(CHUNK, [[0, 7]]));
  engine.pump();
  engine.release(slot);
  assert.equal(engine.lease(new Tenant()), null);
  await engine.settle();
  assert.equal(engine.table.vacancies, 1);
  assert.deepEqual(late.valid, [], 'the tenant that left is told nothing');
});

test('the next tenant of a slot hears nothing of the one before', async () => {
  const engine = new FakeEngine({ slots: 1 });
  const slot = leased(engine);
  write(slot, marked(CHUNK, [[0, 7]]));
  await engine.settle(); // token 7 is in the state now
  write(slot, marked(CHUNK - 1, [[0, 8]]));
  engine.release(slot);
  const next = new Tenant();
  const again = leased(engine, next);
  assert.equal(again, slot);
  write(again, marked(CHUNK, [[0, 9]]));
  again.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(next.tokens, [9]);
});

test('a chunk runs only when it is complete', async () => {
  const engine = new FakeEngine();
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  write(slot, marked(CHUNK - 1, []));
  await engine.settle();
  assert.deepEqual(tenant.valid, []);
  write(slot, marked(1, []));
  await engine.settle();
  assert.deepEqual(tenant.valid, [CHUNK]);
});

const AHEAD = 700;
/** A model that sees 700 samples further than it advances. */
const seeing = { manifest: { windowSamples: CHUNK + AHEAD } };

test('a step that sees further runs when its whole window is there, and takes a chunk of it', async () => {
  const engine = new FakeEngine(seeing);
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  write(slot, marked(CHUNK + AHEAD - 1, []));
  await engine.settle();
  assert.deepEqual(tenant.valid, []);
  write(slot, marked(1, []));
  await engine.settle();
  assert.deepEqual([tenant.valid, slot.free()], [[CHUNK], slot.ring.length - AHEAD]);
  write(slot, marked(CHUNK, []));
  await engine.settle();
  assert.deepEqual(tenant.valid, [CHUNK, CHUNK]);
});

test('a flush runs what a window looked ahead to, and all of it counts once', async () => {
  const engine = new FakeEngine(seeing);
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  write(slot, marked(2 * CHUNK, [[AHEAD, 4], [2 * CHUNK - 1, 5]])); // biome-ignore format: pairs
  await engine.settle();
  assert.deepEqual(tenant.valid, [CHUNK]);
  slot.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(tenant.valid, [CHUNK, CHUNK, 0]);
  assert.deepEqual([tenant.tokens, tenant.flushes], [[4, 5], 1]);
});

test("audio behind a flush is seen from the flush's place on, as if no silence had been", async () => {
  const engine = new FakeEngine(seeing);
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  write(slot, marked(2_000, [[1_000, 1]]));
  slot.flush(CHUNK);
  write(slot, marked(CHUNK + AHEAD, [[AHEAD, 2]]));
  await engine.settle();
  assert.deepEqual(tenant.valid, [CHUNK, 400, 0, CHUNK]);
  slot.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(tenant.tokens, [1, 2]);
});

test("a step's latency counts from the last sample that it sees, or from the flush that made it run", async () => {
  const engine = new FakeEngine(seeing);
  const slot = leased(engine);
  engine.nowMs = 10;
  write(slot, marked(CHUNK, []));
  engine.nowMs = 50;
  write(slot, marked(AHEAD, []));
  await engine.settle();
  assert.equal(slot.arrivedMs, 50);
  engine.nowMs = 90;
  slot.flush(0);
  await engine.settle();
  assert.equal(slot.arrivedMs, 90);
});

test('a flush runs what is there, padded with silence, and says when it is done', async () => {
  const engine = new FakeEngine();
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  write(slot, marked(CHUNK + 400, [[CHUNK + 399, 5]]));
  slot.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(tenant.valid, [CHUNK, 400, 0]);
  assert.deepEqual(tenant.tokens, [5]);
  assert.equal(tenant.flushes, 1);
});

test('a flush of nothing without silence is done at once', () => {
  const tenant = new Tenant();
  leased(new FakeEngine(), tenant).flush(0);
  assert.equal(tenant.flushes, 1);
});

test('audio that arrives during a flush comes after it', async () => {
  const engine = new FakeEngine();
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  write(slot, marked(100, [[0, 1]]));
  slot.flush(CHUNK);
  write(slot, marked(CHUNK, [[0, 2]]));
  await engine.settle();
  assert.deepEqual(tenant.valid, [100, 0, CHUNK]);
  slot.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(tenant.tokens, [1, 2]);
});

test('a flush asked for when a step is told counts its own steps only', async () => {
  const engine = new FakeEngine();
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  tenant.onStep = function (this: Tenant, it: Slot, samples: number) {
    Tenant.prototype.onStep.call(this, it, samples);
    if (this.valid.length === 1) it.flush(CHUNK);
  };
  write(slot, marked(CHUNK, [[1_599, 3]]));
  await engine.settle();
  assert.deepEqual(tenant.valid, [CHUNK, 0], 'one step of silence');
  assert.deepEqual(tenant.tokens, [3]);
});

test('a flush of a stream that is behind what it was restored with runs silence only', async () => {
  const engine = new FakeEngine();
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  slot.restore({ read: 5 * CHUNK, state: new Uint8Array(0), hotwords: new Int32Array(0) }, 3 * CHUNK);
  slot.flush(2 * CHUNK);
  await engine.settle();
  // Fewer than none would reach into the row of another stream.
  assert.deepEqual(tenant.valid, [0, 0]);
  assert.deepEqual([tenant.flushes, slot.read], [1, 5 * CHUNK]);
});

test('the ring wraps around without a seam', async () => {
  const engine = new FakeEngine({ ringSeconds: 1 });
  const tenant = new Tenant();
  const slot = leased(engine, tenant);
  const pieces = [7_001, 8_999, 13_000, 5_000];
  let token = 0;
  for (const samples of pieces) {
    write(slot, marked(samples, [[0, token++], [samples - 1, token++]])); // biome-ignore format: pairs
    await engine.settle();
  }
  slot.flush(CHUNK);
  await engine.settle();
  assert.deepEqual(tenant.tokens, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(slot.free(), slot.ring.length);
});

test('free room is what the ring holds less what waits', async () => {
  const engine = new FakeEngine({ ringSeconds: 1 });
  const slot = leased(engine);
  write(slot, marked(2_000, []));
  assert.equal(slot.free(), 16_000 - 2_000);
  await engine.settle();
  assert.equal(slot.free(), 16_000 - 400);
});

test('flushes come before live audio, and live audio before uploads', () => {
  const engine = new FakeEngine();
  const live = leased(engine);
  const upload = engine.lease(new Tenant(), true);
  assert.deepEqual([live.priority, upload?.priority], ['live', 'bulk']);
  live.flush(CHUNK);
  upload?.flush(CHUNK);
  assert.deepEqual([live.priority, upload?.priority], ['flush', 'bulk']);
  assert.ok(engine.batcher instanceof Batcher);
});

test('hotwords reach the lane with the next step, never in the middle of one, and leave with their recording', async () => {
  const engine = new FakeEngine({
    slots: 1,
    manifest: { inputs: { audio: 'pcm', hotwords: 'hotwords' }, hotwordEdges: 2 },
  });
  const { layout, slab } = engine.table;
  const inSlab = () => [...new Int32Array(slab, layout.hotwordsAt, layout.hotwordInts)];
  const none = new Array(10).fill(0);
  const phrase = Int32Array.of(0, 7, 0, 2000, 0, 0, 0, 0, 0, 0);
  const slot = leased(engine);
  write(slot, new Int16Array(CHUNK));
  engine.pump();
  slot.setHotwords(phrase);
  assert.deepEqual(inSlab(), none, 'a step is under way');
  await engine.settle();
  write(slot, new Int16Array(CHUNK));
  await engine.settle();
  assert.deepEqual(inSlab(), [...phrase]);
  slot.restart();
  write(slot, new Int16Array(CHUNK));
  await engine.settle();
  assert.deepEqual(inSlab(), none);
});
