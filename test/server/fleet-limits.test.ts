/** A key is used on two servers of a fleet: its limits are those of one key. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lineOf, NO_LIMITS, sha256 } from '../../src/auth/key-file.js';
import { fleetName, lookInto } from '../helpers/fleet.js';
import { skipWithoutRedis, TestRedis, until } from '../helpers/redis.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

const SECRET = 'a secret of the fleet, 32 characters at least';
const folder = mkdtempSync(join(tmpdir(), 'keys-'));
const keysFile = join(folder, 'keys');
after(() => rmSync(folder, { recursive: true }));
const line = (name: string, key: string, limits: object = {}) =>
  lineOf({ ...NO_LIMITS, name, hash: sha256(key), ...limits });
writeFileSync(
  keysFile,
  [line('anna', 'A', { streams: 2 }), line('bert', 'B', { perMinute: 4 }), line('cleo', 'C')].join('\n'),
);

describe('limits of a key on the servers of a fleet', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  let redis: TestRedis;
  const servers: ScriptedServer[] = [];
  const name = fleetName();
  before(async () => {
    redis = await TestRedis.start();
    const options = { cluster: redis.url, clusterName: name, keysFile, tokenSecret: SECRET };
    for (let i = 0; i < 2; i++) servers.push(await startScriptedServer(options, { slots: 8 }));
    await until('all are there', () => servers.every(({ server }) => server.context.cluster?.available));
  });
  after(async () => {
    for (const server of servers) await server.stop();
    await redis?.stop();
  });
  const server = (at: number) => servers[at] ?? assert.fail();
  const tries = async (at: number, key: string): Promise<{ code: string; client: TestClient }> => {
    const client = await TestClient.open(`${server(at).ws}?token=${key}`);
    client.say({ type: 'start_recording' });
    const answers = () => [...client.all('error'), ...client.all('recording_started')];
    await until('it is answered', () => answers().length > 0);
    return { code: String(answers()[0]?.code ?? 'fine'), client };
  };
  const usesAt = (at: number, id: string) => server(at).server.context.keyring.uses.total(id);

  test('streams on one count on the other, and a server that stops gives its own back', async () => {
    const first = await tries(0, 'A');
    const second = await tries(1, 'A');
    assert.deepEqual([first.code, second.code], ['fine', 'fine']);
    await until('they know of each other', () => [0, 1].every((i) => usesAt(i, 'key:anna:streams') === 2));
    const third = await tries(1, 'A');
    assert.equal(third.code, 'KEY_LIMIT');
    await first.client.close();
    await until('it is free', () => usesAt(1, 'key:anna:streams') === 1);
    third.client.say({ type: 'start_recording' });
    await third.client.until('recording_started');
    await second.client.close();
    await third.client.close();
  });

  test('requests of both are taken from one bucket', async () => {
    const ask = async (at: number) =>
      (
        await fetch(`${server(at).http}/auth/token`, {
          method: 'POST',
          headers: { authorization: 'Bearer B' },
        })
      ).status;
    assert.deepEqual([await ask(0), await ask(0), await ask(0)], [200, 200, 200]);
    const link = await lookInto(redis.url);
    const told = async () => Number(await link.send(['HGET', `{${name}}:rate:bert`, 'tokens'])) < 1.5;
    await until('the fleet knows', told);
    link.close();
    assert.equal(await ask(1), 200, 'it hears of the bucket now');
    await until('it is empty', async () => (await ask(1)) === 429);
  });

  test('a client token that one server gave is good on the other, its bound on both together', async () => {
    const answer = await fetch(`${server(0).http}/auth/token`, {
      method: 'POST',
      headers: { authorization: 'Bearer C', 'content-type': 'application/json' },
      body: '{"streams":1}',
    });
    const { token } = (await answer.json()) as { token: string };
    const { id } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      id: string;
    };
    const first = await tries(0, token);
    assert.equal(first.code, 'fine');
    const second = await TestClient.open(`${server(1).ws}?token=${token}`);
    await until('it knows', () => usesAt(1, `token:${id}:streams`) === 1);
    second.say({ type: 'start_recording' });
    assert.equal((await second.until('error')).code, 'KEY_LIMIT');
    await first.client.close();
    await second.close();
  });

  test('when Redis is gone each server goes by its own streams', async () => {
    await until('the others’ are over', () => [0, 1].every((i) => usesAt(i, 'key:anna:streams') === 0));
    const first = await tries(0, 'A');
    const second = await tries(0, 'A');
    assert.deepEqual([first.code, second.code], ['fine', 'fine']);
    await until('it is known', () => usesAt(1, 'key:anna:streams') === 2);
    await redis.stop();
    await until('what was heard is too old', () => usesAt(1, 'key:anna:streams') === 0);
    const third = await tries(1, 'A');
    assert.equal(third.code, 'fine');
    assert.equal((await tries(0, 'A')).code, 'KEY_LIMIT');
    for (const { client } of [first, second, third]) await client.close();
  });
});
