import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trials } from '../../src/inference/trials.js';

const slots = (count: number) => Array.from({ length: count }, (_, i) => i);

test('what failed together is tried in halves, what failed alone, alone', () => {
  const trials = new Trials();
  trials.add([0, 1, 2, 3, 4]);
  assert.deepEqual([trials.take(), trials.take(), trials.take()], [[0, 1, 2], [3, 4], null]);
  trials.add([7]);
  assert.deepEqual([trials.take(), trials.take()], [[7], null]);
});

test('a slot is a suspect until its trial begins or its tenant leaves', () => {
  const trials = new Trials();
  trials.add([0, 1, 2, 3]);
  trials.drop(1);
  trials.drop(9);
  assert.deepEqual([trials.has(0), trials.has(1), trials.waiting], [true, false, 3]);
  assert.deepEqual(trials.take(), [0]);
  assert.deepEqual([trials.has(0), trials.waiting], [false, 2]);
  trials.drop(2);
  trials.drop(3);
  assert.equal(trials.take(), null, 'a group that all have left is no group');
});

test('one culprit among 64 is found in six halvings, with at most two failures in a row', () => {
  for (const culprit of slots(64)) {
    const trials = new Trials();
    trials.add(slots(64));
    let failures = 1;
    let row = 1;
    for (let group = trials.take(); group !== null; group = trials.take()) {
      if (!group.includes(culprit)) {
        row = 0;
        continue;
      }
      failures++;
      assert.ok(++row <= 2 || group.length === 1, `${row} in a row`);
      if (group.length === 1) break;
      trials.add(group);
    }
    assert.equal(failures, 7);
  }
});
