import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import { startScriptedServer } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

const start = (sample_rate: number): string =>
  JSON.stringify({ type: 'start_recording', config: { sample_rate } });

test('the client of one odd rate too many is told so at its start, and may record at a common one', async () => {
  const { ws, engine, stop } = await startScriptedServer({}, { slots: LIMITS.oddRates + 4 });
  const clients: TestClient[] = [];
  for (let i = 0; i < LIMITS.oddRates; i++) {
    const client = await TestClient.open(ws);
    clients.push(client);
    client.socket.send(start(47_901 + i));
    assert.equal((await client.until('recording_started')).config.sample_rate, 47_901 + i);
  }
  const late = await TestClient.open(ws);
  clients.push(late);
  late.socket.send(start(47_900));
  const { code, retryable } = await late.until('error');
  assert.deepEqual([code, retryable], ['TOO_MANY_RATES', true]);
  assert.equal(engine.table.leased, LIMITS.oddRates, 'it holds no slot');
  for (const rateHz of [48_000, 47_901]) {
    late.socket.send(start(rateHz));
    await late.until('recording_started');
    late.socket.send('{"type":"stop_recording"}');
    await late.until('recording_stopped');
  }
  for (const { socket } of clients) socket.close();
  await stop();
});
