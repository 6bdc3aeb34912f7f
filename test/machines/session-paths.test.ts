import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SnapshotFrom } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { type SessionEvent, sessionMachine } from '../../machines/session.js';
import { EVERY_STEP, RESUME_WINDOW_MS, SessionHarness, type Step } from './session-harness.js';

const AFTER = 'xstate.after.resumeWindow.session.open.transport.detached';
const isEvent = (step: Step): step is SessionEvent => step.type !== 'TICK';

const keyOf = (snapshot: SnapshotFrom<typeof sessionMachine>) => JSON.stringify(snapshot.value);

/** The shortest way to every state that the definition can reach, as steps of the harness. */
function shortestPaths(): { key: string; steps: Step[] }[] {
  const { effects } = new SessionHarness().actor.getSnapshot().context;
  const paths = getShortestPaths(sessionMachine, {
    input: { effects, resumeWindowMs: RESUME_WINDOW_MS },
    events: EVERY_STEP.filter(isEvent),
    serializeState: keyOf,
    limit: 2_000,
  });
  return paths.map((path) => ({
    key: keyOf(path.state),
    steps: path.steps
      .filter(({ event }) => (event.type as string) !== 'xstate.init')
      .map(({ event }): Step => ((event.type as string) === AFTER ? { type: 'TICK' } : event)),
  }));
}

const nameOf = (step: Step) => ('code' in step ? `${step.type}(${step.code})` : step.type);

describe('session machine: every path', () => {
  const paths = shortestPaths();

  it('reaches every combination of activity and transport, and closed', () => {
    const activities = ['"idle"', '"recording"', '"flushing"'];
    const expected = activities.flatMap((activity) =>
      ['attached', 'detached'].map(
        (transport) => `{"open":{"activity":${activity},"transport":"${transport}"}}`,
      ),
    );
    assert.deepEqual(paths.map((path) => path.key).sort(), [...expected, '"closed"'].sort());
  });

  for (const { key, steps } of paths) {
    it(`[${steps.map(nameOf).join(', ')}] leads to ${key}, from where each event keeps order`, () => {
      for (const last of EVERY_STEP) {
        const session = new SessionHarness();
        for (const step of steps) {
          session.send(step);
          session.assertWellFormed();
        }
        assert.equal(keyOf(session.actor.getSnapshot()), key);
        session.send(last);
        session.assertWellFormed();
        session.send({ type: 'CLOSE', code: null });
        session.assertWellFormed();
        assert.equal(session.state, 'closed');
      }
    });
  }
});

describe('session machine: random walks', () => {
  const steps = fc.array(fc.constantFrom(...EVERY_STEP), { maxLength: 60 });

  it('keep the order of effects, with and without a resume window', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(0, RESUME_WINDOW_MS), (walk, resumeWindowMs) => {
        const session = new SessionHarness({ resumeWindowMs });
        for (const step of walk) {
          session.send(step);
          session.assertWellFormed();
        }
      }),
      { seed: 20_261_122, numRuns: 400 },
    );
  });

  it('end in closed as soon as any effect throws', () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: 12 }), (walk, throwAt) => {
        let calls = 0;
        const session = new SessionHarness({
          onEffect: () => {
            if (calls++ === throwAt) throw new Error('effect');
          },
        });
        for (const step of walk) {
          session.send(step);
          if (session.failures.length === 0) continue;
          assert.equal(session.state, 'closed');
          assert.equal(session.acceptsAudio, false);
          assert.equal(session.failures.length, 1);
        }
      }),
      { seed: 20_261_122, numRuns: 400 },
    );
  });
});
