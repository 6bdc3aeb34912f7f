import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

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
