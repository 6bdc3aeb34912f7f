import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT_RESTART, exitCodeOf } from '../src/main.js';
import type { RunningServer } from '../src/server/server.js';
import { silentLog } from './helpers/fake-session.js';

const program = fileURLToPath(new URL('./helpers/hung-process.js', import.meta.url));

test(
  'a process ends although a thread hangs in native code, by SIGALRM, and says why',
  { timeout: 20_000 },
  async () => {
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'pipe'] });
    const [log, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    assert.deepEqual([code, signal], [null, 'SIGALRM']);
    assert.match(log, /"level":60.*a thread hangs in native code/);
  },
);

/** A server that has stopped so. @param engine whether it ever had one */
const stoppedServer = (outcome: 'failed' | 'drained', engine: boolean) =>
  ({
    stopped: Promise.resolve({ outcome, code: null }),
    context: { recogniser: engine ? { engine: { lanes: [{ hungThreads: 0 }] } } : null },
  }) as unknown as RunningServer;

test('the exit code tells a supervisor whether another start may help', async () => {
  const codeOf = (server: RunningServer) => exitCodeOf(server, silentLog);
  assert.equal(await codeOf(stoppedServer('drained', true)), 0);
  assert.equal(await codeOf(stoppedServer('drained', false)), 0);
  assert.equal(await codeOf(stoppedServer('failed', false)), 1);
  assert.equal(await codeOf(stoppedServer('failed', true)), EXIT_RESTART);
});
