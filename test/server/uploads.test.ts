import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';

let running: ScriptedServer;
let wav: Buffer;
before(async () => {
  running = await startScriptedServer({ maxUploads: 1 }, { auto: false });
  wav = await readFile(sampleWavPath);
});
after(() => running.stop());

const counts = () => running.server.context.recogniser?.uploads.counts().active;

/** Lets the event loop turn until something holds; the test's own limit is the bound. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

test('a client that goes away after its last byte leaves its place and its slot free', async () => {
  const socket = connect(running.server.port, '127.0.0.1');
  socket.write(
    `POST /transcribe/file HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nContent-Length: ${wav.length}\r\n\r\n`,
  );
  socket.write(wav);
  await until(() => running.engine.table.leased === 1);
  assert.equal(counts(), 1);
  socket.destroy();
  await until(() => running.engine.table.leased === 0 && counts() === 0);
  assert.deepEqual(
    [...running.server.context.metrics.errors.keys()],
    ['BAD_REQUEST'],
    'nothing went wrong inside',
  );
});

test('a client that goes away while it sends leaves its place free', async () => {
  const socket = connect(running.server.port, '127.0.0.1');
  socket.write(
    `POST /transcribe/file HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nContent-Length: ${wav.length}\r\n\r\n`,
  );
  socket.write(wav.subarray(0, 1_000));
  await until(() => counts() === 1);
  socket.destroy();
  await until(() => counts() === 0);
  assert.equal(running.engine.table.leased, 0);
});

test('a place is taken before the body is read, and free after the answer', async () => {
  const first = fetch(`${running.http}/transcribe/file`, { method: 'POST', body: wav });
  await until(() => running.engine.table.leased === 1);
  const second = await fetch(`${running.http}/transcribe/file`, { method: 'POST', body: wav });
  assert.equal(second.status, 503);
  assert.equal(((await second.json()) as { code: string }).code, 'TOO_MANY_UPLOADS');
  // Pieces come from the decoder's thread, so the engine comes to rest more than once.
  let status = 0;
  void first.then((response) => {
    status = response.status;
  });
  while (status === 0) {
    await running.engine.settle();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(status, 200);
  await until(() => counts() === 0);
});

test('a client that asks for progress and reads none is given up, and its place and slot are free', async (context) => {
  const { uploadStallMs } = LIMITS;
  Object.assign(LIMITS, { uploadStallMs: 1 });
  // What a response says whose client has read nothing for a while; inherited, so that `delete` brings it back.
  Object.defineProperty(ServerResponse.prototype, 'writableNeedDrain', { value: true, configurable: true });
  context.after(() => {
    Object.assign(LIMITS, { uploadStallMs });
    Reflect.deleteProperty(ServerResponse.prototype, 'writableNeedDrain');
  });
  const { errors } = running.server.context.metrics;
  const answer = fetch(`${running.http}/transcribe/file`, {
    method: 'POST',
    headers: { accept: 'application/x-ndjson' },
    body: wav,
  }).then((response) => response.text());
  await assert.rejects(answer, 'its connection is cut off');
  assert.equal(errors.get('SLOW_READER'), 1);
  await until(() => running.engine.table.leased === 0 && counts() === 0);
});
