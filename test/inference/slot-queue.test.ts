import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SlotQueues } from '../../src/inference/slot-queue.js';

const drain = (queues: SlotQueues, queue: number): number[] => {
  const slots: number[] = [];
  for (let slot = queues.shift(queue); slot >= 0; slot = queues.shift(queue)) slots.push(slot);
  return slots;
};

test('a queue gives its slots back in the order they came', () => {
  const queues = new SlotQueues(8, 1);
  for (const slot of [3, 0, 7, 1]) queues.push(0, slot);
  assert.deepEqual(drain(queues, 0), [3, 0, 7, 1]);
});

test('an empty queue gives -1', () => {
  assert.equal(new SlotQueues(4, 2).shift(1), -1);
});

test('a slot that is pushed to the queue it stands in keeps its place', () => {
  const queues = new SlotQueues(4, 1);
  for (const slot of [2, 1, 2]) queues.push(0, slot);
  assert.deepEqual(drain(queues, 0), [2, 1]);
});

test('a slot that is pushed to another queue leaves the first from the middle', () => {
  const queues = new SlotQueues(4, 2);
  for (const slot of [0, 1, 2]) queues.push(0, slot);
  queues.push(1, 1);
  assert.equal(queues.queueOf(1), 1);
  assert.deepEqual([drain(queues, 0), drain(queues, 1)], [[0, 2], [1]]);
});

test('whatever is pushed, shifted and removed, the queues hold what plain arrays would', () => {
  const SLOTS = 6;
  const QUEUES = 3;
  const slot = fc.nat(SLOTS - 1);
  const queue = fc.nat(QUEUES - 1);
  const step = fc.oneof(
    fc.record({ op: fc.constant('push' as const), queue, slot }),
    fc.record({ op: fc.constant('shift' as const), queue, slot }),
    fc.record({ op: fc.constant('remove' as const), queue, slot }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queues = new SlotQueues(SLOTS, QUEUES);
      const model: number[][] = [[], [], []];
      const leave = (it: number) => {
        for (const list of model) if (list.includes(it)) list.splice(list.indexOf(it), 1);
      };
      for (const { op, queue: q, slot: s } of steps) {
        const list = model[q] ?? [];
        if (op === 'push') {
          queues.push(q, s);
          if (!list.includes(s)) {
            leave(s);
            model[q]?.push(s);
          }
        } else if (op === 'shift') {
          assert.equal(queues.shift(q), list.shift() ?? -1);
        } else {
          queues.remove(s);
          leave(s);
        }
        for (let i = 0; i < QUEUES; i++) assert.equal(queues.size(i), model[i]?.length);
        for (let i = 0; i < SLOTS; i++)
          assert.equal(
            queues.queueOf(i),
            model.findIndex((it) => it.includes(i)),
          );
      }
      for (let i = 0; i < QUEUES; i++) assert.deepEqual(drain(queues, i), model[i]);
    }),
    { seed: 1, numRuns: 300 },
  );
});
