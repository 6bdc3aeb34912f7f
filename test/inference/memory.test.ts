import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryBytes, planStreams, reserve } from '../../src/inference/memory.js';

const MIB = 1 << 20;
const GIB = 1024 * MIB;
const plan = (changes = {}) =>
  planStreams({
    maxStreams: 0,
    memoryMb: 0,
    slotBytes: 4 * MIB,
    spareSlots: 8,
    available: 2 * GIB,
    ...changes,
  });

test("memory is the machine's, or its container's if that is less", () => {
  assert.equal(memoryBytes(8 * GIB, 2 * GIB), 2 * GIB);
  assert.equal(memoryBytes(8 * GIB, 2 ** 64), 8 * GIB, 'no limit is a very large one');
  assert.equal(memoryBytes(8 * GIB, 0), 8 * GIB);
  assert.ok(memoryBytes() > 0);
});

test('streams get a quarter of the memory, slots of uploads included', () => {
  assert.equal(plan(), 128 - 8);
});

test('a bound in megabytes takes the place of the quarter', () => {
  assert.equal(plan({ memoryMb: 400 }), 100 - 8);
});

test('small states do not make more streams than a machine recognises, and large ones leave one', () => {
  assert.equal(plan({ slotBytes: 1_000 }), 2_048);
  assert.equal(plan({ slotBytes: GIB }), 1);
});

test('a number of streams that is asked for is taken, unless it goes beyond the bound that is asked for', () => {
  assert.equal(plan({ maxStreams: 5_000 }), 5_000);
  assert.equal(plan({ maxStreams: 92, memoryMb: 400 }), 92);
  assert.throws(() => plan({ maxStreams: 93, memoryMb: 400 }), {
    code: 'CONFIG_INVALID',
    message: /--max-streams 93 needs 404 MB .* --memory-mb allows 400/,
  });
});

test('memory that the system does not give is an error that says how much it was', () => {
  assert.equal(reserve(1_000).byteLength, 1_000);
  assert.throws(() => reserve(2 ** 52), { code: 'CONFIG_INVALID', message: /4294967296 MB/ });
});
