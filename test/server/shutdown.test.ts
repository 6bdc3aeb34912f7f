import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { startServer } from '../../src/server/server.js';
import { FakeEngine } from '../helpers/fake-engine.js';
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
