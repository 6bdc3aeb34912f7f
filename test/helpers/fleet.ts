/** Servers of a fleet as far as src/cluster goes: no engine, no sockets. */
import { after, afterEach, before } from 'node:test';
import { RedisLink } from '../../src/cluster/link.js';
import type { NodeFacts } from '../../src/cluster/nodes.js';
import { type ClusterOptions, RedisCluster } from '../../src/cluster/redis-cluster.js';
import type { SessionRecord } from '../../src/cluster/store.js';
import { silentLog } from './fake-session.js';
import { addressOfRedis, TestRedis, until } from './redis.js';

export const FACTS: NodeFacts = {
  version: '1.0.0',
  model: 'en-test',
  fingerprint: '0123456789abcdef',
  capacity: 10,
  streams: 0,
  status: 'ready',
};

/** On a busy machine Redis may answer late, and a claim that is not answered counts as granted. */
const PATIENT = { claimMs: 5_000 };

let fleets = 0;

/** A name that no other test has, on a Redis that several may share. */
export const fleetName = (): string => `test-${process.pid}-${++fleets}`;

/** A server that has joined its fleet. */
export async function joined(
  url: string,
  name: string,
  options: Partial<ClusterOptions> = {},
): Promise<RedisCluster> {
  const cluster = unopened(url, name, options);
  cluster.open();
  await until('the fleet is there', () => cluster.available);
  return cluster;
}

export function unopened(url: string, name: string, options: Partial<ClusterOptions> = {}): RedisCluster {
  return new RedisCluster({
    redis: addressOfRedis(url),
    name,
    log: silentLog,
    address: () => '127.0.0.1:8000',
    facts: () => FACTS,
    ...options,
    timing: { ...PATIENT, ...options.timing },
  });
}

export const record = (change: Partial<SessionRecord> = {}): SessionRecord => ({
  key: 'key of anna',
  clientId: 'anna',
  tokens: ['hash-1'],
  bytes: Uint8Array.of(0, 1, 254, 255, 13, 10),
  ...change,
});

/** A connection of its own to Redis, to look at what is there. */
export async function lookInto(url: string): Promise<RedisLink> {
  const link = new RedisLink(addressOfRedis(url), [], { up() {}, down() {} });
  link.open();
  await until('connected', () => link.connected);
  return link;
}

/** One Redis for the tests of a suite, and the servers that each of them opens on it. Call it in the suite. */
export function fleetSuite() {
  const opened: RedisCluster[] = [];
  let redis: TestRedis | undefined;
  let plain: RedisLink | undefined;
  before(async () => {
    redis = await TestRedis.start();
    plain = await lookInto(redis.url);
  });
  after(async () => {
    plain?.close();
    await redis?.stop();
  });
  afterEach(async () => {
    for (const cluster of opened.splice(0)) await cluster.close();
  });
  return {
    /** Closed after the test. */
    opened,
    get redis(): TestRedis {
      if (redis === undefined) throw new Error('Redis is not started yet.');
      return redis;
    },
    /** See `lookInto`. */
    get plain(): RedisLink {
      if (plain === undefined) throw new Error('Redis is not started yet.');
      return plain;
    },
    /** A server that has joined. */
    async server(name: string, options: Partial<ClusterOptions> = {}): Promise<RedisCluster> {
      const cluster = await joined(this.redis.url, name, options);
      opened.push(cluster);
      return cluster;
    },
  };
}
