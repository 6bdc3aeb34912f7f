import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimiter } from '../src/rate-limiter.js';

function limiter(perSecond: number, burst: number) {
  const clock = { ms: 0 };
  const it = new RateLimiter(perSecond, burst, () => clock.ms);
  const taken = (times: number) => Array.from({ length: times }, () => it.take()).filter(Boolean).length;
  return { it, clock, taken };
}

test('a burst is let through, and no more', () => {
  assert.equal(limiter(10, 5).taken(8), 5);
});

test('after a burst one is let through each 1/perSecond', () => {
  const { clock, taken } = limiter(10, 5);
  taken(5);
  clock.ms = 99;
  assert.equal(taken(1), 0);
  clock.ms = 100;
  assert.equal(taken(2), 1);
});

test('a long silence saves up no more than a burst', () => {
  const { clock, taken } = limiter(10, 5);
  taken(5);
  clock.ms = 1e9;
  assert.equal(taken(100), 5);
});

test('what is refused costs nothing', () => {
  const { clock, taken } = limiter(10, 1);
  taken(50);
  clock.ms = 100;
  assert.equal(taken(1), 1);
});

test('what is left may be set: to nothing, to less than nothing, never to more than a burst', () => {
  const { it, clock, taken } = limiter(10, 5);
  it.set(2);
  assert.equal(taken(5), 2);
  it.set(-1);
  clock.ms = 199;
  assert.equal(taken(1), 0);
  clock.ms = 200;
  assert.equal(taken(2), 1);
  it.set(100);
  assert.equal(taken(100), 5);
});
