/**
 * A lane's thread that throws, hangs, dies or has no memory in the middle of a step: real threads, the real model. Whatever
 * happens to it, recordings tell what they tell undisturbed: the same partials, finals, word times and confidences.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { CodecPool } from '../../src/codec/pool.js';
import { loadConfig } from '../../src/config.js';
import { type Engine, startEngine } from '../../src/inference/engine.js';
import { loadModel } from '../../src/models/store.js';
import { BareRecording } from '../helpers/bare-recording.js';
import { FORMATS, formatted } from '../helpers/cut-runs.js';
import { FAULTY_WORKER, type Fault, FaultPlan } from '../helpers/faults.js';
import { clips, loadClip } from '../helpers/fixtures.js';
import { recordingConfig } from '../helpers/recording-config.js';
import { writtenLog } from '../helpers/written-log.js';

const config = loadConfig({ provider: 'cpu', lanes: 2, maxBatch: 4, maxStreams: 6, admission: 'slots' }, {});
const { log, lines } = writtenLog();
/** Far above a step of this test, however busy the machine. */
const HANG_MS = 4_000;

const plan = new FaultPlan();
let engine: Engine;
let codecPool: CodecPool;
let undisturbed: string[][];

/** Recordings of the same speech at 16, 44.1 and 48 kHz, all at once; what each of them told. */
async function recordAll(): Promise<string[][]> {
  const recordings = await Promise.all(
    FORMATS.map(async (format, i) => {
      const audio = formatted(await loadClip(clips[i]!.file), format); // as many as there are formats
      const finalizeAt = format.frameBytes * Math.floor(audio.length / format.frameBytes / 2);
      const settings = { ...recordingConfig(), sample_rate: format.sampleRate, ...format.config };
      return new BareRecording(engine, codecPool, { ...settings, silence_duration: 0.3 }, audio, finalizeAt);
    }),
  );
  await Promise.all(recordings.map((recording) => recording.run()));
  return recordings.map(({ told }) => told);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

before(async () => {
  const model = await loadModel('default');
  engine = await startEngine(model, config, log, { worker: FAULTY_WORKER, hangLimitMs: HANG_MS });
  const { slab, slots } = engine.table;
  codecPool = new CodecPool({ streamSlab: slab, slots: slots.length });
  undisturbed = await recordAll();
  assert.ok(undisturbed.every((told) => told.length > 10));
});
after(async () => {
  plan.open();
  await codecPool.close();
  await engine.close();
});

for (const fault of ['throw', 'die', 'out of memory'] satisfies Fault[]) {
  test(`a lane that suffers "${fault}" in a step costs nobody a word`, async () => {
    const failures = engine.stats.laneFailures;
    plan.arm(fault, 9);
    assert.deepEqual(await recordAll(), undisturbed);
    assert.equal(plan.isArmed, false, 'it happened');
    assert.equal(engine.stats.laneFailures, failures + 1);
    await until(() => engine.lanes.every(({ state }) => state === 'ready'));
    assert.equal(engine.quarantined, 0);
  });
}

test('a main thread that stands still for longer than a step may take costs nobody a word, and no step counts as hung', async () => {
  const { hungSteps } = engine.stats;
  const recordings = recordAll();
  await until(
    () => engine.lanes.some(({ state }) => state === 'ready') && engine.table.leased === FORMATS.length,
  );
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(nobody, 0, 0, HANG_MS + 500);
  assert.deepEqual(await recordings, undisturbed);
  assert.equal(engine.stats.hungSteps, hungSteps);
});

for (const fault of ['hang before', 'hang after'] satisfies Fault[]) {
  test(`a lane that suffers "${fault}" is gone on without, and what it writes later changes nothing`, async () => {
    const { hungSteps } = engine.stats;
    plan.arm(fault, 9);
    const recordings = recordAll();
    await until(() => engine.stats.hungSteps > hungSteps);
    assert.deepEqual([plan.standing, engine.quarantined > 0], [1, true]);
    assert.equal(engine.lanes.reduce((sum, lane) => sum + lane.hungThreads, 0), 1); // biome-ignore format: short
    const { steps } = engine.stats;
    await until(() => engine.stats.steps > steps); // its chunks ran again: now it wakes, while the recordings go on
    const busy = engine.table.leased;
    plan.open();
    await until(() => engine.quarantined === 0);
    assert.ok(busy > engine.table.leased, 'its places came back');
    assert.deepEqual(await recordings, undisturbed);
    await until(() => engine.lanes.every((lane) => lane.state === 'ready' && lane.hungThreads === 0));
    assert.deepEqual(await recordAll(), undisturbed, 'on the places that came back');
    assert.ok(lines.some((line) => line.startsWith('a step hangs')));
    assert.equal(engine.table.leased, 0);
  });
}
