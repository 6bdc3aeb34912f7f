/**
 * Recordings that go on for days. `npm run soak -- --simulated-hours 48` makes a whole one; here are some minutes of it, and
 * the moments when the samples become more than 31 and 32 bits hold.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grown, recordDays } from '../helpers/sim/days.js';
import { measure, type Sizes } from '../helpers/sim/sizes.js';

test('a recording over cuts, slow reading and new servers: each word at its time, and no collection grows', async () => {
  const run = await recordDays({ seed: 1, hours: 0.7, edgeHours: 0.3, collect: () => {} });
  assert.deepEqual(run.failures, []);
  assert.equal(run.counts.words, 0.7 * 7_200);
  assert.ok(run.counts.resumptions >= 3, `${run.counts.resumptions} resumptions`);
  assert.deepEqual(grown(run), []);
  const held = [...run.late.keys()].filter((path) => /\.from\b/.test(path));
  assert.deepEqual(held, [], 'the state of the server before is not kept');
});

test('a collection that grows is found, wherever it is', () => {
  const root = { box: { list: [{ texts: [] as string[] }], byName: new Map([['a', new Set<number>()]]) } };
  const [early, late]: [Sizes, Sizes] = [new Map(), new Map()];
  measure(root, early);
  for (let i = 0; i < 100; i++) root.box.byName.get('a')?.add(i);
  measure(root, late);
  assert.deepEqual(grown({ early, late }), ['.box.byName{}: 0, then 100']);
});
