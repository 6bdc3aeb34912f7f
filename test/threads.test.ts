import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Threads } from '../src/threads.js';
import { type Gate, hasBegun, hasLoaded, newGate, open } from './helpers/blocking-worker.js';

const LOADING = new URL('./helpers/loading-worker.js', import.meta.url).href;
const HOUR_MS = 3_600_000;
const filename = new URL('./helpers/blocking-worker.js', import.meta.url).href;

function threadsOf(maxThreads = 1) {
  const strays: unknown[] = [];
  const options = { filename, minThreads: maxThreads, maxThreads, atomics: 'disabled' } as const;
  const threads = new Threads<Gate | null, unknown>(options, (error) => void strays.push(error));
  return { threads, strays };
}

/** Lets the event loop turn until something holds; the test's own limit is the bound. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

for (const count of [1, 2, 3]) {
  test(`${count} busy thread(s) are waited for when the pool closes, however long they take`, async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { threads } = threadsOf(count);
    const gates = Array.from({ length: count }, newGate);
    const results = gates.map((gate) => threads.run(gate, { name: 'block' }));
    await until(() => gates.every(hasBegun));
    let closed = false;
    const closing = threads.close().then(() => {
      closed = true;
    });
    // One after another: a pool that ends when the first has returned would abort the rest.
    for (const [i, gate] of gates.entries()) {
      context.mock.timers.tick(HOUR_MS);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(closed, false);
      open(gate);
      assert.equal(await results[i], 'done');
    }
    await closing;
    assert.equal(closed, true);
  });
}

test('what waits for a thread when the pool closes is refused, what runs is not', async () => {
  const { threads } = threadsOf();
  const gate = newGate();
  const first = threads.run(gate, { name: 'block' });
  const second = assert.rejects(threads.run(gate, { name: 'block' }), /closed/);
  await until(() => hasBegun(gate));
  assert.equal(threads.queued, 1);
  const closing = threads.close();
  await second;
  open(gate);
  assert.equal(await first, 'done');
  await closing;
  await assert.rejects(threads.run(null, { name: 'fail' }), /closed/);
});

test('a task that is aborted while it waits leaves the queue at once, and those behind it keep their turn', async () => {
  const { threads } = threadsOf();
  const gate = newGate();
  const first = threads.run(gate, { name: 'block' });
  await until(() => hasBegun(gate));
  const aborter = new AbortController();
  const second = threads.run(newGate(), { name: 'block', signal: aborter.signal });
  const last = newGate();
  const third = threads.run(last, { name: 'block' });
  assert.equal(threads.queued, 2);
  aborter.abort(new Error('nobody wants it'));
  assert.equal(threads.queued, 1);
  await assert.rejects(second, /nobody wants it/);
  open(gate);
  assert.equal(await first, 'done');
  open(last);
  assert.equal(await third, 'done');
  await threads.close();
});

test('a task that waited gets the thread when the one before it is over, failed or not', async () => {
  const { threads } = threadsOf();
  const gate = newGate();
  open(gate);
  const failed = assert.rejects(threads.run(null, { name: 'fail' }), /the task failed/);
  const after = threads.run(gate, { name: 'block' });
  await failed;
  assert.equal(await after, 'done');
  await threads.close();
});

test('an error that a task leaves behind is told, and the next task runs', async () => {
  const { threads, strays } = threadsOf();
  const answered = newGate();
  await threads.run(answered, { name: 'stray' });
  open(answered);
  await until(() => strays.length > 0);
  assert.match(String(strays[0]), /left behind/);
  const gate = newGate();
  open(gate);
  assert.equal(await threads.run(gate, { name: 'block' }), 'done');
  await threads.close();
});

test('threads that are still loading are waited for when the pool closes', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const gate = newGate();
  const options = { filename: LOADING, minThreads: 1, maxThreads: 1, workerData: gate };
  const threads = new Threads<null, string>(options, () => assert.fail());
  await until(() => hasBegun(gate));
  let closed = false;
  const closing = threads.close().then(() => {
    closed = true;
  });
  context.mock.timers.tick(HOUR_MS);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, false);
  open(gate);
  await closing;
  assert.ok(hasLoaded(gate), 'the thread was ended while it was loading');
});

test('a worker is not loaded with require: a thread that ends during that aborts the process', async () => {
  const threads = new Threads<null, string>({ filename: LOADING, minThreads: 0, maxThreads: 1 }, () =>
    assert.fail(),
  );
  assert.equal(await threads.run(null), 'import');
  await threads.close();
});

test('a worker that cannot be loaded fails its tasks by its own error, and the pool closes', async () => {
  const filename = new URL('./helpers/no-such-worker.js', import.meta.url).href;
  const threads = new Threads<null, string>({ filename, minThreads: 1, maxThreads: 1 }, () => assert.fail());
  await assert.rejects(threads.run(null), /Cannot find module .*no-such-worker/);
  await assert.rejects(threads.run(null), /exit/, 'the thread ends');
  await assert.rejects(
    threads.run(null),
    /Cannot find module .*no-such-worker/,
    'and another one tries again',
  );
  await threads.close();
});
