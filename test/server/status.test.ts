import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { batchSummary } from '../../src/server/status.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

test('no steps, no figures', () => {
  assert.deepEqual(batchSummary(new Uint32Array(0)), { mean: 0, p50: 0, p95: 0, max: 0, histogram: {} });
});

test('batch sizes are summed up over steps', () => {
  const sizes = new Uint32Array(9);
  sizes[1] = 90;
  sizes[4] = 9;
  sizes[8] = 1;
  assert.deepEqual(batchSummary(sizes), {
    mean: 1.34,
    p50: 1,
    p95: 4,
    max: 8,
    histogram: { 1: 90, 4: 9, 8: 1 },
  });
});

test('percentiles are those of the sorted list of all steps', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 200 }), (steps) => {
      const sizes = new Uint32Array(21);
      for (const size of steps) sizes[size]!++;
      const sorted = [...steps].sort((a, b) => a - b); // biome-ignore format: short
      const { p50, p95, max } = batchSummary(sizes);
      const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1];
      assert.deepEqual([p50, p95, max], [at(0.5), at(0.95), sorted.at(-1)]);
    }),
    { seed: 17 },
  );
});

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer({ authToken: 'hunter2' });
});
after(() => running.stop());

const get = async (path: string) => (await fetch(`${running.http}${path}`)).text();

test('the status counts a session in its state, its audio and its segments', async () => {
  const client = await TestClient.open(`${running.ws}?token=hunter2`);
  const status = async () => JSON.parse(await get('/ws/status'));
  assert.deepEqual((await status()).sessions, { idle: 1, recording: 0, flushing: 0, closed: 0, attached: 1, detached: 0 }); // biome-ignore format: short
  client.socket.send('{"type":"start_recording"}');
  await client.until('recording_started');
  assert.equal((await status()).sessions.recording, 1);
  client.socket.send(bytesOf(spoken(CHUNK * 10, [[0, 'one']])));
  client.socket.send('{"type":"stop_recording"}');
  await client.until('recording_stopped');
  const { audio_seconds_processed, totals, connections, capacity, latency_ms } = await status();
  assert.equal(audio_seconds_processed, 1);
  assert.deepEqual([totals.recordings, totals.segments, totals.connections], [1, 1, 1]);
  assert.deepEqual([connections, capacity], [1, 4]);
  assert.deepEqual(Object.keys(latency_ms), ['chunk', 'step', 'run', 'final']);
  client.socket.close();
});

test('the card names the dialects that are spoken, and no others', async () => {
  const other = await startScriptedServer({ dialects: 'vosk' });
  const { endpoints } = (await (await fetch(other.http)).json()) as { endpoints: Record<string, string> };
  await other.stop();
  assert.equal(endpoints.vosk, '/vosk');
  for (const name of ['native', 'deepgram', 'openai', 'assemblyai']) assert.ok(!(name in endpoints), name);
});

test('extended health shows the configuration without its secrets', async () => {
  const text = await get('/health/extended');
  assert.ok(!text.includes('hunter2'));
  const { config, model, capacity, lanes } = JSON.parse(text);
  assert.equal(config.authToken, '(set)');
  assert.deepEqual([model.name, model.chunk_ms, capacity.slots, lanes.length], ['fake', 100, 4, 1]);
});

test('status, health and metrics tell what a lane takes of memory', async () => {
  for (const path of ['/ws/status', '/health/extended']) {
    assert.equal(JSON.parse(await get(path)).memory.lane_mb, 5, path);
  }
  assert.match(await get('/metrics'), /^rnnt_lane_memory_bytes 5242880$/m);
});

test('the exposition has a help line for each figure, and counters end in _total', async () => {
  const text = await get('/metrics');
  const named = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  assert.ok(named.length > 15);
  for (const [, name, type] of named) {
    assert.match(text, new RegExp(`^# HELP ${name} \\S`, 'm'));
    if (type === 'counter') assert.match(name ?? '', /_total$/);
  }
});

test('/metrics tells what /ws/status tells, of open sessions too, and no counter falls when one closes', async () => {
  const client = await TestClient.open(`${running.ws}?token=hunter2`);
  const session = [...running.server.context.registry.list()].at(-1);
  assert.ok(session);
  Object.defineProperty(session, 'droppedPartials', { value: 3 });
  const figures = async () => {
    const [status, text] = [JSON.parse(await get('/ws/status')), await get('/metrics')];
    const metric = (name: string) => Number(new RegExp(`^rnnt_${name} (\\S+)$`, 'm').exec(text)?.[1]);
    const { totals } = status;
    const both = {
      dropped_partials_total: status.dropped_partials,
      audio_seconds_total: status.audio_seconds_processed,
      connections_total: totals.connections,
      connections_refused_total: totals.refused,
      recordings_total: totals.recordings,
      segments_total: totals.segments,
      sessions: status.connections,
      capacity_streams: status.capacity,
      streams_waiting: status.waiting,
      uploads_active: status.uploads.active,
    };
    for (const [name, value] of Object.entries(both)) assert.equal(metric(name), value, name);
    return both;
  };
  assert.equal((await figures()).dropped_partials_total, 3);
  client.socket.close();
  while (running.server.context.registry.size > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await figures()).dropped_partials_total, 3);
});
