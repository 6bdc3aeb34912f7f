/** Limits of a key on several servers, which hear of each other through a fleet that is played here. */
import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { tokenRequest } from '../../src/auth/client-token.js';
import type { Grant } from '../../src/auth/grant.js';
import type { KeyEntry } from '../../src/auth/key-file.js';
import { Keyring } from '../../src/auth/keyring.js';
import type { Spending } from '../../src/auth/rates.js';
import type { SharedLimits, Use } from '../../src/auth/sharing.js';
import { LIMITS } from '../../src/limits.js';
import { settle } from '../helpers/fake-clock.js';
import { codeOf, entry } from '../helpers/key-entries.js';

const SECRET = 'a secret of the fleet, 32 characters at least';
const clock = { ms: 0 };
beforeEach(() => {
  clock.ms = 1_000_000;
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  mock.method(performance, 'now', () => clock.ms);
});

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    clock.ms += Math.min(50, left);
    mock.timers.tick(Math.min(50, left));
    await settle();
  }
}

/** What Redis does, without one. */
class PlayedFleet {
  available = true;
  readonly used = new Map<string, Map<string, number>>();
  readonly buckets = new Map<string, number>();
  exchanges: { uses: number; spendings: number }[] = [];
  gone = new Set<string>();

  seenBy(node: string): SharedLimits {
    const fleet = this;
    return {
      get available() {
        return fleet.available;
      },
      exchange: async (uses, spendings) => fleet.exchange(node, uses, spendings),
    };
  }

  private exchange(node: string, uses: readonly Use[], spendings: readonly Spending[]) {
    if (!this.available) throw new Error('away');
    this.exchanges.push({ uses: uses.length, spendings: spendings.length });
    const others = uses.map(({ id, count }) => {
      const byNode = this.used.get(id) ?? new Map<string, number>();
      this.used.set(id, byNode.set(node, count));
      return [...byNode]
        .filter(([by]) => by !== node && !this.gone.has(by))
        .reduce((sum, [, used]) => sum + used, 0);
    });
    const left = spendings.map(({ name, perMinute, spent }) => {
      const tokens = (this.buckets.get(name) ?? perMinute) - spent;
      this.buckets.set(name, tokens);
      return tokens;
    });
    return { others, left };
  }
}

function fleetOf(entries: readonly KeyEntry[], servers = 2) {
  const fleet = new PlayedFleet();
  const keyrings = Array.from({ length: servers }, (_, i) => {
    const keyring = new Keyring({ authToken: '', keysFile: 'keys', tokenSecret: SECRET });
    keyring.take(entries);
    keyring.join(fleet.seenBy(`node-${i}`));
    return keyring;
  });
  const [here, there] = keyrings;
  assert.ok(here !== undefined && there !== undefined);
  return { fleet, keyrings, here, there };
}

const takes = (grant: Grant) => codeOf(() => grant.takeStream());
const arrive = (keyring: Keyring, key = 'A') => {
  const grant = keyring.who([key]);
  grant.countRequest();
  return grant;
};

test('a stream counts on all servers, and is free on all when it ends', async () => {
  const { here, there } = fleetOf([entry('anna', 'A', { streams: 2 })]);
  const [one, two] = [arrive(here), arrive(there)];
  one.takeStream();
  one.takeStream();
  await pass(200);
  assert.equal(takes(two), 'KEY_LIMIT');
  one.giveStream();
  await pass(1_300);
  assert.equal(takes(two), 'fine');
  assert.equal(takes(one), 'fine', 'nothing was heard of the other server’s stream yet');
  await pass(1_300);
  assert.deepEqual([takes(one), takes(two)], ['KEY_LIMIT', 'KEY_LIMIT']);
});

test('uploads count on all servers', async () => {
  const { here, there } = fleetOf([entry('anna', 'A', { uploads: 1 })]);
  const [one, two] = [arrive(here), arrive(there)];
  const leave = one.enterUpload();
  await pass(200);
  assert.equal(
    codeOf(() => two.enterUpload()),
    'KEY_LIMIT',
  );
  leave();
  await pass(1_300);
  two.enterUpload();
});

test('a server that never heard of a key knows what others use of it when a recording begins', async () => {
  const { here, there } = fleetOf([entry('anna', 'A', { streams: 1 })]);
  arrive(here).takeStream();
  await pass(10_000);
  const grant = arrive(there);
  await pass(LIMITS.clusterShareMs);
  assert.equal(takes(grant), 'KEY_LIMIT');
});

test('the most by which a burst exceeds a limit: the whole limit, once for each server', async () => {
  const { keyrings } = fleetOf([entry('anna', 'A', { streams: 3 })], 4);
  let begun = 0;
  const burst = () => {
    for (const keyring of keyrings) {
      const grant = arrive(keyring);
      while (takes(grant) === 'fine') begun++;
    }
  };
  burst();
  assert.equal(begun, 4 * 3);
  await pass(1_300);
  burst();
  assert.equal(begun, 4 * 3, 'and no more once they have heard of each other');
});

test('the bound of a client token holds on all servers', async () => {
  const { here, there } = fleetOf([entry('anna', 'A')]);
  const { text } = here.issue(['A'], tokenRequest.parse({ streams: 1 }));
  arrive(here, text).takeStream();
  await pass(200);
  const again = arrive(there, text);
  await pass(200);
  assert.equal(takes(again), 'KEY_LIMIT');
  assert.equal(takes(there.who(['A'])), 'fine', 'its key has none');
});

test('requests per minute are taken from one bucket', async () => {
  const { here, there } = fleetOf([entry('anna', 'A', { perMinute: 6 })]);
  const asks = (keyring: Keyring) => codeOf(() => arrive(keyring));
  assert.equal(asks(there), 'fine');
  await pass(200);
  for (let i = 0; i < 4; i++) assert.equal(asks(here), 'fine');
  await pass(1_300);
  assert.deepEqual([asks(there), asks(there)], ['fine', 'KEY_LIMIT'], 'one was left');
});

test('a stream that goes on from another server is not kept out, and counts', async () => {
  const { here, there } = fleetOf([entry('anna', 'A', { streams: 1 })]);
  const [one, two] = [arrive(here), arrive(there)];
  one.takeStream();
  await pass(200);
  two.takeStream(true);
  one.giveStream();
  await pass(1_300);
  assert.equal(takes(one), 'KEY_LIMIT');
});

test('what a server that is gone has used is free', async () => {
  const { fleet, here, there } = fleetOf([entry('anna', 'A', { streams: 1 })]);
  arrive(here).takeStream();
  const grant = arrive(there);
  await pass(200);
  assert.equal(takes(grant), 'KEY_LIMIT');
  here.close();
  fleet.gone.add('node-0');
  await pass(1_300);
  assert.equal(takes(grant), 'fine');
});

test('while the fleet is away limits hold on each server, and for all when it is back', async () => {
  const { fleet, here, there } = fleetOf([entry('anna', 'A', { streams: 1, perMinute: 60 })]);
  const [one, two] = [arrive(here), arrive(there)];
  one.takeStream();
  await pass(200);
  fleet.available = false;
  assert.equal(takes(two), 'KEY_LIMIT', 'what was heard is good for as long as a lease');
  await pass(LIMITS.clusterLeaseMs + 1_000);
  assert.deepEqual([takes(one), takes(two), takes(two)], ['KEY_LIMIT', 'fine', 'KEY_LIMIT']);
  fleet.available = true;
  await pass(1_300);
  two.giveStream();
  assert.equal(takes(two), 'KEY_LIMIT');
  one.giveStream();
  await pass(1_300);
  assert.equal(takes(two), 'fine');
});

test('requests of an outage are not held against a key when it ends', async () => {
  const { fleet, here } = fleetOf([entry('anna', 'A', { perMinute: 60 })]);
  fleet.available = false;
  for (let i = 0; i < 300; i++) {
    await pass(1_000);
    arrive(here);
  }
  fleet.available = true;
  await pass(1_300);
  assert.ok((fleet.buckets.get('anna') ?? 60) >= 59);
});

test('a fleet that fails in the middle changes no limit', async () => {
  const keyring = new Keyring({ authToken: '', keysFile: 'keys', tokenSecret: SECRET });
  keyring.take([entry('anna', 'A', { streams: 1 })]);
  keyring.join({ available: true, exchange: () => Promise.reject(new Error('broken')) });
  const grant = arrive(keyring);
  grant.takeStream();
  await pass(3_000);
  assert.equal(takes(grant), 'KEY_LIMIT');
  grant.giveStream();
  assert.equal(takes(grant), 'fine');
});

test('of a slow fleet one answer at a time is waited for, and what changed meanwhile is told then', async () => {
  const keyring = new Keyring({ authToken: '', keysFile: 'keys', tokenSecret: SECRET });
  keyring.take([entry('anna', 'A')]);
  const asked: { counts: number[]; answer: () => void }[] = [];
  let isSlow = false;
  keyring.join({
    available: true,
    exchange: (uses) =>
      new Promise((resolve) => {
        const answer = () => resolve({ others: uses.map(() => 0), left: [] });
        if (isSlow) asked.push({ counts: uses.map(({ count }) => count), answer });
        else answer();
      }),
  });
  const grant = arrive(keyring);
  await pass(LIMITS.clusterBeatMs - 50);
  grant.takeStream();
  await pass(10);
  grant.takeStream(); // to be told when the gap has passed, after the beat
  isSlow = true;
  for (let i = 0; i < 30; i++) {
    await pass(90);
    grant.takeStream();
  }
  assert.equal(asked.length, 1);
  asked[0]?.answer();
  await pass(LIMITS.clusterShareMs);
  assert.equal(asked.length, 2);
  assert.ok(asked[1]?.counts.includes(32));
});

test('changes are told ten times a second at most, everything once a second', async () => {
  const { fleet, here, there } = fleetOf([entry('anna', 'A')]);
  there.close();
  const grant = arrive(here);
  await pass(1_000);
  fleet.exchanges = [];
  for (let i = 0; i < 100; i++) {
    grant.takeStream();
    await pass(10);
  }
  assert.ok(fleet.exchanges.length <= 12, `${fleet.exchanges.length}`);
  fleet.exchanges = [];
  await pass(5_000);
  assert.ok(fleet.exchanges.length <= 6, `${fleet.exchanges.length}`);
});

test('what is followed is bounded in number and time; calls are bounded in size', async () => {
  const { fleet, here, there } = fleetOf([entry('anna', 'A')]);
  there.close();
  for (let i = 0; i < LIMITS.clusterShared + 100; i++) {
    const { text } = here.issue(['A'], tokenRequest.parse({ streams: 1, ttl_s: 86_400 }));
    here.who([text]).takeStream();
    here.who([text]).giveStream();
  }
  await pass(1_050);
  const told = () => fleet.exchanges.splice(0).reduce((sum, { uses }) => sum + uses, 0);
  assert.ok(fleet.exchanges.every(({ uses }) => uses <= LIMITS.clusterSharedAtOnce));
  told();
  await pass(1_000);
  assert.equal(told(), LIMITS.clusterShared);
  clock.ms += LIMITS.clusterSharedMs;
  await pass(1_000);
  told();
  await pass(1_000);
  assert.equal(told(), 0);
});

test('no key, hash or client token is told, only names and ids', async () => {
  const told: string[] = [];
  const keyring = new Keyring({ authToken: 'shared', keysFile: 'keys', tokenSecret: SECRET });
  keyring.take([entry('anna', 'A-secret-key', { streams: 3, perMinute: 9 })]);
  keyring.join({
    available: true,
    exchange: async (uses, spendings) => {
      told.push(...uses.map(({ id }) => id), ...spendings.map(({ name }) => name));
      return { others: uses.map(() => 0), left: spendings.map(() => 1) };
    },
  });
  const { text } = keyring.issue(['A-secret-key'], tokenRequest.parse({ streams: 1 }));
  for (const key of ['A-secret-key', 'shared', text]) arrive(keyring, key).takeStream();
  await pass(1_300);
  assert.ok(told.length > 0);
  for (const id of told) {
    assert.match(id, /^((key:(anna|auth-token)|token:[\w-]{12}):(streams|uploads)|anna)$/);
  }
});

test('an open server shares nothing', async () => {
  const { fleet } = fleetOf([]);
  const open = new Keyring({ authToken: '', keysFile: '', tokenSecret: '' });
  open.join(fleet.seenBy('open'));
  fleet.exchanges = [];
  open.who(['x']).countRequest();
  open.who(['x']).takeStream();
  await pass(150);
  assert.deepEqual(fleet.exchanges, []);
});
