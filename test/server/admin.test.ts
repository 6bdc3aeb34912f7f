/** Routes for those who run the server: behind a token of their own, or on a port of their own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { startScriptedServer } from '../helpers/scripted-server.js';
import { refusedUpgrade } from '../helpers/ws-client.js';

const HTTP_ROUTES = ['/metrics', '/health/extended'];

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function opens(url: string): Promise<void> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  socket.close();
  await once(socket, 'close');
}

test('with a token of their own, admin routes take neither nothing nor a client’s key', async () => {
  const running = await startScriptedServer({ authToken: 'client', adminToken: 'admin' });
  for (const path of HTTP_ROUTES) {
    for (const query of ['', '?token=client', '?token=wrong']) {
      assert.equal((await fetch(running.http + path + query)).status, 401, path + query);
    }
    assert.equal((await fetch(`${running.http}${path}?token=admin`)).status, 200, path);
    const headers = { authorization: 'Bearer admin' };
    assert.equal((await fetch(running.http + path, { headers })).status, 200, path);
  }
  const inspect = running.ws.replace('/ws/transcribe', '/ws/inspect');
  assert.equal((await refusedUpgrade(`${inspect}?token=client`)).status, 401);
  await opens(`${inspect}?token=admin`);
  assert.equal((await refusedUpgrade(`${running.ws}?token=admin`)).status, 401, 'it is no key of a client');
  for (const path of ['/health', '/ws/status']) assert.equal((await fetch(running.http + path)).status, 200);
  await running.stop();
});

test('with a port of their own, they are nowhere else, and end with the server', async () => {
  const adminPort = await freePort();
  const running = await startScriptedServer({ adminPort });
  const admin = `http://127.0.0.1:${adminPort}`;
  for (const path of HTTP_ROUTES) {
    assert.equal((await fetch(running.http + path)).status, 404, path);
    assert.equal((await fetch(admin + path)).status, 200, path);
  }
  const inspect = running.ws.replace('/ws/transcribe', '/ws/inspect');
  assert.equal((await refusedUpgrade(inspect)).status, 404);
  await opens(`ws://127.0.0.1:${adminPort}/ws/inspect`);
  assert.equal((await fetch(`${admin}/static/inspect.html`)).status, 200, 'its pages');
  await running.stop();
  await assert.rejects(fetch(`${admin}/health`));
});

test('a port that is taken ends the start, and nothing goes on listening', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = await freePort();
  const { port: adminPort } = taken.address() as AddressInfo;
  await assert.rejects(startScriptedServer({ port, adminPort }), { code: 'EADDRINUSE' });
  await assert.rejects(fetch(`http://127.0.0.1:${port}/health`));
  taken.close();
});
