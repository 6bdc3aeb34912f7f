import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mock, test } from 'node:test';
import { Piscina } from 'piscina';
import { CodecPool } from '../../src/codec/pool.js';
import { loadConfig } from '../../src/config.js';
import { startEngine } from '../../src/inference/engine.js';
import { Lane, type LaneOptions } from '../../src/inference/lane.js';
import { slabLayout } from '../../src/inference/layout.js';
import { StreamTable } from '../../src/inference/stream-table.js';
import type { Manifest } from '../../src/models/manifest.js';
import { Recording } from '../../src/session/recording.js';
import { joinWords } from '../../src/transcript/words.js';
import { fakeGraph } from '../helpers/fake-graph.js';
import { bytesOf, CHUNK, FRAME, marked, pieces, spoken, tokenOf } from '../helpers/fake-model.js';
import { DEFAULTS, silentLog } from '../helpers/fake-session.js';
import { FAULTY_WORKER, FaultPlan } from '../helpers/faults.js';
import { graphModel } from '../helpers/graph-model.js';
import { Tenant, write } from '../helpers/tenant.js';
import { writtenLog } from '../helpers/written-log.js';

const OPTIONS: LaneOptions = { provider: 'cpu', maxBatch: 2, threads: 1, longestStepMs: 100 };

function laneOf(changes: Partial<Manifest> = {}, graph?: Buffer) {
  const model = graphModel(changes, graph);
  const table = new StreamTable(slabLayout(model.manifest, 3, 1), () => {});
  return { lane: new Lane(0, model, table, OPTIONS, silentLog), table };
}

test('a lane brings times and previews into the slots of its batch', async () => {
  const { lane, table } = laneOf();
  await lane.init();
  const [a, , b] = [0, 1, 2].map(() => table.lease(new Tenant())!);
  write(a!, marked(2 * CHUNK, [[FRAME, 'one'], [CHUNK, 'two']])); // biome-ignore format: short
  write(b!, marked(2 * CHUNK, [[0, 'three']]));
  const step = async () => {
    [b!, a!].forEach((slot, i) => {
      slot.prepare();
      lane.batch[i] = slot.place;
    });
    await lane.step(2);
    for (const slot of [a!, b!]) slot.commitStep();
  };
  const [one, two, three] = ['one', 'two', 'three'].map(tokenOf);
  await step();
  assert.deepEqual([...a!.result.tokens], [-1, -1]);
  assert.deepEqual([...a!.result.preview], [-1, 1, 0, one, 0, 0]);
  assert.deepEqual([...b!.result.preview], [three, 1, 0, -1, 0, 0]);
  await step();
  assert.deepEqual([...a!.result.tokens], [-1, one]);
  assert.deepEqual([...a!.result.times], [2, 0, 2, 0]);
  assert.deepEqual([...a!.result.preview], [two, 1, 0, -1, 0, 0]);
  assert.deepEqual([...b!.result.tokens], [three, -1]);
  assert.deepEqual([...b!.result.preview], [-1, 1, 0, -1, 0, 0]);
  assert.deepEqual([...b!.result.previewLogp], [Math.fround(-0.1), Math.fround(-0.1)]);
  assert.deepEqual([a!.result.rms[0]! > 0, a!.result.rms[1]], [true, 0]);
  await lane.close();
});

test('a manifest that names neither has the rest as ever', async () => {
  const { lane, table } = laneOf({ outputs: { tokens: 'tokens', logp: 'logp' }, previewTokens: undefined });
  await lane.init();
  const slot = table.lease(new Tenant())!;
  write(slot, marked(2 * CHUNK, [[0, 'one']]));
  lane.batch[0] = slot.place;
  for (let i = 0; i < 2; i++) {
    slot.prepare();
    await lane.step(1);
    slot.commitStep();
  }
  const { tokens, vad, times, preview, previewLogp } = slot.result;
  assert.deepEqual([...tokens], [tokenOf('one'), -1]);
  assert.deepEqual([...vad], [-1, -1]);
  assert.deepEqual([times.length, preview.length, previewLogp.length], [0, 0, 0]);
  await lane.close();
});

test('a step sees a window, across the end of the ring too, with silence where a flush cuts it, and measures its chunk', async () => {
  const windowSamples = CHUNK + FRAME;
  const { lane, table } = laneOf({ windowSamples }, fakeGraph(windowSamples));
  await lane.init();
  const tenant = new Tenant();
  const slot = table.lease(tenant)!;
  const step = async () => {
    slot.prepare();
    lane.batch[0] = slot.place;
    await lane.step(1);
    slot.commitStep();
  };
  // 5 s through a ring of 1 s; a marker each 700 samples, first where the look-ahead begins.
  const sent: number[] = [];
  const total = 80_000;
  const all = new Int16Array(total);
  for (let at = FRAME; at < total; at += 900) {
    all[at] = 16_000 + (sent.length % 1_000);
    sent.push(sent.length % 1_000);
  }
  for (let at = 0; at < total; at += 4_000) {
    write(slot, all.subarray(at, at + 4_000));
    while (slot.ready()) await step();
  }
  assert.deepEqual([slot.read % CHUNK, slot.written - slot.read < windowSamples], [0, true]);
  slot.flush(CHUNK);
  while (slot.ready()) await step();
  assert.equal(tenant.valid.reduce((sum, samples) => sum + samples, 0), total); // biome-ignore format: short
  assert.deepEqual(tenant.tokens, sent);

  slot.restart();
  write(slot, marked(windowSamples, [[CHUNK, 'one']]));
  await step();
  assert.deepEqual([...slot.result.rms], [0, 0], 'the marker lies behind the chunk');
  slot.flush(0);
  await step();
  assert.ok(slot.result.rms[0]! > 0);
  await lane.close();
});

test('a graph of a window whose manifest does not say so is refused', async () => {
  const { lane } = laneOf({}, fakeGraph(CHUNK + FRAME));
  await assert.rejects(lane.init(), { code: 'MODEL_INVALID' });
  await lane.close();
});

test('a graph whose times or preview are not what the manifest says is refused, with both', async () => {
  const { outputs } = graphModel().manifest;
  const wrong: [Partial<Manifest>, RegExp][] = [
    [{ outputs: { ...outputs, times: 'when' } }, /missing output when/],
    [
      { outputs: { ...outputs, times: 'tokens' } },
      /output tokens is int32 × 2, but the manifest says int32 × 4/,
    ],
    [{ previewTokens: 3 }, /output preview is int32 × 6, but the manifest says int32 × 9/],
    [
      { outputs: { ...outputs, preview: 'flat_preview' } },
      /flat_preview is \(1, 6\), but the manifest says \(1, 2, 3\)/,
    ],
    [{ outputs: { ...outputs, previewLogp: 'tokens' } }, /output tokens is int32 × 2, .* float32 × 2/],
  ];
  for (const [changes, message] of wrong) {
    const { lane } = laneOf(changes);
    await assert.rejects(lane.init(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'MODEL_INVALID');
      assert.match(error.message, message);
      return true;
    });
    await lane.close();
  }
});

test('an engine recognises with such a graph: a preview first, the words with the times of their frames', async () => {
  const config = loadConfig(
    { provider: 'cpu', lanes: 1, maxBatch: 2, maxStreams: 2, admission: 'slots' },
    {},
  );
  const engine = await startEngine(graphModel(), config, silentLog);
  const told: string[] = [];
  let words: readonly { startSamples: number; endSamples: number }[] = [];
  await new Promise<void>((resolve, reject) => {
    let recording: Recording | null = null;
    const slot = engine.lease({
      onStep: (_slot, samples) => recording?.onStep(samples),
      onFlushed: () => recording?.onFlushed(),
      onFault: () => reject(new Error('the stream failed')),
    });
    assert.ok(slot);
    const parts = { slot, manifest: engine.model.manifest, pieces, codecPool: new CodecPool() };
    recording = new Recording(
      { ...parts, config: { ...DEFAULTS, partial_interval_ms: 0 } },
      {
        onPartial: (_id, shown, stable) => void told.push(`${joinWords(shown)} (${stable} stable)`),
        onSegment: (segment) => {
          words = segment.words;
          told.push(`${segment.reason} ${joinWords(segment.words)}`);
        },
        onSpeech() {},
        onRoom() {},
        onIntakeFailed: reject,
        onStopped: resolve,
      },
    );
    const audio = spoken(2 * CHUNK, [[FRAME, 'one'], [CHUNK, 'two']]); // biome-ignore format: short
    recording.push(bytesOf(audio));
    recording.end('stop');
  });
  await engine.close();
  assert.deepEqual(told, ['one (0 stable)', 'one two (1 stable)', 'one two (1 stable)', 'stop one two']);
  const times = words.map((word) => [word.startSamples, word.endSamples]);
  assert.deepEqual(times, [[FRAME, CHUNK], [CHUNK, CHUNK + FRAME]]); // biome-ignore format: short
});

test('a lane that dies between two steps is told in the log, and starts anew', async () => {
  const model = graphModel();
  const table = new StreamTable(slabLayout(model.manifest, 3, 1), () => {});
  const { log, lines } = writtenLog();
  const run = mock.method(Piscina.prototype, 'run');
  const lane = new Lane(0, model, table, OPTIONS, log);
  await lane.init();
  (run.mock.calls[0]?.this as Piscina).emit('error', new Error('left behind'));
  run.mock.restore();
  assert.deepEqual(lines, ['a lane died between two steps: left behind']);
  await lane.recover(new Error('its session is gone'));
  assert.equal(lane.state, 'ready');
  await lane.close();
});

test('a lane whose step is under way is waited for when it closes', async () => {
  const { lane } = laneOf();
  await lane.init();
  let finish: (answer: unknown) => void = () => {};
  const answer = new Promise((resolve) => {
    finish = resolve;
  });
  const run = mock.method(Piscina.prototype, 'run', () => answer);
  const destroy = mock.method(Piscina.prototype, 'destroy');
  const step = lane.step(1);
  const closing = lane.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(destroy.mock.callCount(), 0);
  finish({ runMs: 1, stepMs: 1 });
  await step;
  await closing;
  assert.equal(destroy.mock.callCount(), 1);
  for (const mocked of [run, destroy]) mocked.mock.restore();
});

test('streams that fail on their own, however many in a row, do not cost the lane', async () => {
  const { lane, table } = laneOf();
  await lane.init();
  const sound = table.lease(new Tenant());
  assert.ok(sound);
  for (let i = 0; i < 8; i++) {
    const failed = await lane.step(OPTIONS.maxBatch + 1).catch((error: unknown) => error);
    assert.ok(failed instanceof Error, 'a step that is larger than its memory cannot run');
    await lane.recover(failed);
    assert.equal(lane.state, 'ready');
  }
  assert.equal(lane.restarts, 8);
  write(sound, marked(CHUNK, [[0, 'one']]));
  sound.prepare();
  lane.batch[0] = sound.place;
  await lane.step(1);
  assert.equal(sound.result.preview[0], tokenOf('one'));
  await lane.close();
});

test('a lane whose session cannot be made again is lost', async () => {
  const model = graphModel();
  const table = new StreamTable(slabLayout(model.manifest, 3, 1), () => {});
  const lane = new Lane(0, model, table, OPTIONS, silentLog);
  await lane.init();
  rmSync(model.graphPath);
  await assert.rejects(lane.recover(new Error('a step failed')), { code: 'MODEL_INVALID' });
  assert.equal(lane.state, 'lost');
  await lane.close();
});

test('a lane whose thread hangs goes on with another one, and does not wait for the first when it closes', async () => {
  const plan = new FaultPlan();
  const model = graphModel();
  const table = new StreamTable(slabLayout(model.manifest, 3, 1), () => {});
  const lane = new Lane(0, model, table, { ...OPTIONS, worker: FAULTY_WORKER }, silentLog);
  await lane.init();
  const slot = table.lease(new Tenant());
  assert.ok(slot);
  write(slot, marked(CHUNK, [[0, 'one']]));
  const run = (): Promise<unknown> => {
    slot.prepare();
    lane.batch[0] = slot.place;
    return lane.step(1);
  };
  plan.arm('hang before');
  const late = run();
  while (plan.standing === 0) await new Promise((resolve) => setImmediate(resolve));
  const { batch } = lane;
  lane.abandon();
  assert.deepEqual([lane.state, lane.hungThreads], ['hung', 1]);
  assert.ok(table.evacuate(slot));
  await lane.replace();
  assert.notEqual(lane.batch, batch, 'the thread that hangs may still read its own');
  assert.equal(lane.state, 'ready');
  await run();
  assert.equal(slot.result.preview[0], tokenOf('one'));
  await lane.close();
  assert.deepEqual([lane.hungThreads, lane.steps], [1, 1]);
  plan.open();
  await late;
  assert.equal(lane.steps, 1, 'what it did is not counted');
  while (lane.hungThreads > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a lane that closes while its step turns out to hang does not keep the engine', async () => {
  const plan = new FaultPlan();
  const model = graphModel();
  const table = new StreamTable(slabLayout(model.manifest, 3, 1), () => {});
  const lane = new Lane(0, model, table, { ...OPTIONS, worker: FAULTY_WORKER }, silentLog);
  await lane.init();
  plan.arm('hang before');
  const late = lane.step(1);
  const closing = lane.close();
  lane.abandon();
  await closing;
  await assert.rejects(lane.replace(), /while the lane was closing/);
  plan.open();
  await late;
  while (lane.hungThreads > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a lane whose session does not come back in time is lost, and is not waited for', async (t) => {
  const { lane } = laneOf();
  const nowMs = performance.now();
  const clock = t.mock.method(performance, 'now', () => nowMs); // the limit follows the time that this session takes
  await lane.init();
  clock.mock.restore();
  let finish: (answer: unknown) => void = () => {};
  const run = mock.method(
    Piscina.prototype,
    'run',
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  );
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const recovery = assert.rejects(lane.recover(new Error('a step failed')), /no session within 60 s/);
  t.mock.timers.tick(60_000);
  await recovery;
  assert.deepEqual([lane.state, lane.hungThreads], ['lost', 1]);
  await lane.close();
  finish({ runMs: 1, stepMs: 1 });
  run.mock.restore();
  t.mock.timers.reset();
  while (lane.hungThreads > 0) await new Promise((resolve) => setImmediate(resolve));
});
