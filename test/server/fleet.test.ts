import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { LIMITS } from '../../src/limits.js';
import * as answers from '../../src/server/answers.js';
import { addressOf } from '../../src/server/fleet.js';
import { fleetName, lookInto } from '../helpers/fleet.js';
import { skipWithoutRedis, TestRedis, until } from '../helpers/redis.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';
import { TestClient } from '../helpers/ws-client.js';

const json = async (url: string) => (await fetch(url)).json() as Promise<Record<string, unknown>>;
const libraryIsLoaded = () =>
  Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('@redis'));

test('a server without a fleet loads nothing of it, and has no value for its metrics', async () => {
  const alone = await startScriptedServer();
  try {
    assert.equal((await json(`${alone.http}/ws/status`)).cluster, null);
    assert.ok(!('cluster' in (await json(`${alone.http}/health/extended`))));
    const metrics = await (await fetch(`${alone.http}/metrics`)).text();
    assert.doesNotMatch(metrics, /^rnnt_cluster/m);
    assert.equal(libraryIsLoaded(), false);
  } finally {
    await alone.stop();
  }
});

test('the address is what was said, else that of the host, else one of the machine', () => {
  assert.equal(addressOf({ advertise: 'a.example:443', host: '0.0.0.0' }, 8_000), 'a.example:443');
  assert.equal(addressOf({ advertise: '', host: '127.0.0.1' }, 8_000), '127.0.0.1:8000');
  assert.equal(addressOf({ advertise: '', host: 'fd00::1' }, 8_000), '[fd00::1]:8000');
  assert.match(addressOf({ advertise: '', host: '0.0.0.0' }, 8_000), /^(\[.+\]|[\w.]+):8000$/);
});

describe('servers of a fleet', { skip: skipWithoutRedis, timeout: 60_000 }, () => {
  let redis: TestRedis;
  let cluster: string;
  let servers: ScriptedServer[] = [];
  before(async () => {
    redis = await TestRedis.start('--requirepass', 'hunter2');
    cluster = redis.url.replace('//', '//:hunter2@');
    const options = { cluster, clusterName: fleetName() };
    const { clusterClaimMs } = LIMITS;
    // On a busy machine Redis may answer late, and a claim that is not answered counts as granted.
    Object.assign(LIMITS, { clusterClaimMs: 5_000 });
    servers = [
      await startScriptedServer(options),
      await startScriptedServer({ ...options, advertise: 'b:1' }),
    ];
    Object.assign(LIMITS, { clusterClaimMs });
  });
  after(async () => {
    for (const server of servers) await server.stop();
    await redis?.stop();
  });
  type Fleet = {
    name: string;
    available: boolean;
    nodes: { address: string; streams: number; status: string }[];
  };
  const fleetAt = async (at: ScriptedServer | undefined, path = '/ws/status') =>
    (await json(`${at?.http}${path}`)).cluster as Fleet & { trouble?: string | null };

  test('each shows all of them: address, load and lifecycle', async () => {
    const [here, there] = servers;
    await until('both are seen', async () => (await fleetAt(here)).nodes.length === 2);
    const client = await TestClient.open(`${there?.ws}`);
    client.socket.send('{"type":"start_recording"}');
    await client.until('recording_started');
    await until('the stream is seen', async () => (await fleetAt(here)).nodes[1]?.streams === 1);
    const { available, nodes } = await fleetAt(here);
    assert.equal(available, true);
    assert.deepEqual(
      nodes.map(({ address, status }) => [address, status]),
      [
        [`127.0.0.1:${here?.server.port}`, 'ready'],
        ['b:1', 'ready'],
      ],
    );
    client.socket.close();
  });

  test('what they answer is what its schema says', async () => {
    const [here] = servers;
    await until('it has joined', async () => (await fleetAt(here)).available);
    answers.liveStatusAnswer.parse(await json(`${here?.http}/ws/status`));
    const extended = answers.extendedHealthAnswer.parse(await json(`${here?.http}/health/extended`));
    assert.equal(extended.cluster?.trouble, null);
    const metrics = await (await fetch(`${here?.http}/metrics`)).text();
    assert.match(metrics, /^rnnt_cluster_available 1$/m);
    assert.match(metrics, /^rnnt_cluster_nodes 2$/m);
  });

  test('a client_id that a session on another server has is refused as on one, and free when that ends', async () => {
    const [here, there] = servers;
    await until(
      'both are there',
      async () => (await fleetAt(here)).available && (await fleetAt(there)).available,
    );
    const first = await TestClient.open(`${here?.ws}?client_id=anna`);
    for (let tries = 0; tries < 2; tries++) {
      const second = new TestClient(`${there?.ws}?client_id=anna`);
      assert.equal((await second.until('error')).code, 'CLIENT_ID_IN_USE');
      assert.equal(await second.closed(), 4409);
      const asked = await fetch(`${there?.http}/ws/transcribe?client_id=anna`);
      assert.deepEqual(
        [asked.status, ((await asked.json()) as { code: string }).code],
        [409, 'CLIENT_ID_IN_USE'],
      );
    }
    const asking = Array.from({ length: 20 }, () => fetch(`${here?.http}/ws/transcribe?client_id=bert`));
    const other = await TestClient.open(`${there?.ws}?client_id=bert`);
    for (const { status } of await Promise.all(asking)) assert.match(String(status), /^(426|409)$/);
    other.socket.close();
    first.socket.close();
    await until(
      'it is free',
      async () => (await fetch(`${there?.http}/ws/transcribe?client_id=anna`)).status === 426,
    );
    const third = await TestClient.open(`${there?.ws}?client_id=anna`);
    assert.equal((await fetch(`${here?.http}/ws/transcribe?client_id=anna`)).status, 409);
    third.socket.close();
  });

  test('who has a client_id that is asked for elsewhere is asked for a sign of life', async () => {
    const [here, there] = servers;
    const first = await TestClient.open(`${here?.ws}?client_id=cleo`);
    const session = here?.server.context.registry.holder('cleo') ?? assert.fail();
    let probes = 0;
    session.probe = () => {
      probes++;
    };
    const second = new TestClient(`${there?.ws}?client_id=cleo`);
    assert.equal(await second.closed(), 4409);
    await until('it is asked', () => probes > 0);
    first.socket.close();
  });

  test('an address is shown only to those who may see the extended health', async () => {
    const guarded = await startScriptedServer({
      cluster,
      clusterName: fleetName(),
      adminToken: 'for admins only',
    });
    try {
      const shown = async (query = '') =>
        ((await json(`${guarded.http}/ws/status${query}`)).cluster as Fleet).nodes.map(
          ({ address }) => address,
        );
      assert.deepEqual(await shown(), [null]);
      assert.deepEqual(await shown('?token=for%20admins%20only'), [`127.0.0.1:${guarded.server.port}`]);
    } finally {
      await guarded.stop();
    }
  });

  test('a Redis that hangs lets clients in after a moment', async (context) => {
    const here = await startScriptedServer({ cluster, clusterName: fleetName() });
    context.after(() => here.stop());
    await until('it is there', async () => (await fleetAt(here)).available);
    redis.freeze();
    try {
      const clients = await Promise.all(
        ['d', 'e', 'f'].map((id) => TestClient.open(`${here.ws}?client_id=${id}`)),
      );
      for (const client of clients) client.socket.close();
    } finally {
      redis.thaw();
    }
    await until('it is back', async () => (await fleetAt(here)).available);
  });

  test('no figure holds the password of Redis', async () => {
    const [here] = servers;
    for (const path of ['/ws/status', '/health/extended', '/metrics', '/'])
      assert.doesNotMatch(await (await fetch(`${here?.http}${path}`)).text(), /hunter2/, path);
    assert.equal(
      ((await json(`${here?.http}/health/extended`)).config as { cluster: string }).cluster,
      '(set)',
    );
  });

  test('one that stops leaves; without Redis each goes on alone, says so, and serves', async () => {
    const [here, there] = servers;
    servers = here === undefined ? [] : [here];
    await there?.stop();
    await until('it has left', async () => (await fleetAt(here)).nodes.length === 1);
    await redis.stop();
    await until('it is missed', async () => !(await fleetAt(here)).available);
    assert.match(String((await fleetAt(here, '/health/extended')).trouble), /\w/);
    assert.match(await (await fetch(`${here?.http}/metrics`)).text(), /^rnnt_cluster_available 0$/m);
    const client = await TestClient.open(`${here?.ws}`);
    client.socket.send('{"type":"start_recording"}');
    await client.until('recording_started');
    client.socket.close();
    await redis.start();
    await until('it is back', async () => (await fleetAt(here)).available);
  });
});

test('a server starts and serves while Redis is away', { skip: skipWithoutRedis }, async () => {
  const redis = await TestRedis.reserve();
  const server = await startScriptedServer({ cluster: redis.url, clusterName: fleetName() });
  try {
    const client = await TestClient.open(server.ws);
    client.socket.close();
    assert.equal(
      ((await json(`${server.http}/ws/status`)).cluster as { available: boolean }).available,
      false,
    );
  } finally {
    await server.stop();
  }
});

test(
  'a server that no longer listens is in its fleet until it leaves',
  { skip: skipWithoutRedis },
  async () => {
    const redis = await TestRedis.start();
    const { server, engine } = await startScriptedServer({ cluster: redis.url, clusterName: fleetName() });
    const { cluster } = server.context;
    assert.ok(cluster !== null);
    await until('it has joined', () => cluster.available);
    const closeEngine = engine.close.bind(engine);
    const seen: (string | null)[] = [];
    engine.close = async () => {
      assert.equal(server.app.server.listening, false);
      cluster.beat();
      seen.push(cluster.trouble);
      await closeEngine();
    };
    server.drain();
    await server.stopped;
    assert.deepEqual(seen, [null]);
    const link = await lookInto(redis.url);
    const keys = (await link.send(['KEYS', '*:node:*'])) as readonly Buffer[];
    link.close();
    await redis.stop();
    assert.deepEqual(keys.map(String), [], 'it has left');
  },
);
