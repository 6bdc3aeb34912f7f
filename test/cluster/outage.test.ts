import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { pino } from 'pino';
import type { ClusterOptions, RedisCluster } from '../../src/cluster/redis-cluster.js';
import { LIMITS } from '../../src/limits.js';
import { inPackage } from '../../src/paths.js';
import { fleetName, joined, lookInto, record, unopened } from '../helpers/fleet.js';
import { skipWithoutRedis, TestRedis, until } from '../helpers/redis.js';

const TTL_MS = 60_000;
/** Of the tests: a server notices sooner that Redis is gone or back, and no busy machine makes it think so. */
const QUICK = { callMs: 5_000, stallMs: 10_000, retryMs: 100, beatMs: 20 };
/** Where Redis is frozen: nobody waits long for what does not come. */
const IMPATIENT = { ...QUICK, callMs: 500, stallMs: 1_200, claimMs: 250 };

describe('a fleet whose Redis goes away', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  const opened: RedisCluster[] = [];
  const started: TestRedis[] = [];
  afterEach(async () => {
    for (const cluster of opened.splice(0)) await cluster.close();
    for (const redis of started.splice(0)) await redis.stop();
  });

  /** What a server says in its log, line by line. */
  function logged(): { log: ClusterOptions['log']; lines: { level: number; msg: string }[]; text(): string } {
    const lines: { level: number; msg: string }[] = [];
    const log = pino({ level: 'info' }, { write: (text: string) => lines.push(JSON.parse(text)) });
    return { log, lines, text: () => JSON.stringify(lines) };
  }
  const away = (lines: readonly { msg: string }[]) =>
    lines.filter(({ msg }) => /fleet is not available/.test(msg)).length;
  const there = (lines: readonly { msg: string }[]) =>
    lines.filter(({ msg }) => /fleet is available/.test(msg)).length;

  async function reserved(...args: string[]): Promise<TestRedis> {
    const redis = await TestRedis.reserve(...args);
    started.push(redis);
    return redis;
  }
  async function running(...args: string[]): Promise<TestRedis> {
    const redis = await reserved(...args);
    await redis.start();
    return redis;
  }
  function server(url: string, name: string, options: Partial<ClusterOptions> = {}): RedisCluster {
    const cluster = unopened(url, name, { timing: QUICK, ...options });
    opened.push(cluster);
    cluster.open();
    return cluster;
  }

  test('a server that starts without it goes on by itself, says so once, and joins when it is there', async () => {
    const redis = await reserved();
    const { log, lines } = logged();
    const cluster = server(redis.url, fleetName(), { log });
    await until('it has tried', () => cluster.trouble !== null);
    const first = cluster.trouble;
    assert.match(String(first), /ECONNREFUSED/);
    assert.equal(cluster.available, false);
    assert.equal(await cluster.claimClient('anna'), true);
    await assert.rejects(cluster.store.write('s1', 1, record(), TTL_MS), /not connected/);
    await assert.rejects(cluster.store.take('hash-1', 'key'), /not connected/);
    assert.deepEqual(
      cluster.nodes().map(({ id }) => id),
      [cluster.node],
    );
    await redis.start();
    await until('it has joined', () => cluster.available);
    assert.equal(cluster.trouble, null);
    assert.equal(await cluster.store.write('s1', 1, record(), TTL_MS), 'written');
    assert.deepEqual([away(lines), there(lines), lines.length], [1, 1, 2]);
  });

  test('when it comes back empty, servers and client_ids are written again, and sessions are told to be', async () => {
    const redis = await running();
    const name = fleetName();
    const { log, lines } = logged();
    const [here, other] = [server(redis.url, name, { log }), server(redis.url, name)];
    await until('both have joined', () => here.nodes().length === 2 && other.nodes().length === 2);
    for (const id of ['anna', 'bert', 'cleo']) assert.ok(await here.claimClient(id));
    await here.store.write('s1', 1, record(), TTL_MS);
    for (let round = 1; round <= 2; round++) {
      await redis.stop();
      await until('it is missed', () => !here.available && !other.available);
      if (round === 1) here.releaseClient('bert');
      await redis.start();
      await until('both are back', () => here.available && other.available);
      await until('both are seen', () => here.nodes().length === 2 && other.nodes().length === 2);
      assert.equal(await other.claimClient('anna'), false);
      assert.equal(await other.claimClient('cleo'), false);
      assert.equal(await here.store.touch('s1', 1, TTL_MS), 'lost');
      assert.equal(await here.store.write('s1', 1, record(), TTL_MS), 'written');
    }
    assert.ok(await other.claimClient('bert'), 'given back while Redis was away');
    assert.deepEqual([away(lines), there(lines)], [2, 3]);
  });

  test('what was given back during an outage is free, though Redis still knows it', async () => {
    const redis = await running();
    const name = fleetName();
    const [here, other] = [
      server(redis.url, name, { timing: IMPATIENT }),
      server(redis.url, name, { timing: IMPATIENT }),
    ];
    await until('both have joined', () => here.nodes().length === 2 && other.available);
    assert.ok(await here.claimClient('anna'));
    redis.freeze();
    await until('it is missed', () => !here.available);
    here.releaseClient('anna');
    redis.thaw();
    await until('it is back', () => here.available && other.available);
    await until('it is free', () => other.claimClient('anna'));
  });

  test('one that takes connections and answers nothing holds nobody up', async () => {
    const redis = await running();
    const cluster = server(redis.url, fleetName(), { timing: IMPATIENT });
    await until('it has joined', () => cluster.available);
    redis.freeze();
    const startMs = performance.now();
    await assert.rejects(cluster.store.write('s1', 1, record(), TTL_MS), /no answer within/);
    assert.equal(await cluster.claimClient('anna'), true);
    assert.ok(performance.now() - startMs < 10_000);
    await until('it is missed', () => !cluster.available);
    redis.thaw();
    await until('it is back', () => cluster.available);
    assert.equal(await cluster.store.write('s1', 1, record(), TTL_MS), 'written');
  });

  test('what nobody waits for any more is not done: no session is taken, no newer record replaced, no client_id claimed', async () => {
    const redis = await running();
    const name = fleetName();
    const [here, there, third] = [
      server(redis.url, name, { timing: IMPATIENT }),
      server(redis.url, name, { timing: IMPATIENT }),
      server(redis.url, name, { timing: IMPATIENT }),
    ];
    await until('all have joined', () => [here, there, third].every(({ available }) => available));
    assert.equal(await here.store.write('s1', 1, record(), TTL_MS), 'written');
    redis.freeze();
    const late = [
      there.store.take('hash-1', record().key),
      here.store.write('s1', 1, record({ bytes: Uint8Array.of(1) }), TTL_MS),
      there.claimClient('bert').then(() => there.releaseClient('bert')),
    ];
    const given = await Promise.allSettled(late);
    assert.deepEqual(
      given.map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled'],
    );
    await until('it is missed', () => !here.available && !there.available);
    redis.thaw();
    await until('all are back', () => [here, there, third].every(({ available }) => available));
    assert.equal(await here.store.write('s1', 1, record({ bytes: Uint8Array.of(2) }), TTL_MS), 'written');
    const taken = await third.store.take('hash-1', record().key);
    assert.deepEqual([taken?.epoch, [...(taken?.bytes ?? [])]], [2, [2]]);
    assert.equal(await third.claimClient('bert'), true);
  });

  test('calls under way are bounded, and count until they are answered', async () => {
    const redis = await running();
    const cluster = server(redis.url, fleetName(), { timing: { ...IMPATIENT, stallMs: 60_000 } });
    await until('it has joined', () => cluster.available);
    redis.freeze();
    const touches = Array.from({ length: LIMITS.clusterCalls + 100 }, (_, i) =>
      cluster.store.touch(`s${i}`, 1, TTL_MS).then(
        () => 'answered',
        (error: Error) => error.message,
      ),
    );
    const outcomes = await Promise.all(touches);
    const refused = outcomes.filter((outcome) => outcome === 'too many calls are under way').length;
    assert.ok(refused >= 100 && refused <= 110, `${refused}`);
    await assert.rejects(
      cluster.store.touch('s1', 1, TTL_MS),
      /too many calls/,
      'nobody waits for them any more',
    );
    redis.thaw();
    await until('it is back', () => cluster.available);
    assert.equal(await cluster.store.touch('s1', 1, TTL_MS), 'lost');
  });

  test('a wrong password is trouble, and stands in no log; the right one is good', async () => {
    const redis = await running('--requirepass', 'correct horse');
    const at = (password: string) => redis.url.replace('//', `//:${encodeURIComponent(password)}@`);
    const { log, text } = logged();
    const stranger = server(at('battery staple'), fleetName(), { log });
    await until('it was refused', () => /WRONGPASS/.test(String(stranger.trouble)));
    const friend = server(at('correct horse'), fleetName(), { log });
    await until('it has joined', () => friend.available);
    assert.equal(stranger.available, false);
    assert.doesNotMatch(text(), /horse|battery|staple/);
    assert.match(text(), /WRONGPASS/);
  });

  test('one that may only be read is not available until it may be written to again', async () => {
    const redis = await running();
    const cluster = server(redis.url, fleetName());
    await until('it has joined', () => cluster.available);
    const link = await lookInto(redis.url);
    await link.send(['REPLICAOF', '127.0.0.1', '1']);
    await until('it is missed', () => !cluster.available);
    assert.match(String(cluster.trouble), /READONLY/);
    await link.send(['REPLICAOF', 'NO', 'ONE']);
    await until('it is back', () => cluster.available);
    link.close();
  });
});

describe('a user and a database of its own', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  let redis: TestRedis;
  before(async () => {
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());

  test('a user with the rights that docs/DEPLOYMENT.md names has enough, for the keys of its fleet only', async () => {
    const rights = /`~\{rnnt\}:\* ([^`]+)`/.exec(readFileSync(inPackage('docs/DEPLOYMENT.md'), 'utf8'))?.[1];
    assert.ok(rights !== undefined);
    const name = fleetName();
    const link = await lookInto(redis.url);
    await link.send(['ACL', 'SETUSER', 'speech', 'on', '>pass', `~{${name}}:*`, ...rights.split(' ')]);
    link.close();
    const as = redis.url.replace('//', '//speech:pass@');
    const [here, there] = [await joined(as, name), await joined(as, name)];
    assert.ok(await here.claimClient('anna'));
    assert.equal(await there.claimClient('anna'), false);
    assert.equal(await here.store.write('s1', 1, record(), TTL_MS), 'written');
    assert.equal(await here.store.touch('s1', 1, TTL_MS), 'written');
    assert.equal((await there.store.take('hash-1', record().key))?.epoch, 2);
    await there.store.remove('s1', 2);
    const stranger = unopened(as, fleetName(), { timing: QUICK });
    stranger.open();
    await until('it was refused', () => /NOPERM|No permissions|can't access/i.test(String(stranger.trouble)));
    for (const cluster of [here, there, stranger]) await cluster.close();
  });

  test('fleets of one name in two databases do not meet', async () => {
    const name = fleetName();
    const [first, second] = [await joined(redis.url, name), await joined(`${redis.url}/1`, name)];
    await first.store.write('s1', 1, record(), TTL_MS);
    assert.equal(await second.store.take('hash-1', record().key), null);
    assert.equal((await first.store.take('hash-1', record().key))?.id, 's1');
    await first.close();
    await second.close();
  });
});
