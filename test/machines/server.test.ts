import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Actor, createActor, SimulatedClock } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import {
  type ServerEffectName,
  type ServerEffects,
  type ServerEvent,
  serverMachine,
} from '../../machines/server.js';

const DRAIN_TIMEOUT_MS = 20_000;
const AFTER = 'xstate.after.drainTimeout.server.draining';

/** `TICK` is not an event of the machine: it lets the drain timeout pass. */
type Step = ServerEvent | { type: 'TICK' };

const EVERY_STEP: readonly Step[] = [
  { type: 'MODEL_READY' },
  { type: 'FAILED', code: 'MODEL_CORRUPT' },
  { type: 'DRAIN' },
  { type: 'DRAINED' },
  { type: 'TICK' },
];

class ServerHarness {
  readonly trace: string[] = [];
  readonly failures: string[] = [];
  readonly clock = new SimulatedClock();
  readonly actor: Actor<typeof serverMachine>;

  constructor(onEffect?: (name: ServerEffectName, actor: Actor<typeof serverMachine>) => void) {
    const note = (name: ServerEffectName, detail = '') => {
      onEffect?.(name, this.actor);
      this.trace.push(name + detail);
    };
    const effects: ServerEffects = {
      openGates: () => note('openGates'),
      announceDrain: () => note('announceDrain'),
      stop: (outcome, code) => note('stop', `(${outcome}, ${code})`),
      effectFailed: (name, cause) =>
        this.failures.push(`${name}: ${cause instanceof Error ? cause.message : cause}`),
    };
    this.actor = createActor(serverMachine, {
      input: { effects, drainTimeoutMs: DRAIN_TIMEOUT_MS },
      clock: this.clock,
    });
    this.actor.start();
  }

  send(...steps: readonly (Step | Exclude<Step['type'], 'FAILED'>)[]): string[] {
    const before = this.trace.length;
    for (const given of steps) {
      const step = typeof given === 'string' ? ({ type: given } as Step) : given;
      if (step.type === 'TICK') this.clock.increment(DRAIN_TIMEOUT_MS);
      else this.actor.send(step);
    }
    return this.trace.slice(before);
  }

  get state(): string {
    return this.actor.getSnapshot().value;
  }

  assertWellFormed(): void {
    const trace = this.trace.join(' ');
    assert.match(trace, /^(openGates ?(announceDrain ?)?)?(stop\([a-z-]+, \w+\))?$/);
    const snapshot = this.actor.getSnapshot();
    assert.equal(trace.includes('stop'), snapshot.status === 'done', `stopped once, when stopped: ${trace}`);
    assert.equal(snapshot.hasTag('admitting'), this.trace.at(-1) === 'openGates');
  }
}

describe('server machine', () => {
  it('admits nobody until the model is ready', () => {
    const server = new ServerHarness();
    assert.equal(server.state, 'starting');
    assert.equal(server.actor.getSnapshot().hasTag('admitting'), false);
    assert.deepEqual(server.send('MODEL_READY'), ['openGates']);
    assert.equal(server.actor.getSnapshot().hasTag('admitting'), true);
  });

  it('stops with the code when the start fails', () => {
    const server = new ServerHarness();
    assert.deepEqual(server.send({ type: 'FAILED', code: 'MODEL_CORRUPT' }), ['stop(failed, MODEL_CORRUPT)']);
    assert.deepEqual(server.actor.getSnapshot().output, { outcome: 'failed', code: 'MODEL_CORRUPT' });
  });

  it('stops at once when told to drain while starting', () => {
    assert.deepEqual(new ServerHarness().send('DRAIN'), ['stop(drained, null)']);
  });

  it('drains, then stops when the last session is gone', () => {
    const server = new ServerHarness();
    server.send('MODEL_READY');
    assert.deepEqual(server.send('DRAIN'), ['announceDrain']);
    assert.equal(server.actor.getSnapshot().hasTag('admitting'), false);
    assert.deepEqual(server.send('DRAINED'), ['stop(drained, null)']);
  });

  it('stops without the sessions that do not finish in time', () => {
    const server = new ServerHarness();
    server.send('MODEL_READY', 'DRAIN');
    server.clock.increment(DRAIN_TIMEOUT_MS - 1);
    assert.equal(server.state, 'draining');
    server.clock.increment(1);
    assert.equal(server.trace.at(-1), 'stop(drain-timeout, null)');
  });

  it('does not announce a drain twice', () => {
    const server = new ServerHarness();
    server.send('MODEL_READY', 'DRAIN');
    assert.deepEqual(server.send('DRAIN'), []);
    assert.equal(server.state, 'draining');
  });

  it('takes DRAINED from inside announceDrain, when there was no session', () => {
    const server = new ServerHarness((name, actor) => {
      if (name === 'announceDrain') actor.send({ type: 'DRAINED' });
    });
    assert.deepEqual(server.send('MODEL_READY', 'DRAIN'), [
      'openGates',
      'announceDrain',
      'stop(drained, null)',
    ]);
  });

  it('stops with the code when the recogniser fails for good', () => {
    const server = new ServerHarness();
    server.send('MODEL_READY');
    assert.deepEqual(server.send({ type: 'FAILED', code: 'ENGINE_FAILED' }), ['stop(failed, ENGINE_FAILED)']);
  });

  for (const effect of ['openGates', 'announceDrain', 'stop'] as const) {
    it(`ends in stopped when ${effect} throws`, () => {
      const server = new ServerHarness((name) => {
        if (name === effect) throw new Error('broken');
      });
      server.send('MODEL_READY', 'DRAIN', 'DRAINED');
      assert.equal(server.actor.getSnapshot().status, 'done');
      assert.deepEqual(server.failures, [`${effect}: broken`]);
    });
  }

  const { effects } = new ServerHarness().actor.getSnapshot().context;
  const paths = getShortestPaths(serverMachine, {
    input: { effects, drainTimeoutMs: DRAIN_TIMEOUT_MS },
    events: EVERY_STEP.filter((step): step is ServerEvent => step.type !== 'TICK'),
    serializeState: (snapshot) => snapshot.value,
    limit: 200,
  });

  it('reaches its four states', () => {
    assert.deepEqual(paths.map((path) => path.state.value).sort(), [
      'draining',
      'ready',
      'starting',
      'stopped',
    ]);
  });

  for (const path of paths) {
    const steps = path.steps
      .filter(({ event }) => (event.type as string) !== 'xstate.init')
      .map(({ event }): Step => ((event.type as string) === AFTER ? { type: 'TICK' } : event));
    it(`keeps order from ${path.state.value} on, whatever comes`, () => {
      for (const last of EVERY_STEP) {
        const server = new ServerHarness();
        for (const step of steps) server.send(step);
        assert.equal(server.state, path.state.value);
        server.assertWellFormed();
        server.send(last);
        server.assertWellFormed();
      }
    });
  }

  it('keeps order on random walks', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVERY_STEP), { maxLength: 12 }), (walk) => {
        const server = new ServerHarness();
        for (const step of walk) {
          server.send(step);
          server.assertWellFormed();
        }
      }),
      { seed: 20_261_122, numRuns: 200 },
    );
  });
});
