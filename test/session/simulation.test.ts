/**
 * A short pass of the simulation of fleets on virtual time; `npm run simulate -- --seeds 1000` makes a long one of it. That it
 * finds what it is there for is shown by bugs which are planted in the real code.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Keeper } from '../../src/session/keeper.js';
import { Outbox } from '../../src/session/outbox.js';
import { ResumeTicket } from '../../src/session/resume-desk.js';
import { SentLog } from '../../src/session/sent-log.js';
import { ToldCount } from '../../src/session/told.js';
import { MemoryStore } from '../helpers/memory-store.js';
import type { Chaos } from '../helpers/sim/faults.js';
import { type Run, simulate } from '../helpers/sim/simulate.js';

const SEEDS = 40;
/** So many at most are tried until one shows what is planted. */
const MOST_SEEDS = 200;

const sum = (runs: readonly Run[], of: (run: Run) => number): number =>
  runs.reduce((all, run) => all + of(run), 0);

test('whatever breaks in a fleet, in whatever order: nothing is lost, doubled or retimed, and nothing is left', async () => {
  const runs: Run[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = await simulate(seed);
    assert.deepEqual(run.failures, [], `npm run simulate -- --seed ${seed}`);
    runs.push(run);
  }
  const kinds = new Set(runs.flatMap(({ faults }) => Object.keys(faults)));
  assert.ok(kinds.size >= 13, `faults that were met: ${[...kinds].join(', ')}`);
  assert.ok(sum(runs, ({ takeovers }) => takeovers) > SEEDS, 'sessions went on at other servers');
  assert.ok(sum(runs, ({ resumptions }) => resumptions) > SEEDS, 'sessions were resumed');
});

test('the same seed gives the same events in the same order', async () => {
  for (const seed of [38, 40]) {
    const [one, other] = [await simulate(seed), await simulate(seed)];
    assert.ok(one.trace.length > 100);
    assert.deepEqual(one.trace, other.trace);
  }
});

// biome-ignore lint/suspicious/noExplicitAny: private methods are replaced, which no type may describe
type Method = (this: any, ...args: any[]) => any;

/** Plants another method in the place of one that a class has. @returns puts it back */
function planted(
  owner: { readonly prototype: object },
  name: string,
  make: (real: Method) => Method,
): () => void {
  const methods = owner.prototype as Record<string, Method>;
  const real = methods[name];
  if (real === undefined) throw new Error(`There is no ${name} to replace.`);
  methods[name] = make(real);
  return () => {
    methods[name] = real;
  };
}

/** What is planted, and the seed that was first seen to show it, so that the search is short. */
interface Plant {
  readonly what: string;
  readonly from: number;
  /** In place of what a seed says. */
  readonly chaos?: Partial<Chaos>;
  plant(): () => void;
}

const PLANTS: readonly Plant[] = [
  {
    what: 'the store takes what a server writes that was left',
    from: 36,
    plant: () =>
      planted(MemoryStore, 'write', (real) => {
        return function (id, epoch, ...rest) {
          return real.call(this, id, Math.max(epoch, this.fleet.held.get(id)?.epoch ?? 0), ...rest);
        };
      }),
  },
  {
    what: 'a server that was left goes on with the session',
    from: 29,
    plant: () =>
      planted(Keeper, 'landed', (real) => {
        return function (_outcome, done) {
          return real.call(this, 'written', done);
        };
      }),
  },
  {
    what: 'what the client was told already is told again',
    from: 4,
    plant: () =>
      planted(ToldCount, 'restore', (real) => {
        return function (told) {
          return real.call(this, { ...told, again: [0, 0] });
        };
      }),
  },
  {
    what: 'audio is acknowledged before it is written',
    from: 5,
    plant: () => planted(Keeper, 'ack', () => (hereSamples) => hereSamples),
  },
  {
    what: 'messages that are told again begin one too late',
    from: 4,
    plant: () =>
      planted(SentLog, 'after', (real) => {
        return function (last) {
          return real.call(this, last)?.slice(1) ?? null;
        };
      }),
  },
  {
    what: 'only the numbers are compared of what the client and the server have told',
    from: 26,
    chaos: { flaky: true, splits: 1, rate: 1, twins: 0 }, // rare otherwise: about one seed in 500
    plant: () =>
      planted(Outbox, 'contradicts', () => {
        return function ({ seen }) {
          return seen !== null && seen > (this.log?.last ?? 0);
        };
      }),
  },
  {
    what: 'a server never asks whether a session that stands still is its own',
    from: 1,
    plant: () => planted(Keeper, 'touch', () => async () => {}),
  },
  {
    what: 'the tokens of a session that is over stay',
    from: 1,
    plant: () => planted(ResumeTicket, 'close', () => () => {}),
  },
];

/** The first seed from here on that fails; null if none of many does. */
async function failing(from: number, chaos?: Partial<Chaos>): Promise<number | null> {
  for (let seed = from; seed < from + MOST_SEEDS; seed++)
    if ((await simulate(seed, chaos)).failures.length > 0) return seed;
  return null;
}

for (const { what, from, chaos, plant } of PLANTS) {
  test(`the simulation finds it when ${what}`, async () => {
    const restore = plant();
    const seed = await failing(from, chaos).finally(restore);
    assert.ok(seed !== null, `${MOST_SEEDS} seeds show nothing`);
    assert.deepEqual((await simulate(seed, chaos)).failures, [], 'it is the bug that was planted');
  });
}
