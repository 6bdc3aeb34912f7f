import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  designTable,
  filterFor,
  filterOf,
  heldRates,
  isCommonRate,
  MAX_RATE_HZ,
  MAX_TABLE_LENGTH,
  MIN_RATE_HZ,
  tableLength,
} from '../../src/audio/filter.js';
import { COMMON_SAMPLE_RATES } from '../../src/audio/format.js';

const odd = Array.from({ length: 40 }, (_, i) => 47_901 + i);

test('common rates stay, however many odd ones come by; of these the one used longest ago goes', () => {
  for (const rateHz of COMMON_SAMPLE_RATES) filterFor(rateHz);
  const common = new Map(COMMON_SAMPLE_RATES.map((rateHz) => [rateHz, filterFor(rateHz)]));
  const [first, ...others] = odd;
  const used = filterFor(first!);
  for (const rateHz of others) {
    filterFor(rateHz);
    assert.equal(filterFor(first!), used, 'it is used between any two others');
  }
  for (const [rateHz, filter] of common) assert.equal(filterFor(rateHz), filter);
  const held = heldRates().filter((rateHz) => !isCommonRate(rateHz));
  assert.deepEqual(held, [...others.slice(-7), first]);
});

test('a filter over a copy of a table is the same as one designed in its place', () => {
  for (const rateHz of [11_025, 44_100, 47_917]) {
    const table = new Float32Array(new SharedArrayBuffer(tableLength(rateHz) * 4));
    designTable(rateHz, table);
    const [copied, designed] = [filterOf(rateHz, (to) => to.set(table)), filterFor(rateHz)];
    assert.deepEqual(
      [copied.step, copied.phases, copied.taps],
      [designed.step, designed.phases, designed.taps],
    );
    for (const filter of [copied, designed])
      filter.work.set(Float32Array.from(filter.work, (_, i) => Math.sin(i) * 9_000));
    for (const phase of [0, 1, designed.phases - 1]) assert.equal(copied.at(phase, 8), designed.at(phase, 8));
  }
});

test('no rate of a stream needs a larger table than there is room for', () => {
  for (let rateHz = MIN_RATE_HZ; rateHz <= MAX_RATE_HZ; rateHz++)
    assert.ok(tableLength(rateHz) <= MAX_TABLE_LENGTH, `${rateHz} Hz`);
});
