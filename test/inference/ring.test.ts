/** The ring of a slot as a whole: whatever is written in whatever pieces is heard once, in its order, across every wrap. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeEngine } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

/** Between two markers, so that no frame holds more than the model has symbols for. */
const APART = 500;

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.integer({ min: 1, max: 9_000 }).map((samples) => ({ samples, flush: false, rounds: 0 })),
  },
  { weight: 4, arbitrary: fc.nat(8).map((rounds) => ({ samples: 0, flush: false, rounds })) },
  { weight: 1, arbitrary: fc.constant({ samples: 0, flush: true, rounds: 0 }) },
);

test('whatever is written is heard once and in order, also where a step sees further than it goes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 5, maxLength: 60 }),
      fc.integer({ min: CHUNK, max: 3 * CHUNK }),
      async (actions, windowSamples) => {
        const engine = new FakeEngine({ ringSeconds: 1, manifest: { windowSamples } });
        const tenant = new Tenant();
        const slot = engine.lease(tenant) ?? assert.fail('the table is empty');
        let sent = 0;
        let next = 0;
        for (const { samples, flush, rounds } of actions) {
          const length = Math.min(samples, slot.free());
          const markers: [number, number][] = [];
          for (; next < slot.written + length; next += APART) markers.push([next - slot.written, sent++]);
          if (length > 0) write(slot, marked(length, markers));
          assert.ok(slot.free() >= 0 && slot.free() <= slot.ring.length, `${slot.free()} free`);
          if (flush) slot.flush(CHUNK);
          for (let i = 0; i < rounds; i++) await engine.round();
        }
        await engine.settle();
        slot.flush(CHUNK);
        await engine.settle();
        const heard = tenant.valid.reduce((sum, valid) => sum + valid, 0);
        assert.deepEqual(
          tenant.tokens,
          Array.from({ length: sent }, (_, token) => token),
        );
        assert.deepEqual([heard, slot.free()], [slot.written, slot.ring.length]);
      },
    ),
    { seed: 1, numRuns: 150 },
  );
});
