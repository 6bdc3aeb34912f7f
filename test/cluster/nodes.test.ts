import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BEAT, CLAIM } from '../../src/cluster/nodes.js';
import type { ClusterOptions, RedisCluster } from '../../src/cluster/redis-cluster.js';
import { FACTS, fleetName, fleetSuite } from '../helpers/fleet.js';
import { skipWithoutRedis, until } from '../helpers/redis.js';

describe('the servers of a fleet', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  const fleet = fleetSuite();
  async function server(name: string, options: Partial<ClusterOptions> = {}): Promise<RedisCluster> {
    return fleet.server(name, { timing: { beatMs: 20 }, ...options });
  }
  const others = (cluster: RedisCluster) => cluster.nodes().slice(1);

  test('each sees what the others say of themselves, as it changes', async () => {
    const name = fleetName();
    const here = await server(name);
    let streams = 3;
    const there = await server(name, {
      address: () => '10.0.0.2:9000',
      facts: () => ({ ...FACTS, streams }),
    });
    await until('they see each other', () => others(here).length === 1 && others(there).length === 1);
    const { started_at, ...seen } = others(here)[0] ?? assert.fail();
    assert.deepEqual(seen, { ...FACTS, id: there.node, address: '10.0.0.2:9000', streams: 3 });
    assert.ok(Math.abs(Date.parse(started_at) - Date.now()) < 60_000);
    streams = 4;
    await until('the change is seen', () => others(here)[0]?.streams === 4);
    assert.deepEqual(here.nodes()[0]?.id, here.node);
  });

  test('one that leaves is gone at once, with all that it wrote of itself', async () => {
    const name = fleetName();
    const [here, there] = [await server(name), await server(name)];
    assert.ok(await there.claimClient('anna'));
    await until('it is seen', () => others(here).length === 1);
    await there.close();
    await until('it is gone', () => others(here).length === 0);
    assert.ok(await here.claimClient('anna'));
    const left = await fleet.plain.send(['KEYS', `{${name}}:*${there.node}`]);
    assert.deepEqual(left, []);
  });

  test('one that is killed vanishes with its lease, and its client_ids are free', async () => {
    const name = fleetName();
    const here = await server(name);
    const [nodes, prefix] = [`{${name}}:nodes`, `{${name}}:`];
    const said = JSON.stringify({
      ...FACTS,
      id: 'dead',
      address: 'h:1',
      started_at: new Date().toISOString(),
    });
    await fleet.plain.run(BEAT, [nodes], [prefix, 'dead', '60000', said]);
    assert.equal(await fleet.plain.run(CLAIM, [nodes], [prefix, 'dead', '60000', 'anna', '9e15']), 1);
    assert.equal(await here.claimClient('anna'), false, 'while the lease lasts');
    await until('it is seen', () => others(here)[0]?.id === 'dead');
    await fleet.plain.run(BEAT, [nodes], [prefix, 'dead', '100', said]); // its last one
    await until('it is gone', () => others(here).length === 0);
    assert.equal(await here.claimClient('anna'), true);
  });

  test('what cannot be read is left out', async () => {
    const name = fleetName();
    const here = await server(name);
    const [nodes, prefix] = [`{${name}}:nodes`, `{${name}}:`];
    await fleet.plain.run(BEAT, [nodes], [prefix, 'odd', '60000', '{"id":7}']);
    await fleet.plain.run(BEAT, [nodes], [prefix, 'none', '60000', 'no JSON']);
    await fleet.plain.run(
      BEAT,
      [nodes],
      [
        prefix,
        'newer',
        '60000',
        JSON.stringify({ ...FACTS, id: 'newer', address: 'h:1', started_at: 'x', colour: 'red' }),
      ],
    );
    await until('the one that can be read is seen', () => others(here).length > 0);
    assert.deepEqual(
      others(here).map(({ id }) => id),
      ['newer'],
    );
    assert.ok(here.available);
  });

  test('a client_id is one server’s at a time; of many that ask at once one gets it', async () => {
    const name = fleetName();
    const servers = [await server(name), await server(name), await server(name)];
    const granted = await Promise.all(servers.map((it) => it.claimClient('anna')));
    assert.equal(granted.filter((it) => it).length, 1);
    const holder = servers[granted.indexOf(true)] ?? assert.fail();
    assert.ok(await holder.claimClient('anna'), 'its own server knows better');
    holder.releaseClient('anna');
    const rest = servers.filter((it) => it !== holder);
    assert.equal(await rest[0]?.claimClient('anna'), false, 'claimed twice, given back once');
    holder.releaseClient('anna');
    await until('it is free', async () => (await rest[0]?.claimClient('anna')) === true);
    assert.equal(await rest[1]?.claimClient('anna'), false);
  });

  test('a server is asked whether a client that another one wants is alive', async () => {
    const name = fleetName();
    const [here, there] = [await server(name), await server(name)];
    const asked: string[] = [];
    here.onAsked((clientId) => asked.push(clientId));
    assert.ok(await here.claimClient('anna'));
    assert.equal(await there.claimClient('anna'), false);
    assert.equal(await there.claimClient('anna'), false);
    await until('it was asked', () => asked.length > 0);
    assert.ok(asked.every((id) => id === 'anna'));
  });

  test('who looks whether a client_id is free keeps it from nobody, and bothers nobody', async () => {
    const name = fleetName();
    const [here, there] = [await server(name), await server(name)];
    const asked: string[] = [];
    here.onAsked((clientId) => asked.push(clientId));
    const looks = Array.from({ length: 20 }, () => there.isHeldElsewhere('anna'));
    assert.ok(await here.claimClient('anna'), 'while the other one looks');
    await Promise.all(looks);
    assert.equal(await there.isHeldElsewhere('anna'), true);
    assert.equal(await here.isHeldElsewhere('anna'), false, 'it is held here');
    assert.equal(await fleet.plain.send(['EXISTS', `{${name}}:asked:${here.node}`]), 0);
    assert.deepEqual(asked, []);
    here.releaseClient('anna');
    await until('it is free', async () => !(await there.isHeldElsewhere('anna')));
  });

  test('a client_id stays held when an earlier session ends while the next one claims it', async () => {
    const name = fleetName();
    const [here, there] = [await server(name), await server(name)];
    assert.ok(await here.claimClient('anna'));
    const next = here.claimClient('anna');
    here.releaseClient('anna');
    assert.equal(await next, true);
    assert.equal(await there.claimClient('anna'), false);
    here.releaseClient('anna');
    await until('it is free', () => there.claimClient('anna'));
    assert.equal(await here.claimClient('anna'), false);
    assert.equal(await here.claimClient('anna'), false, 'nor does a refusal count as one');
    there.releaseClient('anna');
    await until('it is free again', () => here.claimClient('anna'));
    here.releaseClient('anna');
    await until('and released', () => there.claimClient('anna'));
  });

  test('a session that is taken over brings its client_id along', async () => {
    const name = fleetName();
    const [here, there, third] = [await server(name), await server(name), await server(name)];
    assert.ok(await here.claimClient('anna'));
    const record = { key: 'k', clientId: 'anna', tokens: ['hash-1'], bytes: Uint8Array.of(1) };
    await here.store.write('s1', 1, record, 60_000);
    assert.ok(await there.store.take('hash-1', 'k'));
    assert.equal(await third.claimClient('anna'), false);
    here.releaseClient('anna'); // the session that was left ends
    assert.equal(await third.claimClient('anna'), false);
    there.releaseClient('anna');
    await until('it is free', () => third.claimClient('anna'));
  });
});
