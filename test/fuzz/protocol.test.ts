/** A short pass of the fuzzer; `npm run fuzz -- --minutes 60 --seed 7` makes hours of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from '../helpers/fuzz/run.js';

const ROUNDS = 40;

for (const seed of [1, 2]) {
  test(`whatever clients send, their neighbours are told the same, and nothing is left of them (seed ${seed})`, async () => {
    const { clients, moves, errors } = await fuzz({ seed, more: (round) => round < ROUNDS });
    assert.ok(clients === 6 * ROUNDS && moves > 10 * ROUNDS, `${clients} clients, ${moves} moves`);
    assert.ok(Object.keys(errors).length > 5, 'many ways to be refused were met');
  });
}
