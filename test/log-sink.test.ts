import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LIMITS } from '../src/limits.js';
import { scriptedFile } from './helpers/scripted-file.js';

const program = fileURLToPath(new URL('./helpers/much-logging.js', import.meta.url));
const FULL = '/dev/full'; // every write to it fails with ENOSPC
/** What 3 MB of lines may leave behind: the bound is 1 MB of waiting lines. */
const MOST_MB = 20;

async function logTo(standardError: number | 'pipe', style: string, breakPipe = false) {
  const child = spawn(process.execPath, [program, style], { stdio: ['ignore', 'pipe', standardError] });
  if (breakPipe) child.stderr?.destroy();
  const [said, [code, signal]] = await Promise.all([text(child.stdout!), once(child, 'exit')]);
  return { grownMb: Number(said), end: code ?? signal };
}

for (const style of ['json', 'pretty']) {
  test(
    `a full disk under the ${style} log does not end the process, nor fill its memory`,
    {
      skip: existsSync(FULL) ? false : `there is no ${FULL}`,
      timeout: 20_000,
    },
    async () => {
      const { grownMb, end } = await logTo(openSync(FULL, 'w'), style);
      assert.equal(end, 7);
      assert.ok(grownMb < MOST_MB, `${grownMb} MB`);
    },
  );

  test(
    `a reader of the ${style} log that is gone does not end the process`,
    { timeout: 20_000 },
    async () => {
      assert.equal((await logTo('pipe', style, true)).end, 7);
    },
  );
}

const command = fileURLToPath(new URL('./helpers/logging-command.js', import.meta.url));

test('a command ends when all its lines are written, although its pipe holds only some of them', async () => {
  const child = spawn(process.execPath, [command], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [log, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  const lines = log.trim().split('\n');
  assert.deepEqual([code, lines.length], [0, 400]);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).i),
    lines.map((_, i) => i),
  );
});

for (const [way, expected] of [
  ['by itself', 0],
  ['exit', 7],
] as const) {
  test(
    `a reader that never reads does not keep a process that ends (${way})`,
    { timeout: 30_000 },
    async () => {
      const child = spawn(process.execPath, [command, way], { stdio: ['ignore', 'ignore', 'pipe'] });
      const [code] = await once(child, 'exit');
      assert.equal(code, expected);
      child.stderr.destroy();
    },
  );
}

test('lines come in order, once each, in whatever pieces the file takes them', () => {
  const { sink, written, take, isAsked } = scriptedFile();
  for (const line of ['one\n', 'two\n', 'three\n']) sink.write(line);
  while (isAsked()) take(1);
  assert.equal(written.join(''), 'one\ntwo\nthree\n');
});

test('lines that found no room are written when there is some, and how many were lost is said', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { sink, written, take, fail, isAsked } = scriptedFile();
  sink.write('first\n');
  fail('ENOSPC');
  const line = `${'x'.repeat(1023)}\n`;
  const fitting = LIMITS.maxLogBytes / 1024;
  for (let i = 0; i < fitting + 5; i++) sink.write(line);
  assert.equal(isAsked(), false, 'it is not tried at every line');
  t.mock.timers.tick(1_000);
  fail('ENOSPC');
  t.mock.timers.tick(1_000);
  while (isAsked()) take();
  const [first, kept, lost, ...rest] = written;
  assert.deepEqual([first, kept?.length, rest], ['first\n', LIMITS.maxLogBytes, []]);
  assert.equal(JSON.parse(lost ?? '').lines, 5);
});

test('a reader that is gone is written to no more', () => {
  const { sink, fail, isAsked } = scriptedFile();
  sink.write('first\n');
  fail('EPIPE');
  sink.write('second\n');
  assert.equal(isAsked(), false);
});

test('a process that ends waits for its lines as long as it is told, and writes them once there is room', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { sink, written, take, fail, isAsked } = scriptedFile();
  sink.write('one\n');
  sink.write('two\n');
  let flushed = false;
  const flushing = sink.flush(1_000).then(() => {
    flushed = true;
  });
  const pass = async (ms: number) => {
    t.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  fail('ENOSPC');
  await pass(20);
  assert.deepEqual([isAsked(), flushed], [true, false], 'it is tried soon');
  take();
  while (isAsked()) take();
  await pass(20);
  await flushing;
  assert.equal(written.join(''), 'one\ntwo\n');
  sink.write('three\n');
  fail('ENOSPC');
  const inVain = sink.flush(100);
  for (let i = 0; i < 5; i++) {
    if (isAsked()) fail('ENOSPC');
    await pass(20);
  }
  await inVain;
  assert.equal(written.join(''), 'one\ntwo\n');
});

test('process.exit writes what waits, in whatever pieces the file takes it', () => {
  const { sink, fail, exit, atExit, onExit } = scriptedFile();
  for (const line of ['one\n', 'two\n', 'three\n']) sink.write(line);
  fail('EAGAIN');
  onExit.count = 5;
  exit();
  assert.equal(atExit.join(''), 'one\ntwo\nthree\n');
});

for (const error of [null, 'EAGAIN', 'ENOSPC'])
  test(`process.exit ends though nothing can be written (${error ?? '0 bytes'})`, () => {
    const { sink, fail, exit, atExit, onExit } = scriptedFile();
    sink.write('one\n');
    fail('EAGAIN');
    onExit.error = error;
    exit();
    assert.equal(atExit.join(''), '');
  });

test('process.exit writes nothing twice: a write under way may have come to its end', () => {
  const { sink, exit, atExit, onExit } = scriptedFile();
  sink.write('one\n');
  onExit.count = 99;
  exit();
  assert.deepEqual(atExit, []);
});
