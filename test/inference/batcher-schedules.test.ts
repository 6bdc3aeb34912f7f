/**
 * Random schedules of everything that can happen to the batcher. The lanes themselves check that no slot is twice
 * in flight; the fake model's tokens show that each stream's audio ran exactly once, in order, on its own state.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FaultCode, Slot } from '../../src/inference/stream-table.js';
import { NO_WAIT } from '../../src/inference/wait.js';
import { FakeEngine, microtasks } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

const SLOTS = 4;
/** For the streams of steps that hang. */
const SPARE = 12;
const HANG_MS = 1_000;
/** Between two markers, so that no frame ever holds more than the model has symbols for. */
const APART = 500;

class Stream extends Tenant {
  readonly slot: Slot;
  readonly sent: number[] = [];
  readonly engine: FakeEngine;
  samples = 0;
  gone = false;
  private sinceMarker = APART;

  constructor(engine: FakeEngine, bulk: boolean) {
    super();
    this.engine = engine;
    const slot = engine.lease(this, bulk);
    assert.ok(slot);
    this.slot = slot;
  }

  /** Audio of this length, or as much as there is room for, with a marker wherever one may be. */
  write(wanted: number): void {
    const samples = Math.min(wanted, this.slot.free());
    const markers: [number, number][] = [];
    for (let at = Math.max(0, APART - this.sinceMarker); at < samples; at += APART) {
      markers.push([at, this.sent.length]);
      this.sent.push(this.sent.length);
    }
    const last = markers.at(-1);
    this.sinceMarker = last === undefined ? this.sinceMarker + samples : samples - last[0];
    this.samples += samples;
    write(this.slot, marked(samples, markers));
  }

  release(): void {
    this.gone = true;
    this.engine.release(this.slot);
  }

  override onStep(slot: Slot, audioSamples: number): void {
    assert.ok(!this.gone, 'told of a step after it had left');
    assert.equal(slot, this.slot);
    super.onStep(slot, audioSamples);
  }

  override onFault(slot: Slot, code: FaultCode): void {
    super.onFault(slot, code);
    this.release();
  }

  get heard(): number {
    return this.valid.reduce((sum, samples) => sum + samples, 0);
  }
}

/** The steps under way hang, unless that is more than the engine can stand. */
function hang(engine: FakeEngine): void {
  const hung = engine.lanes.reduce((sum, it) => sum + it.hungThreads, 0);
  const running = engine.lanes.map((lane) => lane.slots.length).filter((count) => count > 0);
  const streams = running.reduce((sum, count) => sum + count, 0);
  if (hung + running.length > engine.lanes.length + 2 || streams > engine.table.vacancies) return;
  engine.pass(HANG_MS);
  for (let look = 0; look < 5; look++) engine.batcher.lookForHung();
}

const pick = fc.nat(SLOTS - 1);
const operation = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constant('lease' as const), bulk: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('write' as const), pick, n: fc.integer({ min: 1, max: 5_000 }) }) }, // biome-ignore format: a table
  { weight: 2, arbitrary: fc.record({ op: fc.constant('flush' as const), pick, n: fc.nat(2 * CHUNK) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('release' as const), pick }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('pump' as const) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.nat(25) }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('finish' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('fail' as const), pick, half: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('hang' as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('wake' as const), pick, half: fc.boolean() }) },
);
const schedule = fc.record({
  lanes: fc.integer({ min: 1, max: 3 }),
  maxBatch: fc.integer({ min: 1, max: SLOTS }),
  splitFrom: fc.integer({ min: 1, max: 4 }),
  /** Samples that a step sees beyond its chunk. */
  ahead: fc.constantFrom(0, 0, 300, 2_500),
  wait: fc.constantFrom(NO_WAIT, { maxMs: 20, enough: 3, fromStreams: 2 }),
  operations: fc.array(operation, { maxLength: 150, size: 'max' }),
});

test('under any schedule each stream hears all of its own audio, once, in order, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async ({ lanes, maxBatch, splitFrom, ahead, wait, operations }) => {
      const manifest = { windowSamples: CHUNK + ahead };
      const hanging = { slots: SLOTS + SPARE, hangLimitMs: HANG_MS };
      const options = { ...hanging, lanes, maxBatch, splitFrom, wait, ringSeconds: 1, manifest };
      const engine = new FakeEngine(options);
      const all: Stream[] = [];
      const alive = () => all.filter((stream) => !stream.gone);
      for (const it of operations) {
        const living = alive();
        const stream = 'pick' in it ? living[it.pick % Math.max(1, living.length)] : undefined;
        const lane = engine.lanes['pick' in it ? it.pick % lanes : 0];
        if (it.op === 'lease' && living.length < SLOTS && engine.table.vacancies > 0)
          all.push(new Stream(engine, it.bulk));
        if (it.op === 'write') stream?.write(it.n);
        if (it.op === 'flush') stream?.slot.flush(it.n);
        if (it.op === 'release') stream?.release();
        if (it.op === 'pump') engine.pump();
        if (it.op === 'pass') engine.pass(it.ms);
        if (it.op === 'finish') lane?.finish();
        if (it.op === 'fail') lane?.fail(new Error('injected'), it.half);
        if (it.op === 'hang') hang(engine);
        if (it.op === 'wake') lane?.wake(it.half);
        await microtasks();
        for (const each of all) assert.deepEqual(each.tokens, each.sent.slice(0, each.tokens.length));
      }
      await engine.settle();
      for (const stream of alive()) stream.slot.flush(CHUNK);
      await engine.settle();
      for (const lane of engine.lanes) while (lane.wake());
      await engine.settle();
      for (const stream of alive()) {
        assert.deepEqual(stream.tokens, stream.sent, 'all of it was heard');
        assert.equal(stream.heard, stream.samples);
      }
      assert.ok(!engine.events.includes('stuck'));
      assert.deepEqual([engine.table.leased, engine.quarantined], [alive().length, 0]);
      assert.equal(engine.waiting, 0);
      assert.equal(engine.batcher.busyLanes, 0);
    }),
    { seed: 4, numRuns: 200 },
  );
});
