import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import { liveStatusAnswer } from '../../src/server/answers.js';
import { isReady } from '../../src/server/context.js';
import { startServer } from '../../src/server/server.js';
import { FakeEngine } from '../helpers/fake-engine.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { silentLog } from '../helpers/fake-session.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { startScriptedServer, testConfig } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

/** Lets the event loop turn until something holds; the test's own limit is the bound. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

test('an open inspector page does not keep a server that was told to stop', { timeout: 10_000 }, async () => {
  const { server } = await startScriptedServer();
  const page = new TestClient(`ws://127.0.0.1:${server.port}/ws/inspect`);
  await page.until('machines');
  server.drain();
  assert.equal((await server.stopped).outcome, 'drained');
  assert.equal(await page.closed(), 1001);
});

test('a server told to stop while its model loads ends the engine when it comes', async () => {
  let load: (engine: FakeEngine) => void = () => {};
  const loading = new Promise<FakeEngine>((resolve) => {
    load = resolve;
  });
  const server = await startServer(testConfig(), silentLog, () => loading);
  server.drain();
  const engine = new FakeEngine({ auto: true });
  let closed = false;
  engine.close = async () => {
    closed = true;
  };
  load(engine);
  await assert.rejects(server.ready, { code: 'DRAINING' });
  assert.ok(closed);
  assert.equal(server.context.recogniser, null);
  assert.equal((await server.stopped).outcome, 'drained');
});

test('a server whose parts cannot be closed stops all the same', { timeout: 10_000 }, async () => {
  const { server, engine } = await startScriptedServer();
  engine.close = () => Promise.reject(new Error('a lane hangs'));
  server.drain();
  assert.equal((await server.stopped).outcome, 'drained');
});

test('an upload under way is answered before the server stops', { timeout: 20_000 }, async () => {
  const { server, engine, http } = await startScriptedServer({ drainTimeout: 20 }, { auto: false });
  const answer = fetch(`${http}/transcribe/file`, { method: 'POST', body: await readFile(sampleWavPath) });
  await until(() => engine.table.leased === 1);
  server.drain();
  assert.equal(server.context.lifecycle.getSnapshot().value, 'draining');
  // The file is recognised as it is decoded, in a thread of its own: there is more to do whenever a piece comes.
  let status = 0;
  void answer.then((response) => {
    status = response.status;
  });
  while (status === 0) {
    await engine.settle();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(status, 200);
  assert.equal((await server.stopped).outcome, 'drained');
});

/** A server whose only stream is in a step that hangs, with no place to go on in. */
async function stuckServer(rescue?: () => Promise<void>) {
  const running = await startScriptedServer({}, { slots: 1, hangLimitMs: 1_000 });
  const { server, engine } = running;
  if (rescue !== undefined) server.context.rescue = rescue;
  for (const lane of engine.lanes) lane.auto = false;
  const client = await TestClient.recording(running.ws);
  await client.audio(bytesOf(spoken(CHUNK)));
  await until(() => engine.lanes[0]?.slots.length === 1);
  engine.pass(1_000);
  const look = () => {
    for (let i = 0; i < 5; i++) engine.batcher.lookForHung();
  };
  return { server, client, look, http: running.http };
}

test('a server that cannot go on brings its sessions to safety, tells them to come back, and has failed', async () => {
  let rescued: string[] = [];
  let ready = true;
  const { server, client, look, http } = await stuckServer(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    rescued = [...server.context.registry.list()].map(({ activity }) => activity);
    ready = isReady(server.context);
  });
  assert.equal((await fetch(`${http}/health/ready`)).status, 200);
  look();
  assert.deepEqual(await server.stopped, { outcome: 'failed', code: 'ENGINE_FAILED' });
  assert.deepEqual([rescued, ready], [['recording'], false], 'it was open still');
  assert.equal(await client.closed(), 1001);
});

test('a rescue that fails, or does not come to an end, does not keep the server', async (t) => {
  const broken = await stuckServer(() => Promise.reject(new Error('the store is away')));
  broken.look();
  assert.equal((await broken.server.stopped).outcome, 'failed');
  const endless = await stuckServer(() => new Promise(() => {}));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  endless.look();
  await until(() => endless.server.context.lifecycle.getSnapshot().value === 'stopped');
  t.mock.timers.tick(LIMITS.rescueMs);
  assert.equal((await endless.server.stopped).outcome, 'failed');
});

test('nothing counts as healthy that is not: a server whose lanes all hang is not ready, and says what hangs', async () => {
  const { server, engine, http, stop } = await startScriptedServer({}, { slots: 4, hangLimitMs: 1_000 });
  const lane = engine.lanes[0]!;
  lane.auto = false;
  const client = await TestClient.recording(`ws://127.0.0.1:${server.port}/ws/transcribe`);
  await client.audio(bytesOf(spoken(CHUNK)));
  await until(() => lane.slots.length === 1);
  let started: () => void = () => {};
  lane.onRecover = () =>
    new Promise((resolve) => {
      started = resolve;
    });
  lane.state = 'hung'; // as a lane is until its new thread is up
  engine.pass(1_000);
  for (let i = 0; i < 5; i++) engine.batcher.lookForHung();
  const get = async (path: string) =>
    (await fetch(`${http}${path}`)).json() as Promise<Record<string, unknown>>;
  assert.equal((await fetch(`${http}/health/ready`)).status, 503);
  assert.equal((await get('/health')).ready, false);
  const { quarantined, totals, lanes } = liveStatusAnswer.parse(await get('/ws/status'));
  assert.deepEqual([quarantined, totals.hung_steps, lanes[0]?.hung_threads], [1, 1, 1]);
  const metrics = await (await fetch(`${http}/metrics`)).text();
  for (const line of ['rnnt_ready 0', 'rnnt_slots_quarantined 1', 'rnnt_hung_steps_total 1'])
    assert.ok(metrics.split('\n').includes(line), line);
  lane.auto = true;
  lane.state = 'ready';
  started();
  lane.wake();
  await until(() => engine.quarantined === 0);
  assert.equal((await fetch(`${http}/health/ready`)).status, 200);
  client.say({ type: 'stop_recording' });
  await client.until('recording_stopped');
  await client.close();
  await stop();
});
