import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { type DesignTask, OddRates } from '../../src/codec/odd-rates.js';
import type { ServerError } from '../../src/errors.js';

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

/** A designer that is done when the test says so. */
function ratesOf(places: number) {
  const clock = { nowMs: 0 };
  const designs: (DesignTask & { done(): Promise<void>; fail(): Promise<void> })[] = [];
  const settle = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const rates = new OddRates(
    places,
    (task) =>
      new Promise<void>((resolve, reject) => {
        const done = () => {
          resolve();
          return settle();
        };
        const fail = () => {
          reject(new Error('out of memory'));
          return settle();
        };
        designs.push({ ...task, done, fail });
      }),
    () => clock.nowMs,
  );
  const told: (string | null)[] = [];
  const lease = (rateHz: number) => rates.lease(rateHz, (error) => void told.push(error?.code ?? null));
  /** Leases a rate and has its filter designed, so long as nothing else waits. */
  const ready = async (rateHz: number) => {
    const held = lease(rateHz);
    await designs.at(-1)?.done();
    mock.timers.tick(1_000_000);
    return held;
  };
  return { rates, clock, designs, told, lease, ready };
}

const refusal = { code: 'TOO_MANY_RATES' satisfies ServerError['code'] };

test('so many odd rates have a place and no more; a rate that has one takes any number of streams', async () => {
  const { lease, ready } = ratesOf(2);
  const [first, second] = [await ready(8_001), await ready(8_002)];
  assert.throws(() => lease(8_003), refusal);
  const again = lease(8_001);
  assert.deepEqual([again.place, again.version, again.ready], [first.place, first.version, true]);
  assert.notEqual(first.place, second.place);
  first.release();
  first.release();
  assert.throws(() => lease(8_003), refusal, 'another stream still has the rate');
  again.release();
  assert.equal(lease(8_003).ready, false);
});

test('a place goes to the next rate with another version; the rate used longest ago loses its own', async () => {
  const { lease, ready, designs } = ratesOf(2);
  const [first, second] = [await ready(8_001), await ready(8_002)];
  second.release();
  first.release();
  lease(8_001).release(); // used last, whenever it came
  const third = await ready(8_003);
  assert.equal(third.place, second.place);
  assert.ok(third.version > second.version);
  assert.equal(lease(8_001).ready, true, 'it is still there');
  assert.deepEqual(designs.map(({ rateHz }) => rateHz), [8_001, 8_002, 8_003]); // biome-ignore format: short
});

test('filters are designed one at a time, and for at most a fifth of the time', async () => {
  const { lease, designs, clock } = ratesOf(4);
  for (const rateHz of [8_001, 8_002, 8_003]) lease(rateHz);
  assert.equal(designs.length, 1);
  clock.nowMs = 50;
  await designs[0]?.done();
  mock.timers.tick(199);
  assert.equal(designs.length, 1);
  mock.timers.tick(1);
  assert.deepEqual(designs.map(({ rateHz }) => rateHz), [8_001, 8_002]); // biome-ignore format: short
});

test('streams of a rate that waits for its design are all told once, and those that left are not', async () => {
  const { lease, designs, told } = ratesOf(2);
  const held = [lease(8_001), lease(8_001), lease(8_001)];
  held[1]?.release();
  await designs[0]?.done();
  assert.deepEqual(told, [null, null]);
  assert.ok(held[0]?.ready);
});

test('a rate whose last stream leaves before its design began gives its place back', async () => {
  const { lease, designs } = ratesOf(2);
  lease(8_001);
  lease(8_002).release();
  lease(8_003);
  await designs[0]?.done();
  mock.timers.tick(1_000);
  assert.deepEqual(designs.map(({ rateHz }) => rateHz), [8_001, 8_003]); // biome-ignore format: short
});

test('a place whose design is under way is nobody else’s, though its streams have left', async () => {
  const { lease, designs, told } = ratesOf(1);
  lease(8_001).release();
  assert.throws(() => lease(8_002), refusal);
  await designs[0]?.done();
  assert.equal(lease(8_002).ready, false);
  assert.deepEqual(told, []);
});

test('a design that fails is told with its error, and the rate is tried again for the next', async () => {
  const { lease, designs, told } = ratesOf(1);
  lease(8_001);
  await designs[0]?.fail();
  assert.deepEqual(told, ['INTERNAL']);
  mock.timers.tick(1_000);
  lease(8_001);
  await designs[1]?.done();
  assert.deepEqual(told, ['INTERNAL', null]);
});

test('nothing is designed after the close', async () => {
  const { rates, lease, designs } = ratesOf(2);
  lease(8_001);
  lease(8_002);
  rates.close();
  await designs[0]?.done();
  mock.timers.tick(1_000_000);
  assert.equal(designs.length, 1);
});
