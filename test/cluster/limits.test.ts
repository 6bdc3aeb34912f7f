/** What servers tell each other of the use of keys, in a real Redis. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RedisCluster } from '../../src/cluster/redis-cluster.js';
import { fleetName, fleetSuite, joined } from '../helpers/fleet.js';
import { skipWithoutRedis, TestRedis, until } from '../helpers/redis.js';

const STREAMS = 'key:anna:streams';

describe('the limits of keys in a fleet', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  const fleet = fleetSuite();
  async function servers(name: string, count: number): Promise<RedisCluster[]> {
    for (let i = 0; i < count; i++) await fleet.server(name, { timing: { beatMs: 20 } });
    return fleet.opened;
  }
  const uses = async (at: RedisCluster | undefined, count: number, id = STREAMS) =>
    (await at?.limits.exchange([{ id, count }], []))?.others[0];
  const spend = async (at: RedisCluster | undefined, spent: number, perMinute = 600) =>
    (await at?.limits.exchange([], [{ name: 'anna', perMinute, spent }]))?.left[0] ?? Number.NaN;

  test('each is answered the sum of what the others use', async () => {
    const [a, b, c] = await servers(fleetName(), 3);
    assert.equal(await uses(a, 3), 0);
    assert.equal(await uses(b, 4), 3);
    assert.equal(await uses(c, 0), 7);
    assert.equal(await uses(a, 1), 4);
    assert.equal(await uses(c, 0), 5);
    assert.equal(await uses(b, 0, 'key:anna:uploads'), 0, 'another counter');
    assert.equal(await uses(a, 0), 4);
    assert.equal(await uses(c, 0), 4);
  });

  test('many are exchanged in one call, in order', async () => {
    const [a, b] = await servers(fleetName(), 2);
    const some = Array.from({ length: 500 }, (_, i) => ({ id: `token:t${i}:streams`, count: i }));
    const rates = Array.from({ length: 500 }, (_, i) => ({ name: `k${i}`, perMinute: 999_999, spent: i }));
    await a?.limits.exchange(some, rates);
    const answer = await b?.limits.exchange([...some].reverse(), rates);
    assert.deepEqual(
      answer?.others,
      [...some].reverse().map(({ count }) => count),
    );
    for (const [i, left] of (answer?.left ?? []).entries()) {
      const known = 999_999 - 2 * i;
      assert.ok(left >= known && left <= 999_999, `${i}: ${left}`);
    }
    assert.equal(answer?.left.length, 500);
  });

  test('a server that leaves uses nothing at once, one that is killed when its lease ends', async () => {
    const name = fleetName();
    const [a, b] = await servers(name, 2);
    await uses(b, 5);
    assert.equal(await uses(a, 0), 5);
    await b?.close();
    assert.equal(await uses(a, 0), 0);
    await fleet.plain.send(['ZADD', `{${name}}:nodes`, '9e15', 'lives']);
    await fleet.plain.send(['ZADD', `{${name}}:nodes`, '1', 'dead']);
    for (const [node, count] of [['lives', '2'], ['dead', '3'], ['unknown', '4']]) // biome-ignore format: a table
      await fleet.plain.send(['HSET', `{${name}}:uses:${STREAMS}`, node ?? '', count ?? '']);
    assert.equal(await uses(a, 1), 2);
    const held = await fleet.plain.send(['HKEYS', `{${name}}:uses:${STREAMS}`]);
    assert.ok(Array.isArray(held));
    assert.deepEqual(held.map(String).sort(), ['lives', a?.node ?? ''].sort(), 'the dead are forgotten');
  });

  test('requests are taken from one bucket, which refills by the minute and is overdrawn by a minute at most', async () => {
    const name = fleetName();
    const [a, b] = await servers(name, 2);
    const first = await spend(a, 100);
    assert.ok(first >= 500 && first < 600, `${first}`);
    const second = await spend(b, 400);
    assert.ok(second >= 100 && second < 200, `${second}`);
    const deep = await spend(a, 5_000);
    assert.ok(deep >= -600 && deep < -500, `${deep}`);
    // As if a minute had passed.
    const at = await fleet.plain.send(['HGET', `{${name}}:rate:anna`, 'at']);
    await fleet.plain.send(['HSET', `{${name}}:rate:anna`, 'tokens', '0', 'at', String(Number(at) - 30_000)]);
    const half = await spend(b, 0);
    assert.ok(half >= 300 && half < 400, `${half}`);
    await fleet.plain.send(['HSET', `{${name}}:rate:anna`, 'tokens', '7', 'at', '9e15']);
    assert.equal(Math.floor(await spend(b, 0)), 7, 'a clock that went back gives nothing');
    assert.ok((await spend(a, 0, 3)) <= 3, 'a smaller limit holds at once');
  });

  test('nothing stays without a time to live, and a fleet has its own', async () => {
    const name = fleetName();
    const [a] = await servers(name, 1);
    await uses(a, 3);
    await spend(a, 1);
    const keys = (await fleet.plain.send(['KEYS', `{${name}}:*`])) as readonly Buffer[];
    assert.ok(keys.length >= 4);
    for (const key of keys) {
      const leftMs = await fleet.plain.send(['PTTL', key]);
      assert.ok(typeof leftMs === 'number' && leftMs > 0 && leftMs <= 120_000, `${key}: ${leftMs}`);
    }
    const [stranger] = (await servers(fleetName(), 1)).slice(-1);
    assert.equal(await uses(stranger, 0), 0);
    await uses(a, 0);
    assert.equal(await fleet.plain.send(['EXISTS', `{${name}}:uses:${STREAMS}`]), 0);
  });

  test('without Redis the exchange fails at once, and says that it is away', async () => {
    const own = await TestRedis.start();
    const cluster = await joined(own.url, fleetName(), { timing: { beatMs: 20, retryMs: 100 } });
    try {
      assert.equal(cluster.limits.available, true);
      await own.stop();
      await until('it is missed', () => !cluster.limits.available);
      await assert.rejects(uses(cluster, 1), /not connected/);
    } finally {
      await cluster.close();
      await own.stop();
    }
  });
});
