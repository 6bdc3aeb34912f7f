import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, mock, test } from 'node:test';
import type { WebSocket } from 'ws';
import { LIMITS } from '../../src/limits.js';
import { transportOf } from '../../src/server/connection.js';

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

/** As much of a socket as a probe needs. */
class Socket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  pings = 0;
  terminated = false;
  ping() {
    this.pings++;
  }
  terminate() {
    this.terminated = true;
  }
}

function probed() {
  const socket = new Socket();
  const transport = transportOf(socket as unknown as WebSocket);
  transport.probe();
  return { socket, transport };
}

test('a socket that gives no sign of life to a probe is ended', () => {
  const { socket } = probed();
  mock.timers.tick(LIMITS.probeMs - 1);
  assert.equal(socket.terminated, false);
  mock.timers.tick(1);
  assert.equal(socket.terminated, true);
});

for (const sign of ['pong', 'message']) {
  test(`a ${sign} keeps a probed socket alive`, () => {
    const { socket } = probed();
    socket.emit(sign);
    mock.timers.tick(LIMITS.probeMs);
    assert.equal(socket.terminated, false);
  });
}

test('probes that come while one is running ask nothing more; a later one does', () => {
  const { socket, transport } = probed();
  transport.probe();
  assert.equal(socket.pings, 1);
  socket.emit('pong');
  mock.timers.tick(LIMITS.probeMs);
  transport.probe();
  assert.equal(socket.pings, 2);
});

test('a probe just before a heartbeat does not make the heartbeat end a live socket', () => {
  const { socket, transport } = probed();
  transport.heartbeat();
  assert.equal(socket.terminated, false);
});
