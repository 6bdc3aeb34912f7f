import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { FleetKeys } from '../../src/cluster/keys.js';
import { Script } from '../../src/cluster/link.js';
import { RedisSessionStore } from '../../src/cluster/redis-store.js';
import { fleetName, fleetSuite, record } from '../helpers/fleet.js';
import { skipWithoutRedis, until } from '../helpers/redis.js';

const TTL_MS = 60_000;

describe('sessions in Redis', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  const fleet = fleetSuite();
  const server = (name: string) => fleet.server(name);
  const two = async () => {
    const name = fleetName();
    return { name, here: await server(name), there: await server(name) };
  };
  const keysOf = async (name: string): Promise<string[]> => {
    const found = await fleet.plain.send(['KEYS', `{${name}}:*`]);
    return (Array.isArray(found) ? found : []).map(String);
  };

  test('what one server wrote another takes over, byte for byte, with the next epoch', async () => {
    const { here, there } = await two();
    const bytes = randomBytes(100_000);
    const written = record({ bytes: new Uint8Array(bytes), tokens: ['hash+1/=', 'hash-2'] });
    assert.equal(await here.store.write('s1', 1, written, TTL_MS), 'written');
    const taken = await there.store.take('hash+1/=', written.key);
    assert.ok(taken !== null);
    assert.deepEqual(Buffer.from(taken.bytes), bytes);
    const { bytes: _, ...rest } = taken;
    assert.deepEqual(rest, {
      id: 's1',
      epoch: 2,
      key: written.key,
      clientId: written.clientId,
      tokens: written.tokens,
    });
  });

  test('a server that was thought dead writes nothing more, and is told', async () => {
    const { here, there } = await two();
    await here.store.write('s1', 1, record(), TTL_MS);
    await there.store.take('hash-1', record().key);
    assert.equal(await here.store.write('s1', 1, record({ bytes: Uint8Array.of(9) }), TTL_MS), 'taken');
    assert.equal(await here.store.touch('s1', 1, TTL_MS), 'taken');
    await here.store.remove('s1', 1);
    const again = await here.store.take('hash-1', record().key);
    assert.deepEqual([again?.epoch, [...(again?.bytes ?? [])]], [3, [...record().bytes]]);
  });

  test('of two that take a session over at once the later one has it', async () => {
    const { here, there } = await two();
    await here.store.write('s1', 1, record(), TTL_MS);
    const takers = [here, there];
    const taken = await Promise.all(takers.map(({ store }) => store.take('hash-1', record().key)));
    assert.deepEqual(taken.map((it) => it?.epoch).sort(), [2, 3]);
    const outcomes = await Promise.all(
      takers.map(({ store }, i) => store.write('s1', taken[i]?.epoch ?? 0, record(), TTL_MS)),
    );
    assert.equal(outcomes[taken.findIndex((it) => it?.epoch === 3)], 'written');
    assert.equal(await here.store.write('s1', 2, record(), TTL_MS), 'taken');
  });

  test('a token that is not of the newest record leads nowhere', async () => {
    const { here, there } = await two();
    await here.store.write('s1', 1, record({ tokens: ['old', 'used'] }), TTL_MS);
    await here.store.write('s1', 1, record({ tokens: ['used', 'new'] }), TTL_MS);
    assert.equal(await there.store.take('old', record().key), null);
    assert.equal((await there.store.take('used', record().key))?.id, 's1');
    assert.equal((await there.store.take('new', record().key))?.id, 's1');
  });

  test('a write that is read after a later one changes nothing', async () => {
    const { here, there, name } = await two();
    const spied: [string, (string | Buffer)[]][] = [];
    const late = new RedisSessionStore(
      {
        available: true,
        deadline: () => '0',
        run: async (script, _, args) => {
          spied.push([script.text, [...args]]);
          return 1;
        },
      },
      new FleetKeys(name),
      { node: 'n', leaseMs: 1_000, took() {} },
    );
    for (const byte of [1, 2]) await late.write('s1', 1, record({ bytes: Uint8Array.of(byte) }), TTL_MS);
    for (const [text, args] of spied.reverse())
      await fleet.plain.run(new Script(text), [`{${name}}:session:s1`], args);
    const taken = await there.store.take('hash-1', record().key);
    assert.deepEqual([...(taken?.bytes ?? [])], [2]);
    assert.equal(await there.store.write('s1', 2, record({ bytes: Uint8Array.of(3) }), TTL_MS), 'written');
    assert.deepEqual([...((await here.store.take('hash-1', record().key))?.bytes ?? [])], [3]);
  });

  test('another key, an unknown token and another fleet find nothing, and change nothing', async () => {
    const { here, there } = await two();
    const other = await server(fleetName());
    await here.store.write('s1', 1, record(), TTL_MS);
    assert.equal(await there.store.take('hash-1', 'key of bert'), null);
    assert.equal(await there.store.take('hash-9', record().key), null);
    assert.equal(await other.store.take('hash-1', record().key), null);
    assert.equal(await here.store.touch('s1', 1, TTL_MS), 'written');
  });

  test('a session that is over is gone, and a server that wakes cannot bring it back', async () => {
    const { here, there } = await two();
    await here.store.write('s1', 1, record(), TTL_MS);
    await there.store.take('hash-1', record().key);
    await there.store.remove('s1', 2);
    assert.equal(await there.store.take('hash-1', record().key), null);
    assert.equal(await here.store.write('s1', 1, record(), TTL_MS), 'taken');
    assert.equal(await here.store.touch('s1', 1, TTL_MS), 'taken');
    assert.equal(await here.store.take('hash-1', record().key), null);
  });

  test('a session that was never written is removed without a trace', async () => {
    const { here, name } = await two();
    const before = await keysOf(name);
    await here.store.remove('s1', 1);
    assert.deepEqual((await keysOf(name)).sort(), before.sort());
  });

  test('a touch says when there is nothing left, and lengthens what there is', async () => {
    const { here, name } = await two();
    assert.equal(await here.store.touch('s1', 1, TTL_MS), 'lost');
    await here.store.write('s1', 1, record(), 10_000);
    assert.equal(await here.store.touch('s1', 1, TTL_MS), 'written');
    for (const key of [`{${name}}:session:s1`, `{${name}}:token:hash-1`]) {
      const leftMs = await fleet.plain.send(['PTTL', key]);
      assert.ok(typeof leftMs === 'number' && leftMs > 50_000, `${key}: ${leftMs}`);
    }
    await fleet.plain.send(['DEL', `{${name}}:token:hash-1`]);
    assert.equal(await here.store.touch('s1', 1, TTL_MS), 'lost');
  });

  test('a record ends with its time', async () => {
    const { here, there } = await two();
    await here.store.write('s1', 1, record(), 1);
    await until('it is gone', async () => (await here.store.touch('s1', 1, 1)) === 'lost');
    assert.equal(await there.store.take('hash-1', record().key), null);
  });

  test('nothing is without a time to live', async () => {
    const { here, there, name } = await two();
    assert.ok(await here.claimClient('anna'));
    assert.equal(await there.claimClient('anna'), false);
    await here.store.write('s1', 1, record(), TTL_MS);
    await here.store.write('s2', 1, record({ tokens: ['hash-2'] }), TTL_MS);
    await there.store.take('hash-1', record().key);
    await here.store.remove('s2', 1);
    const keys = await keysOf(name);
    assert.ok(keys.length >= 7, keys.join(' '));
    for (const key of keys) {
      const leftMs = await fleet.plain.send(['PTTL', key]);
      assert.ok(typeof leftMs === 'number' && leftMs > 0 && leftMs <= 600_000, `${key}: ${leftMs}`);
    }
  });

  test('programs that Redis has forgotten are sent again', async () => {
    const { here } = await two();
    await fleet.plain.send(['SCRIPT', 'FLUSH']);
    assert.equal(await here.store.write('s1', 1, record(), TTL_MS), 'written');
    assert.equal(await here.store.write('s1', 1, record(), TTL_MS), 'written');
  });

  test('what is larger than all that may be under way is refused', async () => {
    const { here } = await two();
    const bytes = new Uint8Array(65 << 20);
    await assert.rejects(
      here.store.write('s1', 1, record({ bytes }), TTL_MS),
      /too many calls are under way/,
    );
    assert.equal(await here.store.write('s1', 1, record(), TTL_MS), 'written');
  });
});
